package dev.drey.flink.udf.manifest;

/** A Go function and where it was found. Immutable. */
public final class InstalledFunction {
    private final FunctionManifest manifest;
    private final String build;
    private final String jar;

    InstalledFunction(FunctionManifest manifest, String build, String jar) {
        this.manifest = manifest;
        this.build = build;
        this.jar = jar;
    }

    /** What its manifest says. */
    public FunctionManifest manifest() {
        return manifest;
    }

    /** The id of its build. */
    public String build() {
        return build;
    }

    /** The jar, for people to read. */
    public String jar() {
        return jar;
    }
}
