package dev.drey.flink.udf.library.nativetest;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A JVM of a test's own. */
public final class ChildJvm {
    private static final int PATIENCE_MINUTES = 5;

    /** In which this user is root, and mounts what nobody else sees. */
    private static final List<String> NAMESPACE = List.of("unshare", "--map-root-user", "--mount");

    private final Path java;
    private final int version;
    private final List<Path> classPath = new ArrayList<>();
    private final List<String> prefix = new ArrayList<>();
    private final List<String> options = new ArrayList<>();
    private final Map<String, String> environment = new TreeMap<>();
    private Path input;

    /** With that JDK, and nothing on its class path. */
    public ChildJvm(Jdk jdk) {
        this.java = jdk.java;
        this.version = jdk.version;
    }

    /** An installed JDK. */
    public static final class Jdk {
        private final Path java;
        private final int version;

        private Jdk(Path java, int version) {
            this.java = java;
            this.version = version;
        }

        /** The feature release, as 17. */
        public int version() {
            return version;
        }

        @Override
        public String toString() {
            return "JDK " + version;
        }
    }

    /** How a JVM ended. */
    public static final class Result {
        private final int exit;
        private final String out;
        private final String err;

        private Result(int exit, String out, String err) {
            this.exit = exit;
            this.out = out;
            this.err = err;
        }

        /** The exit code; 134 is an abort. */
        public int exit() {
            return exit;
        }

        /** What it wrote to standard output. */
        public String out() {
            return out;
        }

        /** What it wrote to standard error. */
        public String err() {
            return err;
        }

        @Override
        public String toString() {
            return "exit " + exit + "\n" + out + "\n" + err;
        }
    }

    /** The JDK of this JVM. */
    public static Jdk current() {
        return jdk(Paths.get(System.getProperty("java.home")));
    }

    /** The JDK of this JVM, and the newest one beside it if that is newer. */
    public static List<Jdk> installed() {
        Jdk current = current();
        TreeMap<Integer, Jdk> found = new TreeMap<>();
        Path beside = Paths.get(System.getProperty("java.home")).getParent();
        try (Stream<Path> homes = Files.list(beside)) {
            for (Path home : (Iterable<Path>) homes::iterator) {
                if (Files.isExecutable(home.resolve("bin/java"))
                        && Files.exists(home.resolve("release"))) {
                    Jdk jdk = jdk(home);
                    found.put(jdk.version, jdk);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<Jdk> all = new ArrayList<>(List.of(current));
        if (!found.isEmpty() && found.lastKey() > current.version) {
            all.add(found.lastEntry().getValue());
        }
        return all;
    }

    private static Jdk jdk(Path home) {
        Properties release = new Properties();
        try (InputStream in = Files.newInputStream(home.resolve("release"))) {
            release.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String version = release.getProperty("JAVA_VERSION").replace("\"", "");
        return new Jdk(home.resolve("bin/java"), Integer.parseInt(version.split("[.-]")[0]));
    }

    /** Adds to the class path. */
    public ChildJvm with(Path... entries) {
        classPath.addAll(List.of(entries));
        return this;
    }

    /** Adds the classes of this module, its tests, and what they are run with. */
    public ChildJvm withTests() {
        String path =
                System.getProperty(
                        "surefire.test.class.path", System.getProperty("java.class.path"));
        for (String entry : path.split(File.pathSeparator)) {
            classPath.add(Paths.get(entry));
        }
        return this;
    }

    /** Adds an option of the JVM. */
    public ChildJvm option(String option) {
        options.add(option);
        return this;
    }

    /**
     * Whether a file system can be mounted for a child alone: as root, or where users may have
     * namespaces of their own.
     */
    public static boolean canMount() throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(NAMESPACE);
        command.addAll(List.of("mount", "-t", "tmpfs", "tmpfs", System.getProperty("java.home")));
        try {
            return new ProcessBuilder(command).start().waitFor() == 0;
        } catch (IOException e) {
            return false; // there is no unshare
        }
    }

    /** Mounts an empty file system on a folder, which only the child sees. */
    public ChildJvm mounted(Path folder, String mountOptions) {
        prefix.addAll(NAMESPACE);
        prefix.addAll(List.of("sh", "-c"));
        prefix.add("mount -t tmpfs -o \"$1\" tmpfs \"$0\" && shift && exec \"$@\"");
        prefix.addAll(List.of(folder.toString(), mountOptions));
        return this;
    }

    /** Sets an environment variable. */
    public ChildJvm environment(String name, String value) {
        environment.put(name, value);
        return this;
    }

    /** What it reads on standard input. */
    public ChildJvm input(Path file) {
        input = file;
        return this;
    }

    /** Starts it. */
    public Running start(Class<?> main, String... args) throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(java.toString(), "-Xmx256m"));
        if (version >= 22) { // else each of them warns that it loads a library
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(options);
        List<String> entries = new ArrayList<>();
        classPath.forEach(entry -> entries.add(entry.toString()));
        command.addAll(List.of("-cp", String.join(File.pathSeparator, entries)));
        command.add(main.getName());
        command.addAll(List.of(args));
        Path out = Files.createTempFile("child", ".out");
        Path err = Files.createTempFile("child", ".err");
        ProcessBuilder builder =
                new ProcessBuilder(command)
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile());
        builder.environment().putAll(environment);
        if (input != null) {
            builder.redirectInput(input.toFile());
        }
        return new Running(builder.start(), out, err);
    }

    /** Runs it to its end. */
    public Result run(Class<?> main, String... args) throws IOException, InterruptedException {
        return start(main, args).end();
    }

    /** A JVM that runs. */
    public static final class Running {
        private final Process process;
        private final Path out;
        private final Path err;

        private Running(Process process, Path out, Path err) {
            this.process = process;
            this.out = out;
            this.err = err;
        }

        /** Its process id. */
        public long pid() {
            return process.pid();
        }

        /** Waits for its end. */
        public Result end() throws IOException, InterruptedException {
            try {
                if (!process.waitFor(PATIENCE_MINUTES, TimeUnit.MINUTES)) {
                    process.destroyForcibly().waitFor();
                }
                return new Result(
                        process.exitValue(),
                        Files.readString(out, StandardCharsets.UTF_8),
                        Files.readString(err, StandardCharsets.UTF_8));
            } finally {
                Files.delete(out);
                Files.delete(err);
            }
        }
    }
}
