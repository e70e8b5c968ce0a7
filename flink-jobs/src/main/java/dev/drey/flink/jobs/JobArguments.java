package dev.drey.flink.jobs;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import javax.annotation.Nullable;
import org.apache.flink.util.ParameterTool;

/**
 * The {@code --key value} arguments of a job. A key that it does not know is an error, not a
 * default.
 */
public final class JobArguments {
    private static final List<String> COMMON =
            List.of(
                    "output-path",
                    "events",
                    "rate",
                    "follow",
                    "parallelism",
                    "print",
                    "via",
                    "go-jar");

    private final ParameterTool arguments;

    private JobArguments(ParameterTool arguments) {
        this.arguments = arguments;
    }

    /**
     * Reads arguments; {@code --drey.*} are the Go call's and left alone.
     *
     * @param more the job's own keys, besides those that every job has
     * @throws IllegalArgumentException a key is unknown; names the known ones
     */
    public static JobArguments parse(String[] args, String... more) {
        ParameterTool arguments = ParameterTool.fromArgs(args);
        TreeSet<String> known = new TreeSet<>(COMMON);
        known.addAll(Arrays.asList(more));
        for (String key : arguments.toMap().keySet()) {
            if (!known.contains(key) && !key.startsWith("drey.")) {
                throw new IllegalArgumentException(
                        "unknown argument --"
                                + key
                                + "; known are --"
                                + String.join(", --", known)
                                + " and every drey.* option");
            }
        }
        return new JobArguments(arguments);
    }

    /** An argument that must be there. */
    public String required(String key) {
        return Optional.ofNullable(text(key, null))
                .orElseThrow(() -> new IllegalArgumentException("say --" + key));
    }

    /** An argument, or what counts without it. */
    @Nullable
    public String text(String key, @Nullable String otherwise) {
        return arguments.get(key, otherwise);
    }

    /** A whole number that is not negative. */
    public long count(String key, long otherwise) {
        long value = arguments.getLong(key, otherwise);
        if (value < 0) {
            throw new IllegalArgumentException("--" + key + " is " + value + "; say 0 or more");
        }
        return value;
    }

    /** {@code true} or {@code false}. */
    public boolean flag(String key) {
        return arguments.getBoolean(key, false);
    }

    /** How many records to read; 0 for all there are. */
    public long events() {
        return count("events", 0);
    }

    /** Records a second; 0 for as fast as it goes. */
    public long rate() {
        return count("rate", 0);
    }

    /** Whether the job goes on running after the last record. */
    public boolean follow() {
        return flag("follow");
    }

    /** Folder of the decisions. */
    public String outputPath() {
        return required("output-path");
    }

    /** Parallelism of all but the source; 0 for the cluster's. */
    public int parallelism() {
        return Math.toIntExact(count("parallelism", 0));
    }
}
