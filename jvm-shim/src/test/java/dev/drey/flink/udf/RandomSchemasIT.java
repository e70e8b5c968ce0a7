package dev.drey.flink.udf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.codec.PlainValues;
import dev.drey.flink.udf.codec.RandomData;
import dev.drey.flink.udf.codec.Seeds;
import dev.drey.flink.udf.manifest.Column;
import dev.drey.flink.udf.manifest.FunctionManifest;
import dev.drey.flink.udf.manifest.InstalledFunctions;
import dev.drey.flink.udf.subject.SubjectJar;
import dev.drey.flink.udf.subject.TaskContext;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Random rows of random Go types, from Flink's values to Go's and back, through the generated
 * classes, the shim and the library: they stay what they are.
 */
@Timeout(300)
class RandomSchemasIT {
    private static final long SEED = Seeds.of(RandomSchemasIT.class, 20261123);
    private static final int SCHEMAS = 120;
    private static final int ROWS = 40;

    @Test
    void rowsOfAnyGoTypeComeBack() throws Exception {
        Path jar = SubjectJar.random(SEED, SCHEMAS);
        RandomData random = new RandomData(SEED);
        int called = 0;
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {jar.toUri().toURL()}, getClass().getClassLoader())) {
            InstalledFunctions functions = InstalledFunctions.of(loader);
            assertThat(functions.names()).hasSize(SCHEMAS);
            for (String name : functions.names()) {
                FunctionManifest f = functions.find(name).orElseThrow().manifest();
                GoScalarFunction go =
                        Class.forName(f.className(), true, loader)
                                .asSubclass(GoScalarFunction.class)
                                .getConstructor()
                                .newInstance();
                go.open(TaskContext.of(loader));
                try {
                    for (int i = 0; i < ROWS; i++, called++) {
                        echo(go, f, random);
                    }
                } finally {
                    go.close();
                }
            }
        }
        assertThat(called).isEqualTo(SCHEMAS * ROWS);
    }

    private static void echo(GoScalarFunction go, FunctionManifest f, RandomData random)
            throws Exception {
        List<Object> arguments = new ArrayList<>();
        List<Object> plain = new ArrayList<>();
        for (Column argument : f.arguments()) {
            Object value = random.value(argument.type());
            arguments.add(value);
            plain.add(PlainValues.of(argument.type(), value));
        }
        Object result = eval(go).invoke(go, arguments.toArray());
        // One field of a ROW is the same as the value alone to Go, but not to SQL.
        LogicalType type = f.result();
        assertThat(type).isInstanceOf(RowType.class);
        assertThat(PlainValues.of(type, result))
                .as("%s=%d: %s", Seeds.VARIABLE, SEED, f)
                .isEqualTo(plain);
    }

    private static Method eval(GoScalarFunction go) {
        return Arrays.stream(go.getClass().getMethods())
                .filter(m -> m.getName().equals("eval"))
                .findFirst()
                .orElseThrow();
    }
}
