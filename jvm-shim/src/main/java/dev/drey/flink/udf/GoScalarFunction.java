package dev.drey.flink.udf;

import dev.drey.flink.udf.manifest.FunctionManifest;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * A Go function of one row: {@code udf.Scalar}, {@code udf.JSON} and {@code udf.Raw}. The builder
 * writes one subclass a function, with an {@code eval} of exact types that calls nothing but the
 * protected methods here.
 *
 * <p>One instance belongs to one subtask and one thread, as Flink uses it. In the planner it is
 * only made, which reads the manifest beside the class, and asked for its types; Go is loaded by
 * {@link #open}.
 */
public abstract class GoScalarFunction extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    private final GoFunction function;
    private transient ScalarInvocation go;

    /**
     * The function of that name in a build.
     *
     * @param build the id of the build, as in {@code META-INF/drey/<build>/}
     * @param name the name under which Go registered it
     */
    protected GoScalarFunction(String build, String name) {
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
        go = function.openScalar(getClass().getClassLoader(), context);
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

    /** Calls a function without arguments whose result is fixed and NOT NULL. */
    protected final long fixed() {
        return go.fixed(0, 0, 0, 0, 0);
    }

    /** Calls a function of one fixed argument; see {@link #fixed(long, long, long, long)}. */
    protected final long fixed(long a) {
        return go.fixed(0, a, 0, 0, 0);
    }

    /** Calls a function of two fixed arguments; see {@link #fixed(long, long, long, long)}. */
    protected final long fixed(long a, long b) {
        return go.fixed(0, a, b, 0, 0);
    }

    /** Calls a function of three fixed arguments; see {@link #fixed(long, long, long, long)}. */
    protected final long fixed(long a, long b, long c) {
        return go.fixed(0, a, b, c, 0);
    }

    /**
     * Calls a function of four fixed arguments: integers sign-extended, booleans 0 or 1, FLOAT and
     * DOUBLE as their raw bits. Allocates nothing.
     */
    protected final long fixed(long a, long b, long c, long d) {
        return go.fixed(0, a, b, c, d);
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

    /**
     * Calls the function with what was put.
     *
     * @return its result as Flink's internal data structure, of its own memory; null for NULL
     */
    protected final Object finish() {
        return go.eval();
    }

    /** A BOOLEAN out of what {@link #fixed} returned. */
    protected static boolean isTrue(long fixed) {
        return fixed != 0;
    }

    /** A FLOAT out of what {@link #fixed} returned. */
    protected static float toFloat(long fixed) {
        return Float.intBitsToFloat((int) fixed);
    }
}
