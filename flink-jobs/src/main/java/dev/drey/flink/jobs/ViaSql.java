package dev.drey.flink.jobs;

import java.util.Arrays;
import java.util.stream.Collectors;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;

/**
 * Asks Go in the TaskManager by a SQL statement: the arguments are typed columns of a view, and the
 * answer is a ROW.
 *
 * <pre>
 * LOAD MODULE go                                              -- the jar is in Flink's lib
 * CREATE TEMPORARY FUNCTION fraud AS ... USING JAR '...'      -- or somewhere else, with --go-jar URI
 * SELECT record, asked, fraud(accountId, amount, ...) AS verdict FROM records
 * </pre>
 *
 * <p>A record that Go refuses fails the job: SQL has no side output.
 */
final class ViaSql {
    private static final String RECORD = "record";
    private static final String ASKED = "asked";
    private static final String VERDICT = "verdict";

    private ViaSql() {}

    static <IN> SingleOutputStreamOperator<String> ask(
            StreamExecutionEnvironment env,
            DataStream<IN> records,
            Question<IN> question,
            @Nullable String jar) {
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        if (jar == null) {
            tables.executeSql("LOAD MODULE go");
        } else {
            tables.executeSql(
                    String.format(
                            "CREATE TEMPORARY FUNCTION %s AS 'dev.drey.udf.%s' USING JAR '%s'",
                            question.function, className(question.function), jar));
        }
        tables.createTemporaryView("records", rows(records, question), schema(records, question));
        String arguments =
                question.arguments().stream()
                        .map(a -> '`' + a.name + '`')
                        .collect(Collectors.joining(", "));
        String query =
                String.format(
                        "SELECT %s, %s, %s(%s) AS %s FROM records",
                        RECORD, ASKED, question.function, arguments, VERDICT);
        return tables.toDataStream(tables.sqlQuery(query)).process(new Lines<>(question));
    }

    /** As go-udf-builder names a function's class. */
    private static String className(String function) {
        return Character.toUpperCase(function.charAt(0)) + function.substring(1);
    }

    /** The record itself goes along, untouched by SQL; and when it was asked about. */
    private static <IN> Schema schema(DataStream<IN> records, Question<IN> question) {
        Schema.Builder schema =
                Schema.newBuilder()
                        .column(RECORD, DataTypes.RAW(records.getType()))
                        .column(ASKED, DataTypes.BIGINT().notNull());
        question.arguments().forEach(a -> schema.column(a.name, a.sqlType));
        return schema.build();
    }

    private static <IN> DataStream<Row> rows(DataStream<IN> records, Question<IN> question) {
        int count = question.arguments().size();
        String[] names = new String[2 + count];
        TypeInformation<?>[] types = new TypeInformation<?>[2 + count];
        names[0] = RECORD;
        types[0] = records.getType();
        names[1] = ASKED;
        types[1] = Types.LONG;
        for (int i = 0; i < count; i++) {
            names[2 + i] = question.arguments().get(i).name;
            types[2 + i] = question.arguments().get(i).type();
        }
        return records.map(record -> row(record, question))
                .returns(new RowTypeInfo(types, names))
                .name("arguments")
                .uid("arguments");
    }

    private static <IN> Row row(IN record, Question<IN> question) {
        Row row = new Row(2 + question.arguments().size());
        row.setField(0, record);
        row.setField(1, System.nanoTime());
        for (int i = 0; i < question.arguments().size(); i++) {
            row.setField(2 + i, question.arguments().get(i).value.apply(record));
        }
        return row;
    }

    /** Latency is from before the query until after it, with the conversions into SQL's types. */
    private static final class Lines<IN> extends Decisions.Lines<Row, IN> {
        private static final long serialVersionUID = 1L;

        Lines(Question<IN> question) {
            super(question);
        }

        @Override
        public void processElement(Row row, Context context, Collector<String> out) {
            long nanos = System.nanoTime() - row.<Long>getFieldAs(ASKED);
            Row answer = row.getFieldAs(VERDICT);
            Verdict verdict = new Verdict();
            verdict.score = answer.<Double>getFieldAs("score");
            verdict.decision = answer.getFieldAs("decision");
            verdict.reasons = Arrays.asList(answer.<String[]>getFieldAs("reasons"));
            IN record = row.getFieldAs(RECORD);
            ObjectNode line = line(record, verdict);
            line.put("latency_us", nanos / 1e3).put("attempts", 1);
            emit(line, verdict, context, out);
        }
    }
}
