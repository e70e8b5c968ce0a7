package dev.drey.flink.udf;

import dev.drey.flink.udf.GoRuntime.Encoding;
import dev.drey.flink.udf.codec.BytesWriter;
import dev.drey.flink.udf.codec.RowReader;
import dev.drey.flink.udf.codec.RowWriter;
import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.manifest.BuildManifest;
import dev.drey.flink.udf.manifest.Column;
import dev.drey.flink.udf.manifest.FunctionKind;
import dev.drey.flink.udf.manifest.FunctionManifest;
import dev.drey.flink.udf.manifest.ManifestException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * A Go function of a build: what the manifest says of it, which is read beside the class that
 * extends a base class. The manifest travels with the job's graph, so that a TaskManager does not
 * look for it again: to read JSON and SQL types was a quarter of the time until the first row of a
 * JVM that had just been started. If its library is of another build, the signature tells.
 */
final class GoFunction implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String build;
    private final FunctionManifest manifest;

    private GoFunction(String build, FunctionManifest manifest) {
        this.build = build;
        this.manifest = manifest;
    }

    /**
     * Finds a function.
     *
     * @param loader sees the jar of the build
     * @throws ValidationException it has no such function
     */
    static GoFunction of(ClassLoader loader, String build, String name) {
        try {
            FunctionManifest manifest = BuildManifest.load(loader, build).functions().get(name);
            if (manifest != null) {
                return new GoFunction(build, manifest);
            }
        } catch (ManifestException e) {
            throw new ValidationException(e.getMessage(), e);
        }
        throw new ValidationException(
                "build " + build + " has no Go function " + name + "; build the jar again");
    }

    /** What the manifest says. */
    FunctionManifest manifest() {
        return manifest;
    }

    /** The types of arguments and result, for the planner. */
    TypeInference typeInference() {
        return GoTypeInference.of(manifest);
    }

    /** Opens a {@code udf.Scalar}, {@code udf.JSON} or {@code udf.Raw}. */
    ScalarInvocation openScalar(ClassLoader loader, FunctionContext context) {
        GoCall go = GoRuntime.open(loader, build, manifest, Encoding.ROW, context);
        try {
            CallMetrics metrics = GoRuntime.metrics(manifest, context);
            boolean[] skip = skipOnNull();
            if (manifest.kind() == FunctionKind.RAW || manifest.kind() == FunctionKind.JSON) {
                Arguments.OfBytes bytes = new Arguments.OfBytes(new BytesWriter(go::input), skip);
                return new ScalarInvocation.OfBytes(
                        go, metrics, bytes, manifest.kind() == FunctionKind.JSON);
            }
            if (FixedTypes.all(manifest)) {
                return new ScalarInvocation.OfFixed(
                        go, metrics, new Arguments.OfFixed(skip), manifest.result().getTypeRoot());
            }
            return new ScalarInvocation.OfRow(
                    go, metrics, row(go, skip), RowReader.ofResults(manifest.result()));
        } catch (RuntimeException | Error e) {
            go.close();
            throw e;
        }
    }

    /** Opens a {@code udf.Table}. */
    TableInvocation openTable(ClassLoader loader, FunctionContext context) {
        GoCall go = GoRuntime.open(loader, build, manifest, Encoding.ROW, context);
        try {
            return new TableInvocation(
                    go,
                    GoRuntime.metrics(manifest, context),
                    row(go, skipOnNull()),
                    RowReader.ofResults(manifest.result()));
        } catch (RuntimeException | Error e) {
            go.close();
            throw e;
        }
    }

    /** Opens a {@code udf.Aggregate}. */
    AggregateInvocation openAggregate(ClassLoader loader, FunctionContext context) {
        GoCall go = GoRuntime.open(loader, build, manifest, Encoding.ROW, context);
        try {
            return new AggregateInvocation(
                    go,
                    GoRuntime.metrics(manifest, context),
                    row(go, skipOnNull()),
                    new BytesWriter(go::input),
                    RowReader.ofResults(manifest.result()));
        } catch (RuntimeException | Error e) {
            go.close();
            throw e;
        }
    }

    private Arguments.OfRow row(GoCall go, boolean[] skip) {
        List<LogicalType> types = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (Column argument : manifest.arguments()) {
            types.add(argument.type());
            names.add(manifest.name() + ": argument " + argument.name());
        }
        return new Arguments.OfRow(new RowWriter(types, names, go::input), skip);
    }

    private boolean[] skipOnNull() {
        boolean[] skip = new boolean[manifest.arguments().size()];
        for (int i = 0; i < skip.length; i++) {
            skip[i] = manifest.nullOnNull() && !manifest.arguments().get(i).type().isNullable();
        }
        return skip;
    }

    @Override
    public String toString() {
        return manifest.name();
    }
}
