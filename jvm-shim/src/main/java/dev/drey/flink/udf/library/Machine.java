package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoLibraryException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * What kind of machine and process this is, as far as it decides whether Go can be loaded. Read
 * anew for each load: it changes when libraries are mapped.
 */
final class Machine {
    /** Beside the TaskManager nothing of this matters. */
    static final String USE_THE_SIDECAR =
            "run the function in the sidecar instead: the same Go code, called by"
                    + " dev.drey.flink.async.GoAsyncFunction";

    private final String os;
    private final String arch;
    private final String preload;
    private final Set<String> mapped;

    Machine(String os, String arch, String preload, List<String> maps) {
        this.os = os.toLowerCase(Locale.ROOT);
        this.arch = arch;
        this.preload = preload == null ? "" : preload;
        this.mapped = new LinkedHashSet<>();
        for (String line : maps) {
            int slash = line.indexOf('/');
            if (slash >= 0) {
                this.mapped.add(line.substring(slash).replace(" (deleted)", ""));
            }
        }
    }

    /** This one. */
    static Machine current() {
        String os = System.getProperty("os.name", "");
        List<String> maps = List.of();
        if (os.equals("Linux")) {
            try {
                byte[] text = Files.readAllBytes(Paths.get("/proc/self/maps"));
                // Not readAllLines, which refuses a path that is no UTF-8.
                maps = List.of(new String(text, StandardCharsets.UTF_8).split("\n"));
            } catch (IOException e) {
                throw new GoLibraryException(
                        "cannot read /proc/self/maps, which says what is loaded into this process;"
                                + " mount /proc, or "
                                + USE_THE_SIDECAR,
                        e);
            }
        }
        return new Machine(
                os, System.getProperty("os.arch", ""), System.getenv("LD_PRELOAD"), maps);
    }

    /** The platform as the jar names it: {@code linux-amd64}. */
    String platform() {
        switch (arch) {
            case "x86_64":
                return os + "-amd64";
            case "aarch64":
                return os + "-arm64";
            default:
                return os + "-" + arch;
        }
    }

    /**
     * @throws GoLibraryException Go cannot run in this process
     */
    void check() {
        if (!os.equals("linux")) {
            throw new GoLibraryException(
                    "Go functions run in the process on Linux only, and this is "
                            + os
                            + "; "
                            + USE_THE_SIDECAR);
        }
        for (String path : mapped) {
            String name = path.substring(path.lastIndexOf('/') + 1);
            if (name.startsWith("ld-musl-") || name.startsWith("libc.musl")) {
                throw new GoLibraryException(
                        "this JVM runs on musl ("
                                + path
                                + "), which cannot load Go into a running process; use an image"
                                + " with glibc (Debian, Ubuntu), or "
                                + USE_THE_SIDECAR);
            }
            if (name.startsWith("libjsig")) {
                throw signalChaining(path);
            }
        }
        if (preload.contains("libjsig")) {
            throw signalChaining("LD_PRELOAD=" + preload);
        }
    }

    static GoLibraryException signalChaining(String found) {
        return new GoLibraryException(
                "libjsig is preloaded ("
                        + found
                        + "): with it a nil dereference in Go, which is otherwise an exception, ends"
                        + " this process; take libjsig out of LD_PRELOAD and start it again");
    }

    /**
     * The files named {@code name} that are mapped: Go libraries stay so until the process ends.
     */
    Set<Path> mapped(String name) {
        Set<Path> found = new LinkedHashSet<>();
        for (String path : mapped) {
            if (path.endsWith("/" + name)) {
                found.add(Paths.get(path));
            }
        }
        return found;
    }
}
