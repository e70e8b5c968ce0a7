package dev.drey.flink.async.client;

/** An answer with status 200 that is of no use. */
public final class BadAnswerException extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient Failure failure;

    private BadAnswerException(Failure failure) {
        super(failure.detail(), null, false, false);
        this.failure = failure;
    }

    /** It is no answer of a sidecar, and will not become one. */
    public static BadAnswerException foreign(String detail, byte[] body) {
        return new BadAnswerException(
                Failure.badAnswer(detail + "; it begins: " + Failure.shown(body), false));
    }

    /** It ends in the middle, as when a process dies while it writes: worth another try. */
    public static BadAnswerException truncated() {
        return new BadAnswerException(
                Failure.badAnswer("the answer ends in the middle of its JSON", true));
    }

    /** It is an answer, but the result does not fit. */
    public static BadAnswerException misfit(String detail) {
        return new BadAnswerException(Failure.permanent(Failure.BAD_RESULT, detail, null));
    }

    Failure failure() {
        return failure;
    }
}
