package dev.drey.flink.jobs.bench;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;

/**
 * Writes the {@code _metadata} of each {@link MetadataCase} with Flink's own serializer into a
 * folder of its own, and then measures how fast Flink reads them: for each line {@code CASE
 * SECONDS} of standard input, until that ends. So one JVM, which gets warm, is measured in turn
 * with others.
 *
 * <pre>
 * MetadataBench DIR
 * </pre>
 *
 * It prints a line of JSON for each file, and one for each measurement:
 *
 * <pre>
 * {"case":"files","file":"/DIR/files/_metadata","operators":10,"subtasks":10000,"state_bytes":227}
 * {"case":"files","loads":311,"seconds":2.004,"operators":10,"subtasks":10000,"state_bytes":227}
 * </pre>
 */
public final class MetadataBench {
    private MetadataBench() {}

    /** Ends with an error if Flink cannot read what it wrote. */
    public static void main(String[] args) throws IOException {
        Map<MetadataCase, Path> files = new EnumMap<>(MetadataCase.class);
        for (MetadataCase each : MetadataCase.values()) {
            Path file = write(Path.of(args[0]), each);
            files.put(each, file);
            System.out.printf(
                    Locale.ROOT,
                    "{\"case\":\"%s\",\"file\":\"%s\",%s}%n",
                    each.lower(),
                    file,
                    summary(load(Files.readAllBytes(file), file)));
        }
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            MetadataCase what = MetadataCase.of(words[0]);
            System.out.println(measure(what, files.get(what), Double.parseDouble(words[1])));
        }
    }

    static Path write(Path folder, MetadataCase what) throws IOException {
        Path file = folder.resolve(what.lower()).resolve("_metadata");
        Files.createDirectories(file.getParent());
        try (OutputStream out = Files.newOutputStream(file)) {
            Checkpoints.storeCheckpointMetadata(what.checkpoint(), out);
        }
        return file;
    }

    /** From memory, so that it is reading which is measured, and not the disk. */
    static CheckpointMetadata load(byte[] metadata, Path file) throws IOException {
        return Checkpoints.loadCheckpointMetadata(
                new DataInputStream(new ByteArrayInputStream(metadata)),
                MetadataBench.class.getClassLoader(),
                file.toUri().toString());
    }

    private static String measure(MetadataCase what, Path file, double seconds) throws IOException {
        byte[] metadata = Files.readAllBytes(file);
        System.gc(); // what was before is not to be paid for now
        CheckpointMetadata last = null;
        int loads = 0;
        long start = System.nanoTime();
        double elapsed;
        do {
            last = load(metadata, file);
            loads++;
            elapsed = (System.nanoTime() - start) / 1e9;
        } while (elapsed < seconds);
        return String.format(
                Locale.ROOT,
                "{\"case\":\"%s\",\"loads\":%d,\"seconds\":%.6f,%s}",
                what.lower(),
                loads,
                elapsed,
                summary(last));
    }

    /** What whoever else reads the file must find in it too. */
    static String summary(CheckpointMetadata metadata) {
        int subtasks = 0;
        long bytes = 0;
        for (OperatorState operator : metadata.getOperatorStates()) {
            subtasks += operator.getNumberCollectedStates();
            bytes += operator.getStateSize();
        }
        return String.format(
                Locale.ROOT,
                "\"operators\":%d,\"subtasks\":%d,\"state_bytes\":%d",
                metadata.getOperatorStates().size(),
                subtasks,
                bytes);
    }
}
