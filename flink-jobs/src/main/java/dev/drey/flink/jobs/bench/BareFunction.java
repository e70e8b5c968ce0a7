package dev.drey.flink.jobs.bench;

import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * BIGINT to BIGINT by JNI, C and Go and nothing else: what no bridge between Flink and Go can be
 * faster than. The job parameter {@code bare} is the path of the library. It has no handle, no
 * settings and no deadline, and a panic ends the process.
 */
public final class BareFunction extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    @Override
    public void open(FunctionContext context) {
        System.load(context.getJobParameter("bare", null));
    }

    /** The next number. */
    public long eval(long n) {
        return next(n);
    }

    private static native long next(long n);
}
