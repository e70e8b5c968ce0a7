package dev.drey.flink.udf.subject;

import java.lang.reflect.Proxy;
import java.util.Map;
import org.apache.flink.api.common.TaskInfoImpl;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.functions.FunctionContext;

/** The context of a function in a task, for functions that a test opens itself. */
public final class TaskContext {
    private TaskContext() {}

    /** The first of one subtask, of a job without parameters. */
    public static FunctionContext of(ClassLoader loader) {
        return of(loader, Map.of());
    }

    /** The first of one subtask, of a job with parameters. */
    public static FunctionContext of(ClassLoader loader, Map<String, String> jobParameters) {
        RuntimeContext context =
                (RuntimeContext)
                        Proxy.newProxyInstance(
                                TaskContext.class.getClassLoader(),
                                new Class<?>[] {RuntimeContext.class},
                                (proxy, method, args) -> {
                                    switch (method.getName()) {
                                        case "getTaskInfo":
                                            return new TaskInfoImpl("task", 1, 0, 1, 0);
                                        case "getMetricGroup":
                                            return UnregisteredMetricsGroup
                                                    .createOperatorMetricGroup();
                                        case "getGlobalJobParameters":
                                            return jobParameters;
                                        default:
                                            throw new UnsupportedOperationException(
                                                    method.getName());
                                    }
                                });
        return new FunctionContext(context, loader, null);
    }
}
