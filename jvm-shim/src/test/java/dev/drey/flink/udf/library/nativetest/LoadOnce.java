package dev.drey.flink.udf.library.nativetest;

import dev.drey.flink.udf.GoException;
import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.library.LibrarySettings;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Loads builds and calls a function of each: {@code LoadOnce [SETTING=VALUE ...] [BUILD ...]}, or,
 * without one, the build of the class path. A setting holds for the builds behind it; {@code
 * log-dir} is the folder of the log, {@code function} which one is called. Prints a line for each:
 * what the function said, or the exception.
 */
public final class LoadOnce {
    private LoadOnce() {}

    /** See the class. */
    public static void main(String[] args) {
        Map<String, String> settings = new HashMap<>();
        ClassLoader loader = LoadOnce.class.getClassLoader();
        boolean named = false;
        for (String arg : args) {
            int equals = arg.indexOf('=');
            if (equals > 0) {
                settings.put(arg.substring(0, equals), arg.substring(equals + 1));
                continue;
            }
            named = true;
            System.out.println(load(loader, arg, settings));
        }
        if (!named) {
            System.out.println(load(loader, null, settings));
        }
    }

    private static LibrarySettings settings(Map<String, String> options) {
        LibrarySettings of = LibrarySettings.of(options);
        if (!options.containsKey("log-dir")) {
            return of;
        }
        return LibrarySettings.builder()
                .libraryDir(of.libraryDir())
                .logDir(Paths.get(options.get("log-dir")))
                .build();
    }

    private static String load(ClassLoader loader, String build, Map<String, String> settings) {
        try {
            String id = build == null ? GoLibrary.build(loader) : build;
            GoLibrary go = GoLibrary.load(loader, id, settings(settings));
            String function = settings.getOrDefault("function", "variant");
            try (GoCall call = go.open(Map.of("function", function))) {
                String said = Message.stringAt(Message.call(call, Message.longs(0L)));
                return function.equals("limits")
                        ? said + "; in force " + new TreeMap<>(go.effective())
                        : function + " " + said;
            }
        } catch (GoException e) {
            return e.getClass().getSimpleName() + ": " + e.getMessage();
        }
    }
}
