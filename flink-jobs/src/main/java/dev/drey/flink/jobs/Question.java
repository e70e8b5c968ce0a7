package dev.drey.flink.jobs;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * What a job asks Go about each of its records: the function, its arguments in order, and what only
 * the job knows and adds to the line of the decision. Which way the question goes is {@link
 * Verdicts}' matter.
 *
 * @param <IN> the record
 */
final class Question<IN> implements Serializable {
    private static final long serialVersionUID = 1L;

    final String function;
    private final List<Argument<IN>> arguments;
    private final Describe<IN> describe;

    private Question(String function, List<Argument<IN>> arguments, Describe<IN> describe) {
        this.function = function;
        this.arguments = arguments;
        this.describe = describe;
    }

    /**
     * A question without arguments yet.
     *
     * @param function name under which Go registered it
     * @param describe adds id, timestamp and label, and what else is good to know
     */
    static <IN> Question<IN> of(String function, Describe<IN> describe) {
        return new Question<>(function, Collections.emptyList(), describe);
    }

    /** The next argument of the function, as a column of SQL. */
    Question<IN> with(String name, String sqlType, Value<IN> value) {
        List<Argument<IN>> more = new ArrayList<>(arguments);
        more.add(new Argument<>(name, sqlType, value));
        return new Question<>(function, more, describe);
    }

    List<Argument<IN>> arguments() {
        return arguments;
    }

    void describe(IN record, ObjectNode line) {
        describe.describe(record, line);
    }

    /** Adds to a line what only the job knows of its record: at least id, timestamp and label. */
    @FunctionalInterface
    interface Describe<IN> extends Serializable {
        void describe(IN record, ObjectNode line);
    }

    /** Takes an argument out of a record; null is SQL's NULL. */
    @FunctionalInterface
    interface Value<IN> extends Function<IN, Object>, Serializable {}

    /** An argument of the function. */
    static final class Argument<IN> implements Serializable {
        private static final long serialVersionUID = 1L;

        final String name;
        final String sqlType;
        final Value<IN> value;

        Argument(String name, String sqlType, Value<IN> value) {
            this.name = name;
            this.sqlType = sqlType;
            this.value = value;
        }

        /** Of its values. */
        TypeInformation<?> type() {
            String name = sqlType.split(" ")[0];
            switch (name) {
                case "BOOLEAN":
                    return Types.BOOLEAN;
                case "INT":
                    return Types.INT;
                case "BIGINT":
                    return Types.LONG;
                case "DOUBLE":
                    return Types.DOUBLE;
                case "STRING":
                    return Types.STRING;
                default:
                    throw new IllegalArgumentException(this.name + ": no Java type for " + sqlType);
            }
        }
    }
}
