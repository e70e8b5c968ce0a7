package dev.drey.flink.udf.manifest;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/** The manifest of one build. Immutable, safe for use by several threads. */
public final class BuildManifest {
    /** The version of manifest.json that these classes read. */
    public static final int FORMAT = 1;

    private final String build;
    private final Map<String, FunctionManifest> functions;

    private BuildManifest(String build, Map<String, FunctionManifest> functions) {
        this.build = build;
        this.functions = functions;
    }

    /**
     * Reads the manifest of a build from its jar.
     *
     * @param loader sees the jar; the types are resolved with it too
     * @throws ManifestException it is not there, or not one that these classes can read
     */
    public static BuildManifest load(ClassLoader loader, String build) throws ManifestException {
        String path = "META-INF/drey/" + build + "/manifest.json";
        URL resource = loader.getResource(path);
        if (resource == null) {
            throw new ManifestException(
                    "build "
                            + build
                            + ": "
                            + path
                            + " is not on the class path; a class of a Go function works only"
                            + " together with the rest of the jar that it was built into");
        }
        return load(loader, build, resource);
    }

    /** Reads the manifest of a build from where it was found. */
    static BuildManifest load(ClassLoader loader, String build, URL resource)
            throws ManifestException {
        try {
            JsonNode json = JsonTree.read(read(resource));
            int format = json.path("format").asInt(-1);
            if (format != FORMAT) {
                throw new ManifestException(
                        resource
                                + ": format "
                                + format
                                + ", but these classes read "
                                + FORMAT
                                + "; classes of another jar come first: let all jars be built by one"
                                + " version of go-udf-builder");
            }
            if (!build.equals(json.path("build").asText())) {
                throw new ManifestException(
                        resource
                                + ": is of build "
                                + json.path("build").asText()
                                + ", not "
                                + build
                                + "; build the jar again");
            }
            Map<String, FunctionManifest> functions = new LinkedHashMap<>();
            for (JsonNode function : json.path("functions")) {
                FunctionManifest f = new FunctionManifest(function, loader);
                functions.put(f.name(), f);
            }
            return new BuildManifest(build, Collections.unmodifiableMap(functions));
        } catch (JsonProcessingException e) {
            throw new ManifestException(
                    resource + ": not JSON; build the jar again: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new ManifestException(
                    resource + ": cannot be read, was the jar replaced meanwhile? " + e, e);
        }
    }

    /** Reads a resource without the cache of jars: it would keep the jar's file open for good. */
    static byte[] read(URL resource) throws IOException {
        URLConnection connection = resource.openConnection();
        connection.setUseCaches(false);
        try (InputStream in = connection.getInputStream()) {
            return in.readAllBytes();
        }
    }

    /** The build's id. */
    public String build() {
        return build;
    }

    /** The functions by name, in the manifest's order. */
    public Map<String, FunctionManifest> functions() {
        return functions;
    }
}
