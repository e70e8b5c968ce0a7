package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoException;
import dev.drey.flink.udf.GoLibraryException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A Go library that is loaded into this process. It is there once a process and build, whichever
 * class loader loads it, and can never be unloaded; an object of this class is its view of one
 * class loader. Safe for concurrent use.
 */
public final class GoLibrary {
    /** Resource with the id of the build that a jar holds. */
    public static final String BUILD_RESOURCE = "META-INF/drey/build";

    private static final Map<String, GoLibrary> LOADED = new HashMap<>();

    private final long library;
    private final String build;
    private final Map<String, String> effective;

    private GoLibrary(long library, String build, Map<String, String> effective) {
        this.library = library;
        this.build = build;
        this.effective = effective;
    }

    /**
     * Loads the library of that build, unless that was done.
     *
     * @param loader where the jar's resources are found; not kept
     * @param build id of the build, as in {@code META-INF/drey/<build>/}
     * @throws GoLibraryException it cannot be loaded; the message says what to do
     */
    public static GoLibrary load(ClassLoader loader, String build, LibrarySettings settings) {
        synchronized (LOADED) {
            GoLibrary loaded = LOADED.get(build);
            if (loaded == null) {
                loaded = new Loading(loader, build, settings).run();
                LOADED.put(build, loaded);
            }
            return loaded;
        }
    }

    /** The library at that address, started with these settings. */
    static GoLibrary start(long library, String build, Map<String, String> settings) {
        ByteBuffer out = GoCall.direct(Native.ERROR_MAX);
        long n = Native.init(library, buffer(settings), out);
        if (n < 0) {
            throw GoCall.failure(out, n);
        }
        return new GoLibrary(library, build, StringMap.decode(bytes(out, n)));
    }

    /** Id of the build. */
    public String build() {
        return build;
    }

    /**
     * The settings that Go runs with, which are those of the first load in this process: {@code
     * gomaxprocs}, {@code memory_limit}, {@code gogc}, {@code crash_file}, {@code go_version}.
     */
    public Map<String, String> effective() {
        return new LinkedHashMap<>(effective);
    }

    /**
     * Opens a function for one thread.
     *
     * @param request {@code function}; all others are optional: {@code signature} (as the manifest
     *     has it: another one in the library is refused), {@code encoding} ({@code row}, or {@code
     *     json}: a call then takes the arguments as one JSON value and returns JSON, whatever the
     *     function's kind), {@code job}, {@code subtask}, {@code parallelism}, {@code attempt},
     *     {@code call_timeout_ms} (0: none), {@code max_result_bytes} (default 64 MiB), and {@code
     *     parameter.NAME} for each job parameter
     * @throws GoException what Go's Open returned or panicked with, or that the request does not
     *     fit
     */
    public GoCall open(Map<String, String> request) {
        Forgotten.closeAll();
        ByteBuffer out = GoCall.direct(Native.ERROR_MAX);
        long n = Native.open(library, buffer(request), out);
        if (n <= 0) {
            throw GoCall.failure(out, n);
        }
        return new GoCall(library, n);
    }

    /** JSON: the functions of the library. */
    public String describe() {
        return text(out -> Native.describe(library, out));
    }

    /**
     * JSON: counters of the Go runtime ({@code goroutines}, {@code heap_bytes}, {@code gc_cycles},
     * ...) and, by function, {@code open}, {@code calls}, {@code errors}, {@code panics}.
     */
    public String stats() {
        return text(out -> Native.stats(library, out));
    }

    /**
     * Gives {@code static native String processJson(String)} of that class its body: it calls the
     * function {@code process_json} or {@code processJson}, or the only one, of the build that the
     * class loader of that class has. Any number of threads may call it.
     *
     * <p>Go is loaded with the system properties {@code drey.udf.*} as settings, unless it is
     * loaded already.
     *
     * @throws GoLibraryException it cannot be loaded; the message says what to do
     */
    public static void bindProcessJson(Class<?> proxy) {
        ClassLoader loader = proxy.getClassLoader();
        Map<String, String> properties = new HashMap<>();
        for (String name : System.getProperties().stringPropertyNames()) {
            properties.put(name, System.getProperty(name));
        }
        GoLibrary go = load(loader, build(loader), LibrarySettings.of(properties));
        synchronized (LOADED) {
            Native.bind(proxy, go.library, StringMap.encode(Map.of("entry", "processJson")));
        }
    }

    /**
     * The id of the build that is in the jar of a class loader.
     *
     * @throws GoLibraryException there is none
     */
    public static String build(ClassLoader loader) {
        try (InputStream in = loader.getResourceAsStream(BUILD_RESOURCE)) {
            if (in != null) {
                return new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
            }
        } catch (IOException e) {
            throw new GoLibraryException("cannot read " + BUILD_RESOURCE + " of the jar", e);
        }
        throw new GoLibraryException(
                "no "
                        + BUILD_RESOURCE
                        + " on the class path: this is not a jar that go-udf-builder build made; use"
                        + " that one");
    }

    /**
     * How many Go runtimes this process holds: one for each build that was ever loaded into it.
     * Reads the process's map of memory.
     */
    public static int runtimes() {
        return Machine.current().mapped(LibraryFiles.LIBRARY).size();
    }

    private interface Writer {
        long write(ByteBuffer out);
    }

    private static String text(Writer writer) {
        ByteBuffer out = GoCall.direct(Native.ERROR_MAX);
        long n = writer.write(out);
        while (n < -1 && n > -Integer.MAX_VALUE) {
            out = GoCall.direct((int) -n);
            n = writer.write(out);
        }
        if (n < 0) {
            throw new GoLibraryException("the Go library did not describe itself (code " + n + ")");
        }
        return new String(bytes(out, n), StandardCharsets.UTF_8);
    }

    private static ByteBuffer buffer(Map<String, String> map) {
        byte[] bytes = StringMap.encode(map);
        return GoCall.direct(bytes.length).put(bytes);
    }

    private static byte[] bytes(ByteBuffer buffer, long n) {
        byte[] bytes = new byte[(int) n];
        buffer.clear();
        buffer.get(bytes);
        return bytes;
    }
}
