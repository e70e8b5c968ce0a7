package dev.drey.flink.udf;

/** What the base classes have in common here: they note each call that a generated class makes. */
public abstract class Recorder {
    public static final StringBuilder NOTES = new StringBuilder();
    /** What the next fixed() or finish() answers. */
    public static long fixedAnswer;

    public static Object answer;

    protected Recorder(String build, String name) {
        note("new " + build + " " + name);
    }

    static void note(String text) {
        NOTES.append(NOTES.length() == 0 ? "" : "; ").append(text);
    }

    protected final void begin() {
        note("begin");
    }

    protected final void put(int i, boolean v) {
        note("put " + i + " boolean " + v);
    }

    protected final void put(int i, byte v) {
        note("put " + i + " byte " + v);
    }

    protected final void put(int i, short v) {
        note("put " + i + " short " + v);
    }

    protected final void put(int i, int v) {
        note("put " + i + " int " + v);
    }

    protected final void put(int i, long v) {
        note("put " + i + " long " + v);
    }

    protected final void put(int i, float v) {
        note("put " + i + " float " + v);
    }

    protected final void put(int i, double v) {
        note("put " + i + " double " + v);
    }

    protected final void put(int i, Object v) {
        note("put " + i + " object " + (v instanceof byte[] ? "byte[" + ((byte[]) v).length + "]" : v));
    }
}
