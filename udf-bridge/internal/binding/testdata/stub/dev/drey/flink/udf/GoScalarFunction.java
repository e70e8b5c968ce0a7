package dev.drey.flink.udf;

public abstract class GoScalarFunction extends Recorder {
    protected GoScalarFunction(String build, String name) {
        super(build, name);
    }

    protected final long fixed() {
        note("fixed");
        return fixedAnswer;
    }

    protected final long fixed(long a) {
        note("fixed " + Long.toHexString(a));
        return fixedAnswer;
    }

    protected final long fixed(long a, long b) {
        note("fixed " + Long.toHexString(a) + " " + Long.toHexString(b));
        return fixedAnswer;
    }

    protected final long fixed(long a, long b, long c) {
        note("fixed " + Long.toHexString(a) + " " + Long.toHexString(b) + " " + Long.toHexString(c));
        return fixedAnswer;
    }

    protected final long fixed(long a, long b, long c, long d) {
        note("fixed " + Long.toHexString(a) + " " + Long.toHexString(b) + " " + Long.toHexString(c) + " " + Long.toHexString(d));
        return fixedAnswer;
    }

    protected final Object finish() {
        note("finish");
        return answer;
    }

    protected static boolean isTrue(long fixed) {
        return fixed != 0;
    }

    protected static float toFloat(long fixed) {
        return Float.intBitsToFloat((int) fixed);
    }
}
