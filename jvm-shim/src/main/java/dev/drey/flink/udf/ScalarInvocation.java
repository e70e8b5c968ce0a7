package dev.drey.flink.udf;

import dev.drey.flink.udf.codec.BytesWriter;
import dev.drey.flink.udf.codec.RowReader;
import dev.drey.flink.udf.library.GoCall;
import javax.annotation.Nullable;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/** A function that gives one value for one row of arguments. */
abstract class ScalarInvocation extends Invocation {
    final Arguments arguments;

    ScalarInvocation(GoCall go, CallMetrics metrics, Arguments arguments) {
        super(go, metrics);
        this.arguments = arguments;
    }

    /** The result of the arguments that were put. */
    @Nullable
    final Object eval() {
        return arguments.skip() ? null : evalArguments();
    }

    @Nullable
    abstract Object evalArguments();

    /** Numbers in, a number out, some of them perhaps NULL. */
    static final class OfFixed extends ScalarInvocation {
        private final Arguments.OfFixed values;
        private final LogicalTypeRoot result;

        OfFixed(
                GoCall go,
                CallMetrics metrics,
                Arguments.OfFixed arguments,
                LogicalTypeRoot result) {
            super(go, metrics, arguments);
            this.values = arguments;
            this.result = result;
        }

        @Override
        @Nullable
        Object evalArguments() {
            long value =
                    fixed(
                            values.nulls(),
                            values.get(0),
                            values.get(1),
                            values.get(2),
                            values.get(3));
            return go.wasNull() ? null : boxed(value);
        }

        private Object boxed(long value) {
            switch (result) {
                case BOOLEAN:
                    return value != 0;
                case TINYINT:
                    return (byte) value;
                case SMALLINT:
                    return (short) value;
                case INTEGER:
                case DATE:
                case TIME_WITHOUT_TIME_ZONE:
                case INTERVAL_YEAR_MONTH:
                    return (int) value;
                case FLOAT:
                    return Float.intBitsToFloat((int) value);
                case DOUBLE:
                    return Double.longBitsToDouble(value);
                default:
                    return value;
            }
        }
    }

    /** A row in the row codec in, one out. */
    static final class OfRow extends ScalarInvocation {
        private final Arguments.OfRow row;
        private final RowReader results;

        OfRow(GoCall go, CallMetrics metrics, Arguments.OfRow arguments, RowReader results) {
            super(go, metrics, arguments);
            this.row = arguments;
            this.results = results;
        }

        @Override
        @Nullable
        Object evalArguments() {
            int length = call(GoCall.EVAL, row.finish());
            return results.only(go.output(), length);
        }
    }

    /** Bytes in, bytes out: RAW and JSON. */
    static final class OfBytes extends ScalarInvocation {
        private final Arguments.OfBytes bytes;
        private final boolean text;

        OfBytes(GoCall go, CallMetrics metrics, Arguments.OfBytes arguments, boolean text) {
            super(go, metrics, arguments);
            this.bytes = arguments;
            this.text = text;
        }

        @Override
        Object evalArguments() {
            int length = call(GoCall.EVAL, bytes.finish());
            byte[] result = BytesWriter.copy(go.output(), length);
            return text ? StringData.fromBytes(result) : result;
        }
    }
}
