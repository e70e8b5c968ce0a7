package dev.drey.flink.udf;

import dev.drey.flink.udf.codec.BytesWriter;
import dev.drey.flink.udf.codec.RowReader;
import dev.drey.flink.udf.library.GoCall;
import javax.annotation.Nullable;

/**
 * An aggregate. What goes to Go: for a row, the accumulator behind its size, then the row's
 * message; for a merge, the number of accumulators, then each behind its size; for the result, the
 * accumulator alone. No bytes are an accumulator of no rows.
 */
final class AggregateInvocation extends Invocation {
    private static final int SIZE = 4;

    final Arguments.OfRow arguments;
    private final BytesWriter accumulators;
    private final RowReader results;

    AggregateInvocation(
            GoCall go,
            CallMetrics metrics,
            Arguments.OfRow arguments,
            BytesWriter accumulators,
            RowReader results) {
        super(go, metrics);
        this.arguments = arguments;
        this.accumulators = accumulators;
        this.results = results;
    }

    /** Adds the row that was put, or takes it out again. */
    void update(int op, GoAccumulator accumulator) {
        if (arguments.skip()) {
            return;
        }
        byte[] before = accumulator.bytes;
        // The row is there already, and behind it if the size did not change since the last one.
        int end = arguments.finish(SIZE + (before == null ? 0 : before.length));
        accumulators.writeSized(0, before);
        accumulator.bytes = called(op, end);
    }

    /** Adds what others hold. */
    void merge(GoAccumulator accumulator, Iterable<?> others) {
        int count = 0;
        int at = SIZE;
        byte[] only = accumulator.bytes;
        if (only != null) {
            at = accumulators.writeSized(at, only);
            count++;
        }
        for (Object other : others) {
            byte[] bytes = ((GoAccumulator) other).bytes;
            if (bytes != null) {
                at = accumulators.writeSized(at, bytes);
                count++;
                only = bytes;
            }
        }
        if (count < 2) {
            accumulator.bytes = only; // shared: no array is ever written into
            return;
        }
        accumulators.writeInt(0, count);
        accumulator.bytes = called(GoCall.MERGE, at);
    }

    /** The result of an accumulator. */
    @Nullable
    Object result(GoAccumulator accumulator) {
        byte[] bytes = accumulator.bytes;
        int length = call(GoCall.RESULT, bytes == null ? 0 : accumulators.write(0, bytes));
        return results.only(go.output(), length);
    }

    private byte[] called(int op, int length) {
        int size = call(op, length);
        return BytesWriter.copy(go.output(), size);
    }
}
