package dev.drey.flink.udf.subject;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Jars of the Go packages below {@code udf-bridge/internal/subject}, built by the real
 * go-udf-builder out of this module's jar. They stay in {@code target/subjects} and are built again
 * when a source is newer.
 */
public final class SubjectJar {
    private static final Path MODULE = Paths.get("").toAbsolutePath();
    private static final Path REPOSITORY = MODULE.getParent();

    private static final Path SOURCES = REPOSITORY.resolve("udf-bridge/internal/subject");
    private static final Path SUBJECTS = MODULE.resolve("target/subjects");

    private SubjectJar() {}

    /** The jar of a subject. */
    public static synchronized Path of(String subject) throws Exception {
        return build(SUBJECTS.resolve(subject + ".jar"), SOURCES.resolve(subject));
    }

    /** A jar with so many functions, echo_0 and so on, that return what they get. */
    public static synchronized Path random(long seed, int functions) throws Exception {
        // The underscore keeps what is generated out of ./... of the module.
        Path source = SUBJECTS.resolve("_random" + seed + "/random");
        Path file = source.resolve("random.go");
        String go = new RandomGo(seed).source(functions);
        Files.createDirectories(source);
        if (!Files.exists(file) || !Files.readString(file).equals(go)) {
            Files.writeString(file, go);
        }
        return build(SUBJECTS.resolve("random" + seed + ".jar"), source);
    }

    private static Path build(Path jar, Path source) throws IOException, InterruptedException {
        Path base = base();
        if (!isFresh(jar, base, source)) {
            Files.createDirectories(jar.getParent());
            run(
                    List.of(
                            "go",
                            "run",
                            "./udf-bridge/cmd/go-udf-builder",
                            "build",
                            "-q",
                            "--shim-jar",
                            base.toString(),
                            "-o",
                            jar.toString(),
                            "./" + REPOSITORY.relativize(source)));
        }
        return jar;
    }

    /** The module's own jar, which Maven packages before the integration tests. */
    private static Path base() throws IOException {
        try (Stream<Path> files = Files.list(MODULE.resolve("target"))) {
            return files.filter(f -> f.getFileName().toString().startsWith("go-udf-bridge-"))
                    .filter(f -> f.toString().endsWith("SNAPSHOT.jar"))
                    .findFirst()
                    .orElseThrow(
                            () ->
                                    new IllegalStateException(
                                            "no jar in target/; run mvn -pl jvm-shim verify"));
        }
    }

    private static boolean isFresh(Path jar, Path base, Path source) throws IOException {
        if (!Files.exists(jar)) {
            return false;
        }
        FileTime built = Files.getLastModifiedTime(jar);
        List<Path> sources = new ArrayList<>(List.of(base, REPOSITORY.resolve("go.mod")));
        for (Path dir :
                List.of(
                        source,
                        REPOSITORY.resolve("udf-bridge"),
                        REPOSITORY.resolve("jvm-shim/src/main/c"))) {
            try (Stream<Path> files = Files.walk(dir)) {
                files.filter(Files::isRegularFile).forEach(sources::add);
            }
        }
        for (Path file : sources) {
            if (Files.getLastModifiedTime(file).compareTo(built) > 0) {
                return false;
            }
        }
        return true;
    }

    private static void run(List<String> command) throws IOException, InterruptedException {
        File log = File.createTempFile("go-udf-builder", ".log");
        try {
            int exit =
                    new ProcessBuilder(command)
                            .directory(REPOSITORY.toFile())
                            .redirectErrorStream(true)
                            .redirectOutput(log)
                            .start()
                            .waitFor();
            assertThat(exit)
                    .as("%s\n%s", String.join(" ", command), Files.readString(log.toPath()))
                    .isZero();
        } finally {
            Files.delete(log.toPath());
        }
    }
}
