package dev.drey.flink.udf;

import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.manifest.FunctionManifest;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.functions.AggregateFunction;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * A Go aggregate: {@code udf.Aggregate}. The builder writes one subclass a function, with {@code
 * accumulate} and, if Go has them, {@code retract} and {@code merge}; Flink looks for the latter
 * two by name and plans without them if they are missing. Threads and loading are as with {@link
 * GoScalarFunction}.
 *
 * <p>Go keeps nothing between calls: each gives the accumulator's bytes to Go and takes new ones
 * back, so the state is Flink's alone and as exact as its checkpoints.
 */
public abstract class GoAggregateFunction extends AggregateFunction<Object, GoAccumulator> {
    private static final long serialVersionUID = 1L;

    private final GoFunction function;
    private transient AggregateInvocation go;

    /**
     * The function of that name in a build.
     *
     * @param build the id of the build, as in {@code META-INF/drey/<build>/}
     * @param name the name under which Go registered it
     */
    protected GoAggregateFunction(String build, String name) {
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
        go = function.openAggregate(getClass().getClassLoader(), context);
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

    /** An accumulator of no rows. Go is not asked: it makes one when the first row comes. */
    @Override
    public final GoAccumulator createAccumulator() {
        return new GoAccumulator();
    }

    @Override
    public final Object getValue(GoAccumulator accumulator) {
        return go.result(accumulator);
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

    // Not called accumulate and retract: a function without arguments has methods of that name and
    // signature, by which Flink finds them.

    /** Adds the row that was put. */
    protected final void accumulateRow(GoAccumulator accumulator) {
        go.update(GoCall.ACCUMULATE, accumulator);
    }

    /** Takes the row that was put out again. */
    protected final void retractRow(GoAccumulator accumulator) {
        go.update(GoCall.RETRACT, accumulator);
    }

    /**
     * Adds what others hold.
     *
     * @param others of {@link GoAccumulator}; they stay as they are
     */
    protected final void mergeAll(GoAccumulator accumulator, Iterable<?> others) {
        go.merge(accumulator, others);
    }
}
