package dev.drey.flink.udf.library.nativetest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;

/** What a JVM of its own runs, one after the other, and tells of in a file. */
public final class Scenarios {
    private static final String PASSED = "-";

    private final Map<String, Scenario> all = new LinkedHashMap<>();

    /** Something that throws if it is not as it should be. */
    public interface Scenario {
        /** Runs it. */
        void run() throws Throwable;
    }

    /** Adds one. */
    public Scenarios add(String name, Scenario scenario) {
        if (all.put(name, scenario) != null) {
            throw new IllegalArgumentException(name + " is there twice");
        }
        return this;
    }

    /** Runs all, and appends to the file what became of each as soon as it has ended. */
    public void run(Path results) throws IOException {
        for (Map.Entry<String, Scenario> scenario : all.entrySet()) {
            String failure = PASSED;
            try {
                scenario.getValue().run();
            } catch (Throwable e) {
                StringWriter trace = new StringWriter();
                e.printStackTrace(new PrintWriter(trace));
                failure =
                        Base64.getEncoder()
                                .encodeToString(trace.toString().getBytes(StandardCharsets.UTF_8));
            }
            Files.writeString(
                    results,
                    scenario.getKey() + "\t" + failure + "\n",
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        }
    }

    /** Failures by name; null where there is none. What did not run is not in it. */
    private static Map<String, String> read(Path results) throws IOException {
        Map<String, String> outcomes = new LinkedHashMap<>();
        if (Files.exists(results)) {
            for (String line : Files.readAllLines(results)) {
                String[] parts = line.split("\t");
                outcomes.put(
                        parts[0],
                        parts[1].equals(PASSED)
                                ? null
                                : new String(
                                        Base64.getDecoder().decode(parts[1]),
                                        StandardCharsets.UTF_8));
            }
        }
        return outcomes;
    }

    /** A test for each that ran, and one that all ran: the last, and that the JVM ended well. */
    public static List<DynamicTest> tests(Path results, ChildJvm.Result end, String last)
            throws IOException {
        Map<String, String> outcomes = read(results);
        List<DynamicTest> tests = new ArrayList<>();
        outcomes.forEach(
                (name, failure) ->
                        tests.add(
                                dynamicTest(
                                        name,
                                        () -> assertThat(failure).as(end.toString()).isNull())));
        tests.add(
                dynamicTest(
                        "the JVM lives",
                        () -> {
                            assertThat(end.exit()).as(end.toString()).isZero();
                            assertThat(outcomes).containsKey(last);
                        }));
        return tests;
    }

    /** The file that the first argument of a main names. */
    public static Path resultsFile(String[] args) {
        return Paths.get(args[0]);
    }
}
