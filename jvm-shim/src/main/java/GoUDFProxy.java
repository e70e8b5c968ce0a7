import dev.drey.flink.udf.library.GoLibrary;

/**
 * The Go function of this jar as text in, text out: JSON of one event, JSON of its result. It calls
 * the function that Go registered as {@code process_json} or {@code processJson} with {@code
 * udf.JSON} or {@code udf.Raw}, or the only function of the jar. Safe for concurrent use.
 */
public final class GoUDFProxy {
    static {
        GoLibrary.bindProcessJson(GoUDFProxy.class);
    }

    private GoUDFProxy() {}

    /**
     * Calls Go. Surrogates without their other half, which JSON text cannot have, become U+FFFD.
     *
     * @param event JSON text, not null
     * @return JSON text
     * @throws dev.drey.flink.udf.GoPanicException the function panicked
     * @throws dev.drey.flink.udf.GoFunctionException the function returned an error
     */
    public static native String processJson(String event);
}
