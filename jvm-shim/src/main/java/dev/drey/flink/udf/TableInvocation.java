package dev.drey.flink.udf;

import dev.drey.flink.udf.codec.RowReader;
import dev.drey.flink.udf.library.GoCall;
import javax.annotation.Nullable;

/** A function that gives any number of rows for one row of arguments. */
final class TableInvocation extends Invocation {
    final Arguments.OfRow arguments;
    private final RowReader rows;

    TableInvocation(GoCall go, CallMetrics metrics, Arguments.OfRow arguments, RowReader rows) {
        super(go, metrics);
        this.arguments = arguments;
        this.rows = rows;
    }

    /** Calls with the arguments that were put; returns how many rows there are to be read. */
    int eval() {
        if (arguments.skip()) {
            return 0;
        }
        int length = call(GoCall.EVAL, arguments.finish());
        int count = rows.start(go.output(), length);
        if (count == 0) {
            rows.finish();
        }
        return count;
    }

    /**
     * Reads the next row.
     *
     * @param last whether it is the last, behind which nothing may stand
     */
    @Nullable
    Object next(boolean last) {
        Object row = rows.next();
        if (last) {
            rows.finish();
        }
        return row;
    }
}
