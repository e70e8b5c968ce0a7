package dev.drey.flink.udf;

public abstract class GoTableFunction extends Recorder {
    protected GoTableFunction(String build, String name) {
        super(build, name);
    }

    protected final void emit() {
        note("emit");
    }
}
