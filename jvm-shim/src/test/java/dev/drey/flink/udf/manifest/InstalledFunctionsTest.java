package dev.drey.flink.udf.manifest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InstalledFunctionsTest {
    private static final String SCORE =
            "{'name':'score','kind':'SCALAR','doc':'How risky.','deterministic':true,"
                    + "'null_on_null':true,'class':'dev.drey.udf.Score','signature':'score(...)',"
                    + "'parameters':[{'name':'limit','default':'10','doc':''}],"
                    + "'arguments':[{'name':'amount','sql':'DECIMAL(10, 2) NOT NULL'},"
                    + "{'name':'label','sql':'STRING'}],'result':{'sql':'DOUBLE NOT NULL'}}";
    private static final String WORDS =
            "{'name':'words','kind':'TABLE','class':'dev.drey.udf.Words',"
                    + "'arguments':[],'result':{'sql':'ROW<`w` STRING NOT NULL> NOT NULL'}}";

    @TempDir private Path dir;

    @Test
    void functionsOfAllJarsAreFoundWhateverTheirCase() throws Exception {
        try (URLClassLoader loader =
                loader(jar("a.jar", "aaaa", SCORE), jar("b.jar", "bbbb", WORDS))) {
            InstalledFunctions all = InstalledFunctions.of(loader);

            assertThat(all.names()).containsExactly("score", "words");
            assertThat(all.find("SCORE").get().build()).isEqualTo("aaaa");
            assertThat(all.find("words").get().jar()).isEqualTo(dir.resolve("b.jar").toString());
            assertThat(all.find("other")).isEmpty();
        }
    }

    @Test
    void manifestSaysWhatAFunctionIs() throws Exception {
        try (URLClassLoader loader = loader(jar("a.jar", "aaaa", SCORE))) {
            FunctionManifest f = BuildManifest.load(loader, "aaaa").functions().get("score");

            assertThat(f.kind()).isEqualTo(FunctionKind.SCALAR);
            assertThat(f.deterministic()).isTrue();
            assertThat(f.parameters()).containsEntry("limit", "10");
            assertThat(f.arguments())
                    .extracting(Object::toString)
                    .containsExactly("amount DECIMAL(10, 2) NOT NULL", "label STRING");
            assertThat(f.result().is(LogicalTypeRoot.DOUBLE)).isTrue();
            // NULL is a value in SQL, though it does not reach Go.
            assertThat(f.sqlType(f.arguments().get(0)).isNullable()).isTrue();
            assertThat(f.sqlResult().isNullable()).isTrue();
        }
    }

    @Test
    void oneJarSeenTwiceIsNoConflict() throws Exception {
        try (URLClassLoader parent = loader(jar("a.jar", "aaaa", SCORE));
                URLClassLoader child =
                        new URLClassLoader(
                                new URL[] {jar("copy.jar", "aaaa", SCORE).toUri().toURL()},
                                parent)) {
            assertThat(InstalledFunctions.of(child).names()).containsExactly("score");
        }
    }

    @Test
    void sameNameInTwoJarsNamesBoth() throws Exception {
        String shouting = SCORE.replace("'score'", "'SCORE'").replace("udf.Score", "udf.SCORE");
        try (URLClassLoader loader =
                loader(jar("a.jar", "aaaa", SCORE), jar("b.jar", "bbbb", shouting))) {
            assertThatThrownBy(() -> InstalledFunctions.of(loader))
                    .isInstanceOf(ManifestException.class)
                    .hasMessageContainingAll(
                            "SCORE", dir.resolve("a.jar").toString(), dir.resolve("b.jar") + "");
        }
    }

    @Test
    void sameClassInTwoJarsIsAConflictToo() throws Exception {
        String other = SCORE.replace("'score'", "'s_core'");
        try (URLClassLoader loader =
                loader(jar("a.jar", "aaaa", SCORE), jar("b.jar", "bbbb", other))) {
            assertThatThrownBy(() -> InstalledFunctions.of(loader))
                    .isInstanceOf(ManifestException.class)
                    .hasMessageContainingAll("s_core", "a.jar", "b.jar");
        }
    }

    @Test
    void noJarSaysHowToGetOne() throws Exception {
        try (URLClassLoader loader = new URLClassLoader(new URL[0], null)) {
            assertThatThrownBy(() -> InstalledFunctions.of(loader))
                    .isInstanceOf(ManifestException.class)
                    .hasMessageContainingAll("go-udf-builder", "ADD JAR");
        }
    }

    @Test
    void damagedManifestsAreRefused() throws Exception {
        refused("not JSON", SCORE + "}}}");
        refused("has no kind", SCORE.replace("'kind'", "'kin'"));
        refused("kind \"WINDOW\" is newer", SCORE.replace("SCALAR", "WINDOW"));
        refused(
                "argument label: Flink does not know the SQL type STRANG",
                SCORE.replace("STRING", "STRANG"));
        refused("has no class", SCORE.replace("dev.drey.udf.Score", ""));
    }

    private void refused(String expected, String function) throws Exception {
        Path jar = jar("bad" + expected.hashCode() + ".jar", "cccc", function);
        try (URLClassLoader loader = loader(jar)) {
            assertThatThrownBy(() -> InstalledFunctions.of(loader))
                    .isInstanceOf(ManifestException.class)
                    .hasMessageContaining(expected);
        }
    }

    @Test
    void anotherFormatIsRefused() throws Exception {
        Path jar = write("f.jar", "dddd", "{'format':2,'build':'dddd','functions':[]}");
        try (URLClassLoader loader = loader(jar)) {
            assertThatThrownBy(() -> InstalledFunctions.of(loader))
                    .isInstanceOf(ManifestException.class)
                    .hasMessageContaining("format 2, but these classes read 1");
        }
    }

    @Test
    void aClassWithoutItsJarSaysSo() throws Exception {
        try (URLClassLoader loader = new URLClassLoader(new URL[0], null)) {
            assertThatThrownBy(() -> BuildManifest.load(loader, "eeee"))
                    .isInstanceOf(ManifestException.class)
                    .hasMessageContainingAll("META-INF/drey/eeee/manifest.json", "rest of the jar");
        }
    }

    private static URLClassLoader loader(Path... jars) throws IOException {
        URL[] urls = new URL[jars.length];
        for (int i = 0; i < jars.length; i++) {
            urls[i] = jars[i].toUri().toURL();
        }
        return new URLClassLoader(urls, null);
    }

    private Path jar(String name, String build, String functions) throws IOException {
        return write(
                name,
                build,
                "{'format':1,'build':'" + build + "','functions':[" + functions + "]}");
    }

    private Path write(String name, String build, String manifest) throws IOException {
        Path jar = dir.resolve(name);
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            out.putNextEntry(new JarEntry("META-INF/drey/build"));
            out.write((build + "\n").getBytes(StandardCharsets.UTF_8));
            out.putNextEntry(new JarEntry("META-INF/drey/" + build + "/manifest.json"));
            out.write(manifest.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
        }
        return jar;
    }
}
