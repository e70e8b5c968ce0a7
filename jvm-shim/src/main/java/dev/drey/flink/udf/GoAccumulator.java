package dev.drey.flink.udf;

import javax.annotation.Nullable;

/**
 * The accumulator of a Go aggregate: what Go made of the rows so far, as bytes that only Go reads.
 * To Flink it is a structured type with one BYTES attribute, so it is kept in any state backend,
 * travels between the phases of an aggregation and is restored as any row is. The bytes start with
 * a fingerprint of the accumulator's Go type: a build with another type refuses them.
 *
 * <p>Mutable and for one thread, as Flink's accumulators are. Its array is replaced, never written
 * into: the state may hold it.
 */
public final class GoAccumulator {
    /** Null before the first row. The name is the one of the attribute in Flink's state. */
    @Nullable public byte[] bytes;

    /** An empty accumulator. */
    public GoAccumulator() {}
}
