package dev.drey.flink.udf;

public abstract class GoAggregateFunction extends Recorder {
    protected GoAggregateFunction(String build, String name) {
        super(build, name);
    }

    protected final void accumulateRow(GoAccumulator accumulator) {
        note("accumulate");
    }

    protected final void retractRow(GoAccumulator accumulator) {
        note("retract");
    }

    protected final void mergeAll(GoAccumulator accumulator, Iterable<?> others) {
        note("mergeAll");
    }
}
