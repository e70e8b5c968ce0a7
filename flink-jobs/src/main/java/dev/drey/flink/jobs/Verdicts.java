package dev.drey.flink.jobs;

import dev.drey.flink.async.GoAsync;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Asks Go, the way that {@code --via} says, and writes its verdicts: they are the same whichever
 * way.
 *
 * <pre>
 * http   the sidecar, asynchronously: {@link ViaHttp}
 * udf    in the TaskManager, from the DataStream API: {@link ViaUdf}
 * sql    in the TaskManager, from a SQL statement: {@link ViaSql}
 * </pre>
 */
final class Verdicts {
    private Verdicts() {}

    /**
     * Asks about each record and writes the answers to {@code --output-path}.
     *
     * @param id what the sidecar remembers its answer under
     * @param args of the program, with what is said about the way there
     */
    static <IN> void write(
            StreamExecutionEnvironment env,
            DataStream<IN> records,
            Question<IN> question,
            ViaHttp.Id<IN> id,
            JobArguments arguments,
            String... args) {
        String path = arguments.outputPath();
        String via = arguments.text("via", "http");
        SingleOutputStreamOperator<String> lines;
        switch (via) {
            case "http":
                GoAsync.Streams<IN, Verdict> asked =
                        ViaHttp.ask(records, question, id, GoAsync.configuration(env, args));
                lines = asked.results().process(new ViaHttp.Lines<>(question));
                Decisions.writeErrors(ViaHttp.errors(asked, question), path);
                break;
            case "udf":
                lines = records.process(new ViaUdf<>(question));
                break;
            case "sql":
                lines = ViaSql.ask(env, records, question, arguments.text("go-jar", null));
                break;
            default:
                throw new IllegalArgumentException("--via is " + via + "; say http, udf or sql");
        }
        lines.name("decisions-to-json").uid("decisions-to-json");
        Decisions.write(lines, path, arguments.flag("print"));
    }
}
