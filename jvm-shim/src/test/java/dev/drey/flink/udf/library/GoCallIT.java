package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.drey.flink.udf.library.nativetest.CallScenarios;
import dev.drey.flink.udf.library.nativetest.ChildJvm;
import dev.drey.flink.udf.library.nativetest.FaultLibrary;
import dev.drey.flink.udf.library.nativetest.Scenarios;
import dev.drey.flink.udf.library.nativetest.TwoBuildsScenarios;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Calls of a Go library in a real JVM: those that go wrong are exceptions, and the JVM goes on. */
class GoCallIT {
    private static final String LAST = "a good call in the end";

    @TempDir Path temp;

    @TestFactory
    List<DynamicContainer> everyCallEndsInAResultOrAnException() throws Exception {
        List<DynamicContainer> all = new ArrayList<>();
        for (ChildJvm.Jdk jdk : ChildJvm.installed()) {
            Path results = temp.resolve("results" + jdk.version());
            ChildJvm.Result end =
                    jvm(jdk).option("-XX:-OmitStackTraceInFastThrow")
                            .run(
                                    CallScenarios.class,
                                    results.toString(),
                                    "drey.udf.library-dir=" + temp);
            all.add(dynamicContainer(jdk.toString(), Scenarios.tests(results, end, LAST)));
        }
        return all;
    }

    /** Two Go libraries in one JVM, called by several threads, with faults of all three. */
    @TestFactory
    List<DynamicContainer> twoBuildsSideBySide() throws Exception {
        FaultLibrary first = FaultLibrary.variant("1");
        FaultLibrary second = FaultLibrary.variant("2");
        List<DynamicContainer> all = new ArrayList<>();
        for (ChildJvm.Jdk jdk : ChildJvm.installed()) {
            Path results = temp.resolve("two" + jdk.version());
            ChildJvm.Result end =
                    jvm(jdk).with(second.folder())
                            .option("-XX:-OmitStackTraceInFastThrow")
                            .run(
                                    TwoBuildsScenarios.class,
                                    results.toString(),
                                    temp.toString(),
                                    first.build(),
                                    second.build());
            all.add(
                    dynamicContainer(
                            jdk.toString(),
                            Scenarios.tests(results, end, "each counts for itself")));
        }
        return all;
    }

    /** The JVM's own checks of what the shim does with it. */
    @TestFactory
    List<DynamicContainer> checkedJniFindsNothingButTheHandlersOfGo() throws Exception {
        List<DynamicContainer> all = new ArrayList<>();
        for (ChildJvm.Jdk jdk : ChildJvm.installed()) {
            all.add(dynamicContainer(jdk.toString(), checkedJni(jdk)));
        }
        return all;
    }

    private List<DynamicTest> checkedJni(ChildJvm.Jdk jdk) throws Exception {
        Path results = temp.resolve("checked" + jdk.version());
        ChildJvm.Result end =
                jvm(jdk).option("-Xcheck:jni")
                        .option("-XX:TieredStopAtLevel=1")
                        .run(
                                CallScenarios.class,
                                results.toString(),
                                "drey.udf.library-dir=" + temp);
        List<DynamicTest> all = Scenarios.tests(results, end, LAST);
        all.add(
                dynamicTest(
                        "warnings",
                        () -> {
                            String said = end.out() + end.err();
                            assertThat(said).contains("SIGSEGV handler modified!");
                            assertThat(said.lines())
                                    .filteredOn(line -> !line.isBlank())
                                    .as("what is not about signal handlers")
                                    .allMatch(GoCallIT::isOfSignalHandlers);
                        }));
        return all;
    }

    /** The documented warnings: Go puts its handlers before the JVM's, and calls those. */
    private static boolean isOfSignalHandlers(String line) {
        return line.matches(
                "Warning: SIG[A-Z0-9]+ handler modified!"
                        + "|Signal Handlers:"
                        + "| *SIG[A-Z0-9]+: .*"
                        + "| *\\*\\*\\* Handler was modified!"
                        + "| *\\*\\*\\* Expected: .*"
                        + "|Consider using jsig library\\.");
    }

    private static ChildJvm jvm(ChildJvm.Jdk jdk) {
        return new ChildJvm(jdk).with(FaultLibrary.variant("1").folder()).withTests();
    }
}
