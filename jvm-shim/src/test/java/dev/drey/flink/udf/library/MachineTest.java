package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.GoLibraryException;
import java.nio.file.Paths;
import java.util.List;
import org.junit.jupiter.api.Test;

class MachineTest {
    private static final String GLIBC =
            "7f00-7f01 r-xp 00000000 fe:00 12     /usr/lib/x86_64-linux-gnu/libc.so.6";

    private static String map(String path) {
        return "7f12a4000000-7f12a4021000 r-xp 00000000 fe:00 1181     " + path;
    }

    @Test
    void glibcOnLinuxIsFine() {
        Machine machine = new Machine("Linux", "amd64", null, List.of(GLIBC, map("[heap]")));
        machine.check();
        assertThat(machine.platform()).isEqualTo("linux-amd64");
        assertThat(new Machine("Linux", "x86_64", "", List.of()).platform())
                .isEqualTo("linux-amd64");
        assertThat(new Machine("Linux", "aarch64", "", List.of()).platform())
                .isEqualTo("linux-arm64");
        assertThat(new Machine("Linux", "riscv64", "", List.of()).platform())
                .isEqualTo("linux-riscv64");
    }

    @Test
    void muslIsRefused() {
        for (String path : List.of("/lib/ld-musl-x86_64.so.1", "/lib/libc.musl-aarch64.so.1")) {
            assertThatThrownBy(
                            () -> new Machine("Linux", "amd64", null, List.of(map(path))).check())
                    .isInstanceOf(GoLibraryException.class)
                    .hasMessageContaining(path)
                    .hasMessageContaining("sidecar");
        }
    }

    @Test
    void libjsigIsRefused() {
        assertThatThrownBy(
                        () ->
                                new Machine("Linux", "amd64", null, List.of(map("/jdk/libjsig.so")))
                                        .check())
                .isInstanceOf(GoLibraryException.class)
                .hasMessageContaining("/jdk/libjsig.so")
                .hasMessageContaining("LD_PRELOAD");
        assertThatThrownBy(
                        () ->
                                new Machine("Linux", "amd64", "/x.so:/jdk/libjsig.so", List.of())
                                        .check())
                .hasMessageContaining("/x.so:/jdk/libjsig.so");
        new Machine("Linux", "amd64", "/usr/lib/libjemalloc.so.2", List.of(GLIBC)).check();
    }

    @Test
    void otherSystemsAreRefused() {
        assertThatThrownBy(() -> new Machine("Mac OS X", "aarch64", null, List.of()).check())
                .isInstanceOf(GoLibraryException.class)
                .hasMessageContaining("mac os x")
                .hasMessageContaining("sidecar");
    }

    @Test
    void librariesThatAreMappedAreCountedOnce() {
        Machine machine =
                new Machine(
                        "Linux",
                        "amd64",
                        null,
                        List.of(
                                map("/tmp/drey-0/aa/libgo_udf.so"),
                                map("/tmp/drey-0/aa/libgo_udf.so"),
                                map("/tmp/with space/bb/libgo_udf.so (deleted)"),
                                map("/tmp/other/my-libgo_udf.so"),
                                map("/tmp/drey-0/aa/libgo_udf.so.1")));
        assertThat(machine.mapped("libgo_udf.so"))
                .containsExactly(
                        Paths.get("/tmp/drey-0/aa/libgo_udf.so"),
                        Paths.get("/tmp/with space/bb/libgo_udf.so"));
    }
}
