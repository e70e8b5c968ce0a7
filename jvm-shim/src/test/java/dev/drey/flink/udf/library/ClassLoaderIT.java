package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;

import dev.drey.flink.udf.library.nativetest.ChildJvm;
import dev.drey.flink.udf.library.nativetest.ClassLoaderScenarios;
import dev.drey.flink.udf.library.nativetest.FaultLibrary;
import dev.drey.flink.udf.library.nativetest.Guest;
import dev.drey.flink.udf.library.nativetest.Scenarios;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** One Go runtime for any number of class loaders, none of which it holds. */
class ClassLoaderIT {
    @TempDir Path temp;

    @TestFactory
    List<DynamicContainer> manyClassLoadersShareOneRuntime() throws Exception {
        List<DynamicContainer> all = new ArrayList<>();
        for (ChildJvm.Jdk jdk : ChildJvm.installed()) {
            Path folder = Files.createDirectory(temp.resolve("jdk" + jdk.version()));
            Path results = temp.resolve("results" + jdk.version());
            ChildJvm.Result end =
                    new ChildJvm(jdk)
                            .withTests()
                            // With the whole heap touched, memory does not grow by the heap.
                            .option("-Xms256m")
                            .option("-XX:+AlwaysPreTouch")
                            .run(
                                    ClassLoaderScenarios.class,
                                    results.toString(),
                                    folder.toString(),
                                    FaultLibrary.variant("2").folder().toString(),
                                    classes(GoLibrary.class),
                                    classes(Guest.class),
                                    FaultLibrary.variant("1").folder().toString());
            all.add(
                    dynamicContainer(
                            jdk.toString(),
                            Scenarios.tests(
                                    results, end, "another build in classes that are shared")));
        }
        assertThat(all).isNotEmpty();
        return all;
    }

    private static String classes(Class<?> of) throws Exception {
        return Paths.get(of.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    }
}
