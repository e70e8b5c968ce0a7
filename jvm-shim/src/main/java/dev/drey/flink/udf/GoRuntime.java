package dev.drey.flink.udf;

import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.manifest.FunctionManifest;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.runtime.metrics.scope.ScopeFormat;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.functions.FunctionContext;

/** Opens functions with what the job and the TaskManager's configuration say. */
final class GoRuntime {
    /** How a function of that encoding takes its arguments and gives its result. */
    enum Encoding {
        /** Messages of the row codec, bytes of a RAW function, text of a JSON function. */
        ROW,
        /** The arguments as one JSON object, the result as JSON, whatever the function's kind. */
        JSON
    }

    private GoRuntime() {}

    /**
     * Opens a function; its library is loaded if no function of it was opened in this process.
     *
     * @param loader sees the jar of the build
     */
    static GoCall open(
            ClassLoader loader,
            String build,
            FunctionManifest f,
            Encoding encoding,
            FunctionContext context) {
        TaskInfo task = task(f, context);
        GoUdfSettings settings = GoUdfSettings.of(key -> context.getJobParameter(key, null));
        Map<String, String> request = new HashMap<>();
        request.put("function", f.name());
        request.put("signature", f.signature());
        if (encoding == Encoding.JSON) {
            request.put("encoding", "json");
        }
        request.put("job", jobName(context));
        request.put("subtask", Integer.toString(task.getIndexOfThisSubtask()));
        request.put("parallelism", Integer.toString(task.getNumberOfParallelSubtasks()));
        request.put("attempt", Integer.toString(task.getAttemptNumber()));
        request.put("call_timeout_ms", Long.toString(settings.callTimeoutMillis()));
        request.put("max_result_bytes", Long.toString(settings.maxResultBytes()));
        f.parameters()
                .forEach(
                        (name, byDefault) ->
                                request.put(
                                        "parameter." + name,
                                        context.getJobParameter(name, byDefault)));
        return GoLibrary.load(loader, build, settings.library()).open(request);
    }

    /**
     * The task that opens the function. There is none in the planner, which opens functions to find
     * out which partitions of a table are read: Go is never loaded there.
     */
    private static TaskInfo task(FunctionManifest f, FunctionContext context) {
        try {
            return context.getTaskInfo();
        } catch (TableException e) {
            throw new GoLibraryException(
                    "Go function "
                            + f.name()
                            + " stands in a condition that Flink wants to answer while it plans, to"
                            + " leave out partitions of a table, and Go runs in TaskManagers only;"
                            + " give the function an argument that needs a column by which the table"
                            + " is not partitioned, or compare the columns of its partitions without"
                            + " Go",
                    e);
        }
    }

    /** The context of a SQL function has no name of its job, but its metrics do. */
    private static String jobName(FunctionContext context) {
        return context.getMetricGroup()
                .getAllVariables()
                .getOrDefault(ScopeFormat.SCOPE_JOB_NAME, "");
    }

    static CallMetrics metrics(FunctionManifest f, FunctionContext context) {
        return new CallMetrics(context.getMetricGroup(), f.name(), GoLibrary::runtimes);
    }
}
