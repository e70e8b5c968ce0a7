/**
 * The row codec: rows between Flink's internal data structures and the little-endian messages that
 * Go reads and writes, as {@code udf-bridge/rowcodec/ROWCODEC.md} specifies them. Its twin is the
 * Go package {@code rowcodec}; both are tested with the same golden messages.
 *
 * <p>Writers and readers are prepared once for a type and then run without reflection. Strings are
 * copied as the UTF-8 that Flink holds. This is the only package that touches Flink's internal
 * binary formats.
 */
package dev.drey.flink.udf.codec;
