package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoLibraryException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import java.util.TreeSet;

/** The native libraries of a build: {@code META-INF/drey/<build>/libraries.properties}. */
final class LibraryList {
    private static final int SHA256_DIGITS = 64;

    private final ClassLoader loader;
    private final String build;
    private final Properties entries = new Properties();

    /**
     * @throws GoLibraryException the class loader has no such build
     */
    LibraryList(ClassLoader loader, String build) {
        this.loader = loader;
        this.build = build;
        String name = folder() + "libraries.properties";
        try (InputStream in = loader.getResourceAsStream(name)) {
            if (in == null) {
                throw new GoLibraryException(
                        "no "
                                + name
                                + " on the class path: the jar that go-udf-builder built with id "
                                + build
                                + " is not there; put it into the job jar, USING JAR, or Flink's"
                                + " lib folder");
            }
            entries.load(in);
        } catch (IOException | IllegalArgumentException e) {
            throw damaged(name, e);
        }
    }

    private String folder() {
        return "META-INF/drey/" + build + "/";
    }

    /** Refuses a library whose C interface these classes do not know, before it is loaded. */
    void checkAbi() {
        String abi = entries.getProperty("abi", "");
        if (!abi.startsWith(Native.ABI_MAJOR + ".")) {
            throw otherAbi(build, abi);
        }
    }

    static GoLibraryException otherAbi(String build, String abi) {
        return new GoLibraryException(
                "build "
                        + build
                        + " has version "
                        + abi
                        + " of Drey's C interface, and the classes that load it have "
                        + Native.ABI_MAJOR
                        + "."
                        + Native.ABI_MINOR
                        + ": two versions of Drey are on the class path; build the jar again with"
                        + " the version of the other one");
    }

    LibraryFiles.Resource library(String platform) {
        return resource(platform, "library");
    }

    LibraryFiles.Resource shim(String platform) {
        return resource(platform, "shim");
    }

    private LibraryFiles.Resource resource(String platform, String what) {
        String path = entries.getProperty(platform + "." + what);
        if (path == null) {
            throw new GoLibraryException(
                    "the jar has Go libraries for "
                            + platforms()
                            + ", and this machine is "
                            + platform
                            + "; build it with go-udf-builder build --platform "
                            + platform.replace('-', '/')
                            + ", or "
                            + Machine.USE_THE_SIDECAR);
        }
        String sha256 = entries.getProperty(platform + "." + what + ".sha256", "");
        if (!isSha256(sha256)) { // it becomes the name of a folder
            throw damaged(folder() + "libraries.properties", null);
        }
        return new LibraryFiles.Resource(loader, folder() + path, sha256);
    }

    private static boolean isSha256(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.digit(text.charAt(i), 16) < 0 || Character.isUpperCase(text.charAt(i))) {
                return false;
            }
        }
        return text.length() == SHA256_DIGITS;
    }

    private TreeSet<String> platforms() {
        TreeSet<String> platforms = new TreeSet<>();
        for (String key : entries.stringPropertyNames()) {
            if (key.endsWith(".library")) {
                platforms.add(key.substring(0, key.length() - ".library".length()));
            }
        }
        return platforms;
    }

    private static GoLibraryException damaged(String name, Exception cause) {
        return new GoLibraryException(
                name + " is damaged; build the jar again with go-udf-builder build", cause);
    }
}
