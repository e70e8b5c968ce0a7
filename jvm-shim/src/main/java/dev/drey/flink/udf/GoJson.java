package dev.drey.flink.udf;

import dev.drey.flink.udf.GoRuntime.Encoding;
import dev.drey.flink.udf.codec.BytesWriter;
import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.manifest.FunctionKind;
import dev.drey.flink.udf.manifest.FunctionManifest;
import dev.drey.flink.udf.manifest.InstalledFunction;
import dev.drey.flink.udf.manifest.InstalledFunctions;
import dev.drey.flink.udf.manifest.ManifestException;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.table.functions.FunctionContext;

/**
 * A Go function that takes its arguments as a JSON object and gives its result as JSON, both as the
 * sidecar's {@code /evaluate} has them: a result that is no struct is {@code {"value": ...}}. For
 * rich functions of a DataStream job: open it in {@code open}, close it in {@code close}. For one
 * thread.
 */
public final class GoJson implements AutoCloseable {
    private final Json go;

    private GoJson(GoCall go, CallMetrics metrics) {
        this.go = new Json(go, metrics);
    }

    /**
     * Opens the function of that name of the jars with Go functions that the job sees.
     *
     * @param function its name, whatever its case; of any kind but {@code udf.Aggregate}
     * @throws GoLibraryException there is no such function, or Go cannot be loaded; the message
     *     says what to do
     */
    public static GoJson open(RuntimeContext context, String function) {
        ClassLoader loader = context.getUserCodeClassLoader();
        InstalledFunction found = find(loader, function);
        FunctionManifest f = found.manifest();
        if (f.kind() == FunctionKind.AGGREGATE) {
            throw new GoLibraryException(
                    "Go function "
                            + f.name()
                            + " is an AGGREGATE, which Flink has to keep state for; use it in SQL");
        }
        FunctionContext sql = new FunctionContext(context);
        GoCall go = GoRuntime.open(loader, found.build(), f, Encoding.JSON, sql);
        try {
            return new GoJson(go, GoRuntime.metrics(f, sql));
        } catch (RuntimeException | Error e) {
            go.close();
            throw e;
        }
    }

    private static InstalledFunction find(ClassLoader loader, String function) {
        InstalledFunctions all;
        try {
            all = InstalledFunctions.of(loader);
        } catch (ManifestException e) {
            throw new GoLibraryException(e.getMessage(), e);
        }
        return all.find(function)
                .orElseThrow(
                        () ->
                                new GoLibraryException(
                                        "no Go function "
                                                + function
                                                + " in the jars of this job; they have "
                                                + String.join(", ", all.names())));
    }

    /**
     * Calls it.
     *
     * @param event a JSON object with a key for each argument; not kept
     * @return the result as JSON
     * @throws GoException what Go returned or panicked with
     */
    public byte[] call(byte[] event) {
        return go.eval(event);
    }

    @Override
    public void close() {
        go.close();
    }

    private static final class Json extends Invocation {
        private final BytesWriter input;

        Json(GoCall go, CallMetrics metrics) {
            super(go, metrics);
            input = new BytesWriter(go::input);
        }

        byte[] eval(byte[] event) {
            int length = call(GoCall.EVAL, input.write(0, event));
            return BytesWriter.copy(go.output(), length);
        }
    }
}
