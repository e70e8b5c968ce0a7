package dev.drey.flink.udf.library.nativetest;

import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.library.LibrarySettings;
import java.nio.file.Paths;
import java.util.Map;

/** {@code CrashOnPurpose FOLDER FUNCTION}: calls it with 1, and prints its answer. */
public final class CrashOnPurpose {
    private CrashOnPurpose() {}

    /** See the class. */
    public static void main(String[] args) {
        ClassLoader loader = CrashOnPurpose.class.getClassLoader();
        LibrarySettings settings =
                LibrarySettings.builder()
                        .libraryDir(Paths.get(args[0]))
                        .crashDir(Paths.get(args[0]))
                        .build();
        GoLibrary go = GoLibrary.load(loader, GoLibrary.build(loader), settings);
        try (GoCall call = go.open(Map.of("function", args[1]))) {
            System.out.println(go.effective().get("crash_file"));
            System.out.println(call.fixed(0, 1, 0, 0, 0));
        }
    }
}
