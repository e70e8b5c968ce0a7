package dev.drey.flink.udf;

import dev.drey.flink.udf.manifest.FunctionManifest;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.TableFunction;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * A Go function of one row that emits any number of rows: {@code udf.Table}, to be used as {@code
 * LATERAL TABLE(f(...))}. The builder writes one subclass a function; threads and loading are as
 * with {@link GoScalarFunction}.
 *
 * <p>All rows of one call are emitted by Go before the first is collected: they are in memory at
 * once, up to {@link GoUdfOptions#MAX_RESULT_BYTES}.
 */
public abstract class GoTableFunction extends TableFunction<Object> {
    private static final long serialVersionUID = 1L;

    private final GoFunction function;
    private transient TableInvocation go;

    /**
     * The function of that name in a build.
     *
     * @param build the id of the build, as in {@code META-INF/drey/<build>/}
     * @param name the name under which Go registered it
     */
    protected GoTableFunction(String build, String name) {
        this.function = GoFunction.of(getClass().getClassLoader(), build, name);
    }

    @Override
    public final TypeInference getTypeInference(DataTypeFactory factory) {
        return function.typeInference();
    }

    @Override
    public final boolean isDeterministic() {
        return function.manifest().deterministic();
    }

    /** Never: folding would run Go in the planner. */
    @Override
    public final boolean supportsConstantFolding() {
        return false;
    }

    @Override
    public final void open(FunctionContext context) {
        go = function.openTable(getClass().getClassLoader(), context);
    }

    @Override
    public final void close() {
        if (go != null) {
            go.close();
            go = null;
        }
    }

    /** What the manifest says about the function. */
    public final FunctionManifest manifest() {
        return function.manifest();
    }

    @Override
    public final String toString() {
        return function.toString();
    }

    /** Starts the arguments of a call; each is then put once, in order. */
    protected final void begin() {
        go.arguments.begin();
    }

    /** Puts a BOOLEAN NOT NULL argument. */
    protected final void put(int argument, boolean value) {
        go.arguments.put(argument, value);
    }

    /** Puts a TINYINT NOT NULL argument. */
    protected final void put(int argument, byte value) {
        go.arguments.put(argument, (long) value);
    }

    /** Puts a SMALLINT NOT NULL argument. */
    protected final void put(int argument, short value) {
        go.arguments.put(argument, (long) value);
    }

    /** Puts an argument that is NOT NULL and an int inside Flink: INT, DATE, TIME, months. */
    protected final void put(int argument, int value) {
        go.arguments.put(argument, (long) value);
    }

    /** Puts an argument that is NOT NULL and a long inside Flink: BIGINT, INTERVAL SECOND. */
    protected final void put(int argument, long value) {
        go.arguments.put(argument, value);
    }

    /** Puts a FLOAT NOT NULL argument. */
    protected final void put(int argument, float value) {
        go.arguments.put(argument, value);
    }

    /** Puts a DOUBLE NOT NULL argument. */
    protected final void put(int argument, double value) {
        go.arguments.put(argument, value);
    }

    /** Puts any other argument, as Flink's internal data structure, or null. */
    protected final void put(int argument, Object value) {
        go.arguments.put(argument, value);
    }

    /** Calls the function with what was put and collects each row that it emitted. */
    protected final void emit() {
        int rows = go.eval();
        for (int i = 1; i <= rows; i++) {
            collect(go.next(i == rows));
        }
    }
}
