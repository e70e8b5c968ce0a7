package dev.drey.flink.udf.manifest;

import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The Go functions of all jars that a class loader sees. Names are found whatever their case, so
 * two that differ in nothing else are a conflict. Immutable, safe for use by several threads.
 */
public final class InstalledFunctions {
    private static final String DIR = "META-INF/drey/";
    private static final String MARKER = DIR + "build";

    private final Map<String, InstalledFunction> byLowerName = new LinkedHashMap<>();
    private final Map<String, InstalledFunction> byClass = new HashMap<>();
    private final Set<String> names = new LinkedHashSet<>();

    private InstalledFunctions() {}

    /**
     * Looks for them.
     *
     * @throws ManifestException there is none, one cannot be read, or two are in each other's way
     */
    public static InstalledFunctions of(ClassLoader loader) throws ManifestException {
        InstalledFunctions all = new InstalledFunctions();
        Set<String> builds = new LinkedHashSet<>();
        try {
            Enumeration<URL> markers = loader.getResources(MARKER);
            while (markers.hasMoreElements()) {
                URL marker = markers.nextElement();
                String build =
                        new String(BuildManifest.read(marker), StandardCharsets.UTF_8).trim();
                // The same jar may be seen twice, by the loader and by its parent.
                if (builds.add(build)) {
                    all.add(BuildManifest.load(loader, build, beside(marker, build)), jar(marker));
                }
            }
        } catch (IOException e) {
            throw new ManifestException("look for Go functions on the class path: " + e, e);
        }
        if (builds.isEmpty()) {
            throw new ManifestException(
                    "no jar with Go functions on the class path; build one with go-udf-builder and"
                            + " put it into lib/, or say ADD JAR '<its path>' first");
        }
        return all;
    }

    private static URL beside(URL marker, String build) throws MalformedURLException {
        String text = marker.toString();
        return new URL(
                text.substring(0, text.length() - MARKER.length())
                        + DIR
                        + build
                        + "/manifest.json");
    }

    /** {@code jar:file:/a/b.jar!/META-INF/drey/build} is the jar {@code /a/b.jar}. */
    private static String jar(URL marker) {
        String text = marker.toString();
        int end = text.length() - MARKER.length();
        text = text.substring(0, end).replaceFirst("^jar:", "").replaceFirst("!?/$", "");
        return text.replaceFirst("^file:", "");
    }

    private void add(BuildManifest manifest, String jar) throws ManifestException {
        for (FunctionManifest f : manifest.functions().values()) {
            InstalledFunction function = new InstalledFunction(f, manifest.build(), jar);
            InstalledFunction other =
                    byLowerName.putIfAbsent(f.name().toLowerCase(Locale.ROOT), function);
            if (other == null) {
                other = byClass.putIfAbsent(f.className(), function);
            }
            if (other != null) {
                throw new ManifestException(
                        "Go function "
                                + f.name()
                                + " of "
                                + jar
                                + " and "
                                + other.manifest().name()
                                + " of "
                                + other.jar()
                                + " are the same to SQL; give one another name in Go, or keep one jar"
                                + " only on the class path");
            }
            names.add(f.name());
        }
    }

    /** The names, as Go registered them. */
    public Set<String> names() {
        return Collections.unmodifiableSet(names);
    }

    /** The function of that name, whatever its case. */
    public Optional<InstalledFunction> find(String name) {
        return Optional.ofNullable(byLowerName.get(name.toLowerCase(Locale.ROOT)));
    }
}
