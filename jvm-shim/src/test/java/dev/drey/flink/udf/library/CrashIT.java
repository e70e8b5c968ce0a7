package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.library.nativetest.ChildJvm;
import dev.drey.flink.udf.library.nativetest.CrashOnPurpose;
import dev.drey.flink.udf.library.nativetest.FaultLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What ends any Go process ends this one too, but not without a word. */
class CrashIT {
    private static final int ABORTED = 134;

    @TempDir Path temp;

    private ChildJvm.Result run(String function) throws Exception {
        return new ChildJvm(ChildJvm.current())
                .with(FaultLibrary.variant("1").folder())
                .withTests()
                .option("-XX:-CreateCoredumpOnCrash")
                .option("-XX:ErrorFile=" + temp.resolve("hs_err.log"))
                .run(CrashOnPurpose.class, temp.toString(), function);
    }

    private List<Path> crashFiles() throws IOException {
        try (Stream<Path> files = Files.list(temp)) {
            return files.filter(f -> f.getFileName().toString().startsWith("drey-crash-"))
                    .collect(Collectors.toList());
        }
    }

    @Test
    void panicInAGoroutineLeavesAllStacks() throws Exception {
        ChildJvm.Result end = run("panic_in_bare_goroutine");
        assertThat(end.exit()).as(end.toString()).isEqualTo(ABORTED);
        assertThat(crashFiles()).hasSize(1);
        assertThat(end.out().trim()).isEqualTo(crashFiles().get(0).toString());
        assertThat(Files.readString(crashFiles().get(0)))
                .contains("panic: nobody can catch this", "faults.panicInBareGoroutine.func1")
                .as("the stack of the call itself")
                .contains("faults.panicInBareGoroutine({");
    }

    @Test
    void endOfTheCallsGoroutineNamesTheFunction() throws Exception {
        ChildJvm.Result end = run("goexit");
        assertThat(end.exit()).as(end.toString()).isNotZero();
        assertThat(crashFiles()).hasSize(1);
        assertThat(Files.readString(crashFiles().get(0)))
                .contains("function goexit called runtime.Goexit", "return an error instead");
    }

    @Test
    void goodProcessLeavesNoFile() throws Exception {
        ChildJvm.Result end = run("plus_one");
        assertThat(end.exit()).as(end.toString()).isZero();
        assertThat(end.out()).contains("drey-crash-").endsWith("\n2\n");
        assertThat(crashFiles()).isEmpty();
    }
}
