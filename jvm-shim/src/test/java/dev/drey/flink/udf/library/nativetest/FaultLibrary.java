package dev.drey.flink.udf.library.nativetest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The package {@code udf-bridge/internal/subject/faults} as a library, with the C shim, in a folder
 * laid out as a jar: what goes beside Drey's classes on a class path. Needs Go and a C compiler.
 * Built directly and not by go-udf-builder, which refuses such functions.
 */
public final class FaultLibrary {
    private static final Path MODULE = Paths.get("").toAbsolutePath();
    private static final Path REPOSITORY = MODULE.getParent();
    private static final Path TARGET = MODULE.resolve("target/native");
    private static final Map<String, FaultLibrary> BUILT = new TreeMap<>();

    private final Path folder;
    private final String build;
    private final Map<String, String> list;

    private FaultLibrary(Path folder, String build, Map<String, String> list) {
        this.folder = folder;
        this.build = build;
        this.list = list;
    }

    /** The library of that variant: each has its own hash. */
    public static synchronized FaultLibrary variant(String variant) {
        return BUILT.computeIfAbsent(variant, FaultLibrary::build);
    }

    /** A folder for a class path. */
    public Path folder() {
        return folder;
    }

    /** Id of the build. */
    public String build() {
        return build;
    }

    /** SHA-256 of the Go library. */
    public String sha256() {
        return list.get(platform() + ".library.sha256");
    }

    /** The folder in which the libraries of the build are listed. */
    public Path resources() {
        return folder.resolve("META-INF/drey").resolve(build);
    }

    /** A copy to change, with its list of libraries replaced by that of {@code change}. */
    public FaultLibrary changed(Path to, Change change) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path from : (Iterable<Path>) files::iterator) {
                Files.copy(from, to.resolve(folder.relativize(from).toString()));
            }
        }
        Map<String, String> changed = new TreeMap<>(list);
        FaultLibrary copy = new FaultLibrary(to, build, changed);
        change.make(copy.resources(), changed);
        write(copy.resources(), changed);
        return copy;
    }

    /** What is different in a copy: the files, and the entries of {@code libraries.properties}. */
    public interface Change {
        /** Makes it. */
        void make(Path resources, Map<String, String> list) throws IOException;
    }

    /** This machine as a jar names it. */
    public static String platform() {
        return System.getProperty("os.arch").equals("aarch64") ? "linux-arm64" : "linux-amd64";
    }

    private static FaultLibrary build(String variant) {
        try {
            Path folder = TARGET.resolve(variant);
            Path natives = Files.createDirectories(folder.resolve(platform()));
            Path library = natives.resolve("libgo_udf.so");
            run(
                    "go",
                    "build",
                    "-buildmode=c-shared",
                    "-trimpath",
                    "-ldflags",
                    "-s -w -buildid= -X main.variant=" + variant + " -extldflags '-Wl,-z,now'",
                    "-o",
                    library.toString(),
                    "./udf-bridge/internal/subject/faults/library");
            Path shim = natives.resolve("libdrey_shim.so");
            compileShim(shim);
            return layOut(folder, library, shim);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Compiles the C shim, with further options of the compiler. */
    public static void compileShim(Path to, String... options) throws IOException {
        Path jni = Paths.get(System.getProperty("java.home")).resolve("include");
        List<String> command = compiler();
        command.addAll(List.of("-Wall", "-Wextra", "-Werror", "-I", "udf-bridge/bridge"));
        command.addAll(List.of("-I", jni.toString(), "-I", jni.resolve("linux").toString()));
        command.addAll(List.of(options));
        command.addAll(List.of("-o", to.toString()));
        try (Stream<Path> files = Files.list(REPOSITORY.resolve("jvm-shim/src/main/c"))) {
            files.map(Path::toString).filter(f -> f.endsWith(".c")).sorted().forEach(command::add);
        }
        command.addAll(List.of("-ldl", "-lpthread"));
        run(command.toArray(new String[0]));
    }

    /** Compiles one C file into a library. */
    public static void compile(Path to, Path source) throws IOException {
        List<String> command = compiler();
        command.addAll(List.of("-fvisibility=default", "-o", to.toString(), source.toString()));
        run(command.toArray(new String[0]));
    }

    /**
     * Compiles and runs a program of C files of this repository.
     *
     * @param sanitizers of the compiler, as {@code undefined}
     * @return what it prints
     */
    public static String runProgram(Path temp, String sanitizers, String... files)
            throws IOException {
        Path jni = Paths.get(System.getProperty("java.home")).resolve("include");
        Path program = temp.resolve("program");
        List<String> command =
                new ArrayList<>(List.of("cc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra"));
        command.addAll(List.of("-fsanitize=" + sanitizers, "-fno-sanitize-recover"));
        command.addAll(List.of("-Wno-deprecated-declarations", "-I", "udf-bridge/bridge"));
        command.addAll(List.of("-I", jni.toString(), "-I", jni.resolve("linux").toString()));
        command.addAll(List.of("-I", "jvm-shim/src/main/c", "-o", program.toString()));
        command.addAll(List.of(files));
        command.add("-lpthread");
        run(command.toArray(new String[0]));
        return run(program.toString());
    }

    private static List<String> compiler() {
        return new ArrayList<>(
                List.of(
                        "cc",
                        "-std=c11",
                        "-O2",
                        "-fPIC",
                        "-shared",
                        "-fvisibility=hidden",
                        "-Wl,-z,now"));
    }

    private static FaultLibrary layOut(Path folder, Path library, Path shim) throws IOException {
        Map<String, String> list = new TreeMap<>();
        list.put("abi", "1.0");
        add(list, "library", library);
        add(list, "shim", shim);
        String build = list.get(platform() + ".library.sha256").substring(0, 16);
        Path root = Files.createDirectories(TARGET.resolve("jars").resolve(build));
        Path resources = root.resolve("META-INF/drey").resolve(build);
        Path natives = Files.createDirectories(resources.resolve(platform()));
        copy(library, natives);
        copy(shim, natives);
        Files.writeString(root.resolve("META-INF/drey/build"), build);
        write(resources, list);
        return new FaultLibrary(root, build, list);
    }

    private static void copy(Path file, Path to) throws IOException {
        Path copy = to.resolve(file.getFileName());
        Files.deleteIfExists(copy);
        Files.copy(file, copy);
    }

    /** Lists a file of this platform, with its hash. */
    public static void add(Map<String, String> list, String what, Path file) throws IOException {
        list.put(platform() + "." + what, platform() + "/" + file.getFileName());
        list.put(platform() + "." + what + ".sha256", sha256(file));
    }

    /** SHA-256 of a file, in hexadecimal. */
    public static String sha256(Path file) throws IOException {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
            StringBuilder hex = new StringBuilder();
            for (byte b : hash) {
                hex.append(String.format("%02x", b));
            }
            return hex.toString();
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void write(Path resources, Map<String, String> list) throws IOException {
        StringBuilder text = new StringBuilder();
        list.forEach((key, value) -> text.append(key).append('=').append(value).append('\n'));
        Files.writeString(resources.resolve("libraries.properties"), text);
    }

    private static String run(String... command) throws IOException {
        Process process =
                new ProcessBuilder(command)
                        .directory(REPOSITORY.toFile())
                        .redirectErrorStream(true)
                        .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) {
                throw new IOException(String.join(" ", command) + "\n" + said);
            }
            return said;
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw new IOException(e);
        }
    }
}
