package dev.drey.flink.table;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.codec.PlainValues;
import dev.drey.flink.udf.codec.RandomData;
import dev.drey.flink.udf.manifest.Column;
import dev.drey.flink.udf.manifest.FunctionKind;
import dev.drey.flink.udf.manifest.FunctionManifest;
import dev.drey.flink.udf.manifest.InstalledFunctions;
import dev.drey.flink.udf.subject.SubjectJar;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.utils.TypeConversions;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Values of every SQL type, and NULL in the place of each, through one big query. */
@Timeout(300)
class EchoIT {
    private static final int ROWS = 60;

    @Test
    void everySqlTypeComesBackFromGo() throws Exception {
        Path jar = SubjectJar.of("echo");
        List<FunctionManifest> functions = echoes(jar);
        assertThat(functions).hasSizeGreaterThan(60);
        List<RowType.RowField> columns = new ArrayList<>();
        List<String> calls = new ArrayList<>();
        columns.add(new RowType.RowField("id", new BigIntType(false)));
        for (FunctionManifest f : functions) {
            List<String> arguments = new ArrayList<>();
            for (Column argument : f.arguments()) {
                arguments.add("c" + columns.size());
                columns.add(new RowType.RowField("c" + columns.size(), argument.type()));
            }
            calls.add(f.name() + "(" + String.join(", ", arguments) + ")");
        }
        RowType type = new RowType(false, columns);
        List<RowData> rows = rows(type);

        SqlSession sql = SqlSession.streaming(jar);
        sql.env.setParallelism(1);
        sql.tables.createTemporaryView(
                "src",
                sql.tables.fromDataStream(sql.env.fromData(rows, InternalTypeInfo.of(type))));
        List<RowData> results =
                internal(sql, "SELECT id, " + String.join(", ", calls) + " FROM src", functions);

        assertThat(results).hasSize(ROWS);
        for (int i = 0; i < ROWS; i++) {
            compare(functions, (GenericRowData) rows.get(i), results.get(i));
        }
    }

    @Test
    void rowsOfATableMayBeNull() throws Exception {
        SqlSession sql = SqlSession.streaming(SubjectJar.of("echo"));

        assertThat(sql.query("SELECT p FROM LATERAL TABLE(strict_split('a,,b')) AS t(p)"))
                .containsExactly("+I[a]", "+I[b]", "+I[null]");
        assertThat(
                        sql.query(
                                "SELECT p FROM LATERAL TABLE(strict_split(CAST(NULL AS STRING))) AS t(p)"))
                .isEmpty();
    }

    @Test
    void aggregatesPassOverWhatGoDoesNotTake() throws Exception {
        SqlSession sql = SqlSession.batch(SubjectJar.of("echo"));

        assertThat(
                        sql.query(
                                "SELECT strict_concat(t) FROM (VALUES ('a'), (CAST(NULL AS STRING)),"
                                        + " ('a')) AS v(t)"))
                .isEqualTo(sql.query("SELECT strict_concat(t) FROM (VALUES ('a'), ('a')) AS v(t)"));
    }

    /** The functions whose result is what they are given. */
    private static List<FunctionManifest> echoes(Path jar) throws Exception {
        List<FunctionManifest> echoes = new ArrayList<>();
        try (URLClassLoader loader =
                new URLClassLoader(
                        new URL[] {jar.toUri().toURL()}, EchoIT.class.getClassLoader())) {
            InstalledFunctions all = InstalledFunctions.of(loader);
            for (String name : all.names()) {
                FunctionManifest f = all.find(name).orElseThrow().manifest();
                if (f.kind() == FunctionKind.SCALAR && name.startsWith("echo_")) {
                    echoes.add(f);
                }
            }
        }
        return echoes;
    }

    /** Each nullable column is NULL once where the others are not; then they are drawn. */
    private static List<RowData> rows(RowType type) {
        RandomData random = new RandomData(11);
        List<RowData> rows = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            GenericRowData row = new GenericRowData(type.getFieldCount());
            row.setField(0, (long) i);
            for (int c = 1; c < type.getFieldCount(); c++) {
                LogicalType column = type.getTypeAt(c);
                boolean isNull = i == 0 || c % 40 == i;
                if (!isNull || !column.isNullable()) {
                    row.setField(c, random.value(column.copy(i > 40 && column.isNullable())));
                }
            }
            rows.add(row);
        }
        return rows;
    }

    private static List<RowData> internal(
            SqlSession sql, String query, List<FunctionManifest> functions) throws Exception {
        List<RowType.RowField> fields = new ArrayList<>();
        fields.add(new RowType.RowField("id", new BigIntType(false)));
        for (FunctionManifest f : functions) {
            fields.add(new RowType.RowField(f.name(), f.result()));
        }
        DataType type =
                TypeConversions.fromLogicalToDataType(new RowType(false, fields))
                        .bridgedTo(RowData.class);
        List<RowData> results = new ArrayList<>();
        try (CloseableIterator<RowData> rows =
                sql.tables
                        .<RowData>toDataStream(sql.tables.sqlQuery(query), type)
                        .executeAndCollect()) {
            rows.forEachRemaining(results::add);
        }
        return results;
    }

    private static void compare(
            List<FunctionManifest> functions, GenericRowData given, RowData results) {
        assertThat(results.getLong(0)).isEqualTo(given.getField(0));
        int column = 1;
        for (int i = 0; i < functions.size(); i++) {
            FunctionManifest f = functions.get(i);
            List<Object> arguments = new ArrayList<>();
            for (Column argument : f.arguments()) {
                arguments.add(PlainValues.of(argument.type(), given.getField(column++)));
            }
            Object result =
                    PlainValues.of(
                            f.result(),
                            RowData.createFieldGetter(f.result(), i + 1).getFieldOrNull(results));
            // A struct's fields are the arguments, and the fields of the ROW that comes back.
            boolean row = f.result() instanceof RowType && !f.result().isNullable();
            boolean nested = row && f.arguments().get(0).type() instanceof RowType;
            assertThat(result)
                    .as(f.toString())
                    .isEqualTo(row && !nested ? arguments : arguments.get(0));
        }
    }
}
