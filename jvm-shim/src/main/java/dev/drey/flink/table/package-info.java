/**
 * Go functions in SQL: the module {@code go}.
 *
 * <pre>{@code
 * ADD JAR '/path/to/go-udf-bridge.jar'; -- not needed if it is in lib/ or in the job's jar
 * LOAD MODULE go;
 * SELECT risk_score(amount, country), risk_score(country => country, amount => amount) FROM payments;
 * }</pre>
 *
 * <p>What Flink does with the types of a function, and what it does not. An argument that Go
 * declares without a place for NULL takes no nullable column: the query is refused when it is
 * planned. Positional arguments are cast where no value can be lost (INT to BIGINT, CHAR to
 * STRING). Named arguments may come in any order, but Flink 2.3 does not cast them: a literal needs
 * a CAST then, or planning ends with a mismatch of types.
 */
package dev.drey.flink.table;
