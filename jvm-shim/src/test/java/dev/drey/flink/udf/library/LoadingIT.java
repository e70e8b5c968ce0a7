package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.drey.flink.udf.library.nativetest.ChildJvm;
import dev.drey.flink.udf.library.nativetest.FaultLibrary;
import dev.drey.flink.udf.library.nativetest.LoadOnce;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What stands between a jar and a Go library in the process: each obstacle says what to do next.
 */
class LoadingIT {
    private static final String LOADED = "variant 1\n";

    private final FaultLibrary good = FaultLibrary.variant("1");

    @TempDir Path temp;

    private Path libraryDir() throws IOException {
        return Files.createDirectories(temp.resolve("libraries"));
    }

    private ChildJvm jvm(FaultLibrary library) {
        return new ChildJvm(ChildJvm.current()).with(library.folder()).withTests();
    }

    private String load(ChildJvm jvm, String... args) throws Exception {
        List<String> all = new ArrayList<>(List.of("drey.udf.library-dir=" + libraryDir()));
        all.addAll(List.of(args));
        ChildJvm.Result end = jvm.run(LoadOnce.class, all.toArray(new String[0]));
        assertThat(end.exit()).as(end.toString()).isZero();
        return end.out();
    }

    private FaultLibrary changed(FaultLibrary.Change change) throws IOException {
        return good.changed(temp.resolve("changed"), change);
    }

    private String loadChanged(FaultLibrary.Change change) throws Exception {
        return load(jvm(changed(change)));
    }

    private Path cached() throws IOException {
        try (Stream<Path> files = Files.walk(libraryDir())) {
            List<Path> found =
                    files.filter(f -> f.endsWith("libgo_udf.so")).collect(Collectors.toList());
            assertThat(found).hasSize(1);
            return found.get(0);
        }
    }

    private List<String> cachedFiles() throws IOException {
        try (Stream<Path> files = Files.walk(libraryDir())) {
            return files.filter(Files::isRegularFile)
                    .map(f -> f.getFileName().toString())
                    .collect(Collectors.toList());
        }
    }

    @Test
    void unpacksOnceAndLeavesNothingElse() throws Exception {
        assertThat(load(jvm(good))).isEqualTo(LOADED);
        Path library = cached();
        assertThat(library.getParent()).hasFileName(good.sha256());
        assertThat(library.getParent().getParent().getFileName().toString())
                .isEqualTo("drey-" + Files.getAttribute(temp, "unix:uid"));
        assertThat(
                        PosixFilePermissions.toString(
                                Files.getPosixFilePermissions(library.getParent())))
                .isEqualTo("rwx------");
        Object inode = Files.getAttribute(library, "unix:ino");
        assertThat(load(jvm(good))).isEqualTo(LOADED);
        assertThat(Files.getAttribute(cached(), "unix:ino")).isEqualTo(inode);
        assertThat(cachedFiles()).containsExactly("libgo_udf.so");
    }

