package dev.drey.flink.udf.library.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.library.LibrarySettings;
import java.nio.file.Paths;
import java.util.Map;

/**
 * Two Go runtimes in one process. Each has put its signal handlers before those that it found: a
 * fault in the first passes through the second's, and one of Java through both.
 */
public final class TwoBuildsScenarios {
    private TwoBuildsScenarios() {}

    /**
     * Results, a folder for libraries, and the two builds in the order in which they are loaded.
     */
    public static void main(String[] args) throws Exception {
        LibrarySettings settings = LibrarySettings.builder().libraryDir(Paths.get(args[1])).build();
        ClassLoader loader = TwoBuildsScenarios.class.getClassLoader();
        GoLibrary first = GoLibrary.load(loader, args[2], settings);
        try (GoCall call = first.open(Map.of("function", "plus_one"))) {
            assertThat(call.fixed(0, 1, 0, 0, 0)).isEqualTo(2);
        }
        GoLibrary second = GoLibrary.load(loader, args[3], settings);
        assertThat(GoLibrary.runtimes()).isEqualTo(2);
        Scenarios all = new Scenarios();
        new ProcessScenarios(first, second).addFaultsTo(all, "the first: ");
        new ProcessScenarios(second, first).addFaultsTo(all, "the second: ");
        all.add(
                "each counts for itself",
                () -> {
                    assertThat(first.stats()).contains("\"nil_dereference\":{\"open\":0");
                    assertThat(second.stats()).contains("\"nil_dereference\":{\"open\":0");
                });
        all.run(Scenarios.resultsFile(args));
    }
}
