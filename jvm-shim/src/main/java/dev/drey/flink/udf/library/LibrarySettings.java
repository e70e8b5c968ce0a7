package dev.drey.flink.udf.library;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How Go is loaded. All but {@link #libraryDir} and {@link #maxRuntimes} is of the process: the
 * first load of a build that succeeds sets it, later ones do not change it.
 *
 * <p>Immutable. A number that is not set leaves Go's own default.
 */
public final class LibrarySettings {
    /** Prefix of the keys that {@link #of} reads. */
    public static final String PREFIX = "drey.udf.";

    /** Go runtimes in one process that are allowed unless set otherwise. */
    public static final int DEFAULT_MAX_RUNTIMES = 4;

    private static final String UNITS = "bkmgt";
    private static final Pattern SIZE =
            Pattern.compile(
                    "([0-9]+)\\s*(b|bytes|k|kb|kibibytes|m|mb|mebibytes|g|gb|gibibytes|t|tb|tebibytes)?");

    private final Path libraryDir;
    private final Path crashDir;
    private final Path logDir;
    private final int maxRuntimes;
    private final int gomaxprocs;
    private final long memoryLimit;
    private final String gogc;

    private LibrarySettings(Builder b) {
        this.libraryDir = b.libraryDir;
        this.crashDir = b.crashDir;
        this.logDir = b.logDir;
        this.maxRuntimes = b.maxRuntimes;
        this.gomaxprocs = b.gomaxprocs;
        this.memoryLimit = b.memoryLimit;
        this.gogc = b.gogc;
    }

    /** Nothing set. */
    public static LibrarySettings defaults() {
        return new Builder().build();
    }

    /** A builder with nothing set. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Reads {@code drey.udf.library-dir}, {@code .crash-dir}, {@code .max-runtimes}, {@code
     * .gomaxprocs}, {@code .memory-limit} (with the units that Flink knows: {@code 512m}, {@code 2
     * gb}) and {@code .gogc}; other keys are left alone.
     *
     * @throws IllegalArgumentException a number or a size that is none, naming its key
     */
    public static LibrarySettings of(Map<String, String> options) {
        Builder b = new Builder();
        if (options.containsKey(PREFIX + "library-dir")) {
            b.libraryDir(Paths.get(options.get(PREFIX + "library-dir")));
        }
        if (options.containsKey(PREFIX + "crash-dir")) {
            b.crashDir(Paths.get(options.get(PREFIX + "crash-dir")));
        }
        if (options.containsKey(PREFIX + "max-runtimes")) {
            b.maxRuntimes((int) number(options, "max-runtimes"));
        }
        if (options.containsKey(PREFIX + "gomaxprocs")) {
            b.gomaxprocs((int) number(options, "gomaxprocs"));
        }
        if (options.containsKey(PREFIX + "memory-limit")) {
            b.memoryLimit(size(options, "memory-limit"));
        }
        if (options.containsKey(PREFIX + "gogc")) {
            b.gogc(options.get(PREFIX + "gogc"));
        }
        return b.build();
    }

    private static long number(Map<String, String> options, String key) {
        String text = options.get(PREFIX + key);
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    PREFIX + key + ": '" + text + "' is not a whole number", e);
        }
    }

    /** A size as Flink's {@code MemorySize} reads it. */
    private static long size(Map<String, String> options, String key) {
        String text = options.get(PREFIX + key);
        Matcher m = SIZE.matcher(text.trim().toLowerCase(Locale.ROOT));
        try {
            if (m.matches()) {
                int thousands = m.group(2) == null ? 0 : UNITS.indexOf(m.group(2).charAt(0));
                return Math.multiplyExact(Long.parseLong(m.group(1)), 1L << (10 * thousands));
            }
        } catch (ArithmeticException | NumberFormatException e) {
            // more than a long holds
        }
        throw new IllegalArgumentException(
                PREFIX + key + ": '" + text + "' is no size; give one as 512m or 2gb");
    }

    /** Folder below which {@code drey-<uid>} with the unpacked libraries is; not null. */
    public Path libraryDir() {
        return libraryDir;
    }

    /**
     * Folder for the file that a dying Go runtime writes, which must be writable; null: {@link
     * #logDir}.
     */
    public Path crashDir() {
        return crashDir;
    }

    /**
     * Folder for that file when nobody has named one: of the process's log. Where it cannot be
     * written, and if it is null, Go only writes to stderr.
     */
    public Path logDir() {
        return logDir;
    }

    /** How many Go runtimes (builds) this process may hold. */
    public int maxRuntimes() {
        return maxRuntimes;
    }

    /**
     * GOMAXPROCS; 0: Go's own. Each task thread that calls needs one, so less than the task slots
     * makes tasks wait for each other.
     */
    public int gomaxprocs() {
        return gomaxprocs;
    }

    /** Go's soft memory limit (GOMEMLIMIT) in bytes; 0: none. Each runtime has its own. */
    public long memoryLimit() {
        return memoryLimit;
    }

    /** GOGC in percent, or {@code off}; null: Go's own, 100. */
    public String gogc() {
        return gogc;
    }

    /** Sets what is not to be Go's, or Drey's, default. */
    public static final class Builder {
        private Path libraryDir = Paths.get(System.getProperty("java.io.tmpdir"));
        private Path crashDir;
        private Path logDir;
        private int maxRuntimes = DEFAULT_MAX_RUNTIMES;
        private int gomaxprocs;
        private long memoryLimit;
        private String gogc;

        private Builder() {}

        /** See {@link LibrarySettings#libraryDir}; default {@code java.io.tmpdir}. */
        public Builder libraryDir(Path folder) {
            this.libraryDir = folder;
            return this;
        }

        /** See {@link LibrarySettings#crashDir}; default null. */
        public Builder crashDir(Path folder) {
            this.crashDir = folder;
            return this;
        }

        /** See {@link LibrarySettings#logDir}; default null. */
        public Builder logDir(Path folder) {
            this.logDir = folder;
            return this;
        }

        /** See {@link LibrarySettings#maxRuntimes}; default 4. */
        public Builder maxRuntimes(int limit) {
            this.maxRuntimes = limit;
            return this;
        }

        /** See {@link LibrarySettings#gomaxprocs}; default 0. */
        public Builder gomaxprocs(int threads) {
            this.gomaxprocs = threads;
            return this;
        }

        /** See {@link LibrarySettings#memoryLimit}; default 0. */
        public Builder memoryLimit(long bytes) {
            this.memoryLimit = bytes;
            return this;
        }

        /** See {@link LibrarySettings#gogc}; default null. */
        public Builder gogc(String percent) {
            this.gogc = percent;
            return this;
        }

        /** The settings as they are now. */
        public LibrarySettings build() {
            return new LibrarySettings(this);
        }
    }
}
