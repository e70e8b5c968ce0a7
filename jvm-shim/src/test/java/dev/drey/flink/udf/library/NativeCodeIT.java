package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.library.nativetest.FaultLibrary;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The C code alone, without a JVM and without Go, with the compiler's sanitizers. */
class NativeCodeIT {
    @TempDir Path temp;

    @Test
    void textIsConvertedExactly() throws Exception {
        assertThat(
                        FaultLibrary.runProgram(
                                temp,
                                "address,undefined",
                                "jvm-shim/src/test/c/text_test.c",
                                "jvm-shim/src/main/c/drey_text.c"))
                .contains(" 0 wrong");
    }

    @Test
    void signalStacksLiveAsLongAsTheirThreads() throws Exception {
        assertThat(
                        FaultLibrary.runProgram(
                                temp,
                                "undefined", // that of addresses has signal stacks of its own
                                "jvm-shim/src/test/c/thread_test.c",
                                "udf-bridge/bridge/thread.c"))
                .contains("200 threads");
    }
}