    @Test
    void manyProcessesUnpackAtOnce() throws Exception {
        List<ChildJvm.Running> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            all.add(jvm(good).start(LoadOnce.class, "drey.udf.library-dir=" + libraryDir()));
        }
        for (ChildJvm.Running one : all) {
            assertThat(one.end().out()).isEqualTo(LOADED);
        }
        assertThat(cachedFiles()).containsExactly("libgo_udf.so");
    }

    @Test
    void noBuildOnTheClassPath() throws Exception {
        ChildJvm without = new ChildJvm(ChildJvm.current()).withTests();
        assertThat(load(without)).contains("META-INF/drey/build", "go-udf-builder build");
        assertThat(load(without, "0000000000000000"))
                .contains("no META-INF/drey/0000000000000000/libraries.properties", "USING JAR");
    }

    @Test
    void missingLibrary() throws Exception {
        assertThat(loadChanged((files, list) -> Files.delete(library(files))))
                .contains("GoLibraryException", "the jar has no META-INF/drey/", "build it again");
    }

    @Test
    void libraryTamperedWithInTheJar() throws Exception {
        assertThat(loadChanged((files, list) -> flip(library(files))))
                .contains("SHA-256", good.sha256(), "was changed after it was built");
        assertThat(cachedFiles()).isEmpty();
    }

    @Test
    void shimTamperedWithInTheJar() throws Exception {
        assertThat(loadChanged((files, list) -> flip(shim(files))))
                .contains("libdrey_shim.so", "SHA-256", "was changed after it was built");
    }

    @Test
    void listOfLibrariesTamperedWith() throws Exception {
        assertThat(
                        loadChanged(
                                (files, list) ->
                                        list.put(
                                                FaultLibrary.platform() + ".library.sha256",
                                                "../../../../etc")))
                .contains("libraries.properties is damaged");
    }

    @Test
    void libraryTamperedWithInTheFolder() throws Exception {
        assertThat(load(jvm(good))).isEqualTo(LOADED);
        flip(cached());
        assertThat(load(jvm(good)))
                .contains("was changed after it was unpacked", "remove " + cached().getParent());
        Files.delete(cached());
        assertThat(load(jvm(good))).isEqualTo(LOADED);
    }

    @Test
    void libraryThatOthersMayWrite() throws Exception {
        assertThat(load(jvm(good))).isEqualTo(LOADED);
        Files.setPosixFilePermissions(cached(), PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThat(load(jvm(good))).contains("was changed after it was unpacked", "777");
    }

    @Test
    void libraryThatIsALink() throws Exception {
        assertThat(load(jvm(good))).isEqualTo(LOADED);
        Path library = cached();
        Files.createSymbolicLink(library, Files.move(library, temp.resolve("elsewhere.so")));
        assertThat(load(jvm(good))).contains("was changed after it was unpacked");
    }

    @Test
    void folderThatOthersMayWrite() throws Exception {
        assertThat(load(jvm(good))).isEqualTo(LOADED);
        Path own = cached().getParent().getParent();
        Files.setPosixFilePermissions(own, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThat(load(jvm(good)))
                .contains(own + " is not a folder of user", "777", "drey.udf.library-dir");
    }

    @Test
    void folderThatIsALink() throws Exception {
        Path elsewhere = Files.createDirectory(temp.resolve("elsewhere"));
        Path own = libraryDir().resolve("drey-" + Files.getAttribute(temp, "unix:uid"));
        Files.createSymbolicLink(own, elsewhere);
        assertThat(load(jvm(good))).contains(own + " is not a folder of user");
        assertThat(elsewhere).isEmptyDirectory();
    }

    @Test
    void folderOfSomebodyElse() throws Exception {
        assumeThat((Integer) Files.getAttribute(temp, "unix:uid"))
                .as("only root can give a folder away")
                .isZero();
        Path own = Files.createDirectory(libraryDir().resolve("drey-0"));
        Files.setPosixFilePermissions(own, PosixFilePermissions.fromString("rwx------"));
        Files.setAttribute(own, "unix:uid", 65534);
        assertThat(load(jvm(good))).contains(own + " is not a folder of user 0", "owner 65534");
    }

    @Test
    void folderThatDoesNotExist() throws Exception {
        Path none = temp.resolve("none");
        assertThat(load(jvm(good), "drey.udf.library-dir=" + none))
                .contains("the folder " + none + " does not exist", "drey.udf.library-dir");
    }

    @Test
    void readOnlyFolder() throws Exception {
        assumeThat(ChildJvm.canMount()).as("no mount namespaces on this machine").isTrue();
        assertThat(load(jvm(good).mounted(libraryDir(), "ro")))
                .contains("cannot unpack", "Read-only file system", "drey.udf.library-dir");
    }

    @Test
    void folderWithoutExecution() throws Exception {
        assumeThat(ChildJvm.canMount()).as("no mount namespaces on this machine").isTrue();
        assertThat(load(jvm(good).mounted(libraryDir(), "noexec")))
                .contains("mounted noexec", "drey.udf.library-dir");
    }

    @Test
    void jarOfAnotherArchitecture() throws Exception {
        String other =
                FaultLibrary.platform().equals("linux-amd64") ? "linux-arm64" : "linux-amd64";
        assertThat(
                        loadChanged(
                                (files, list) -> {
                                    List.copyOf(list.keySet()).stream()
                                            .filter(key -> key.startsWith("linux-"))
                                            .forEach(
                                                    key ->
                                                            list.put(
                                                                    key.replace(
                                                                            FaultLibrary.platform(),
                                                                            other),
                                                                    list.remove(key)));
                                }))
                .contains(
                        "Go libraries for [" + other + "]",
                        "this machine is " + FaultLibrary.platform(),
                        "--platform " + FaultLibrary.platform().replace('-', '/'),
                        "sidecar");
    }

    @Test
    void libraryOfAnotherArchitectureUnderTheNameOfThisOne() throws Exception {
        assertThat(
                        loadChanged(
                                (files, list) -> {
                                    byte[] elf = Files.readAllBytes(library(files));
                                    elf[18] = (byte) 0xf3; // RISC-V
                                    elf[19] = 0;
                                    Files.write(library(files), elf);
                                    FaultLibrary.add(list, "library", library(files));
                                }))
                .contains("is for ELF machine 243", "build the jar again");
    }

    @Test
    void fileThatIsNoLibrary() throws Exception {
        assertThat(
                        loadChanged(
                                (files, list) -> {
                                    Files.writeString(library(files), "not a library");
                                    FaultLibrary.add(list, "library", library(files));
                                }))
                .contains("is no ELF file", "build the jar again");
    }

    @Test
    void libraryWithoutTheFunctions() throws Exception {
        assertThat(loadChanged((files, list) -> compile(files, list, "int nothing;")))
                .contains("cannot load", "drey_abi");
    }

    @Test
    void jarOfAnotherAbi() throws Exception {
        assertThat(loadChanged((files, list) -> list.put("abi", "2.1")))
                .contains("version 2.1 of Drey's C interface", "have 1.0", "build the jar again");
        assertThat(cachedFiles()).isEmpty();
    }

    @Test
    void libraryOfAnotherAbi() throws Exception {
        StringBuilder code = new StringBuilder("unsigned drey_abi(void) { return 0x20001; }\n");
        for (String name :
                List.of(
                        "thread",
                        "init",
                        "open",
                        "call",
                        "fetch",
                        "error",
                        "call_fixed",
                        "close",
                        "describe",
                        "stats")) {
            code.append("void drey_").append(name).append("(void) {}\n");
        }
        assertThat(loadChanged((files, list) -> compile(files, list, code.toString())))
                .contains("version 2.1 of Drey's C interface", "have 1.0");
    }

    @Test
    void shimOfOtherClasses() throws Exception {
        assertThat(
                        loadChanged(
                                (files, list) -> {
                                    FaultLibrary.compileShim(shim(files), "-DPROTOCOL=2");
                                    FaultLibrary.add(list, "shim", shim(files));
                                }))
                .contains("protocol 2", "protocol 1", "two versions of Drey");
    }

    @Test
    void libjsigPreloaded() throws Exception {
        Path jsig = Paths.get(System.getProperty("java.home"), "lib", "libjsig.so");
        ChildJvm jvm = jvm(good).environment("LD_PRELOAD", jsig.toString());
        assertThat(load(jvm)).contains("libjsig is preloaded", "take libjsig out of LD_PRELOAD");
        assertThat(cachedFiles()).isEmpty();
    }

    @Test
    void libjsigPreloadedUnderAnotherName() throws Exception {
        Path jsig = Paths.get(System.getProperty("java.home"), "lib", "libjsig.so");
        Path renamed = Files.copy(jsig, temp.resolve("signals.so"));
        ChildJvm jvm = jvm(good).environment("LD_PRELOAD", renamed.toString());
        assertThat(load(jvm)).contains("libjsig is preloaded");
    }

    @Test
    void twoBuildsSideBySide() throws Exception {
        FaultLibrary second = FaultLibrary.variant("2");
        assertThat(load(jvm(good).with(second.folder()), good.build(), second.build()))
                .isEqualTo("variant 1\nvariant 2\n");
    }

    @Test
    void noMoreRuntimesThanAllowed() throws Exception {
        FaultLibrary second = FaultLibrary.variant("2");
        String said =
                load(
                        jvm(good).with(second.folder()),
                        "drey.udf.max-runtimes=1",
                        good.build(),
                        second.build(),
                        good.build());
        assertThat(said.lines()).hasSize(3).first().isEqualTo("variant 1");
        assertThat(said.lines()).last().isEqualTo("variant 1");
        assertThat(said)
                .contains(
                        "already holds 1 Go libraries",
                        "restart the TaskManager",
                        "drey.udf.max-runtimes");
    }

    @Test
    void registrationThatPanics() throws Exception {
        String said = load(jvm(FaultLibrary.variant("broken")));
        assertThat(said).contains("GoLibraryException", "told to break", "main.go");
    }

    @Test
    void registrationThatReadsAWildPointer() throws Exception {
        String said = load(jvm(FaultLibrary.variant("wild")));
        assertThat(said).contains("GoLibraryException", "invalid memory address", "main.go");
    }

    @Test
    void limitsAreThoseOfTheFirstLoad() throws Exception {
        String said =
                load(
                        jvm(good),
                        "function=limits",
                        "drey.udf.gomaxprocs=3",
                        "drey.udf.memory-limit=1073741824",
                        "drey.udf.gogc=50",
                        good.build(),
                        "drey.udf.gomaxprocs=1",
                        good.build());
        assertThat(said.lines())
                .hasSize(2)
                .allSatisfy(
                        line ->
                                assertThat(line)
                                        .startsWith("3 threads, 1073741824 bytes, 50 percent; ")
                                        .contains("gogc=50", "gomaxprocs=3")
                                        .contains("memory_limit=1073741824"));
        assertThat(load(jvm(good), "function=limits"))
                .contains(" threads, 9223372036854775807 bytes, 100 percent; ")
                .doesNotContain("memory_limit", "gogc");
    }

    @Test
    void settingThatIsNone() throws Exception {
        assertThat(load(jvm(good), "drey.udf.gogc=many")).contains("gogc is \"many\"");
    }

    @Test
    void settingThatIsNoneIsOfOneJobOnly() throws Exception {
        String said =
                load(
                        jvm(good),
                        "drey.udf.gogc=many",
                        good.build(),
                        "drey.udf.gogc=50",
                        "drey.udf.crash-dir=" + temp.resolve("none"),
                        good.build(),
                        "drey.udf.crash-dir=" + temp,
                        good.build());
        assertThat(said.lines()).hasSize(3).last().isEqualTo("variant 1");
        assertThat(said).contains("gogc is \"many\"", "set drey.udf.crash-dir to a folder");
    }

    @Test
    void folderOfTheLogThatCannotBeWritten() throws Exception {
        assumeThat(ChildJvm.canMount()).as("no mount namespaces on this machine").isTrue();
        Path logs = Files.createDirectory(temp.resolve("logs"));
        assertThat(load(jvm(good).mounted(logs, "ro"), "log-dir=" + logs)).isEqualTo(LOADED);
        assertThat(load(jvm(good).mounted(logs, "ro"), "drey.udf.crash-dir=" + logs))
                .contains("read-only file system", "set drey.udf.crash-dir to a folder");
    }

    private static Path library(Path resources) {
        return resources.resolve(FaultLibrary.platform()).resolve("libgo_udf.so");
    }

    private static Path shim(Path resources) {
        return resources.resolve(FaultLibrary.platform()).resolve("libdrey_shim.so");
    }

    private static void flip(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length / 2] ^= 1;
        Files.write(file, bytes);
    }

    private void compile(Path resources, Map<String, String> list, String code) throws IOException {
        Path source = Files.writeString(temp.resolve("library.c"), code);
        FaultLibrary.compile(library(resources), source);
        FaultLibrary.add(list, "library", library(resources));
    }
}
