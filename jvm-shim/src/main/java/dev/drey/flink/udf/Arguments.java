package dev.drey.flink.udf;

import dev.drey.flink.udf.codec.BytesWriter;
import dev.drey.flink.udf.codec.RowWriter;
import javax.annotation.Nullable;

/**
 * The arguments of one call, on their way to Go: {@link #begin}, each {@code put} once. Not for
 * concurrent use.
 */
abstract class Arguments {
    /** For each argument, whether NULL means that Go is not called. */
    private final boolean[] skipOnNull;

    private boolean skip;

    Arguments(boolean[] skipOnNull) {
        this.skipOnNull = skipOnNull;
    }

    /** Starts over. */
    void begin() {
        skip = false;
    }

    /** Whether one of the arguments is NULL where that means that Go is not called. */
    final boolean skip() {
        return skip;
    }

    /** Whether Go is not called, for this argument or one before: then it need not be put. */
    final boolean skips(int argument, @Nullable Object value) {
        if (value == null && skipOnNull[argument]) {
            skip = true;
        }
        return skip;
    }

    abstract void put(int argument, @Nullable Object value);

    abstract void put(int argument, boolean value);

    abstract void put(int argument, long value);

    abstract void put(int argument, float value);

    abstract void put(int argument, double value);

    /** A row in the row codec, in the memory of the call. */
    static final class OfRow extends Arguments {
        private final RowWriter writer;
        private int start;

        OfRow(RowWriter writer, boolean[] skipOnNull) {
            super(skipOnNull);
            this.writer = writer;
        }

        @Override
        void begin() {
            super.begin();
            writer.start(start);
        }

        @Override
        void put(int argument, boolean value) {
            writer.put(argument, value);
        }

        @Override
        void put(int argument, long value) {
            writer.put(argument, value);
        }

        @Override
        void put(int argument, float value) {
            writer.put(argument, value);
        }

        @Override
        void put(int argument, double value) {
            writer.put(argument, value);
        }

        @Override
        void put(int argument, @Nullable Object value) {
            if (!skips(argument, value)) {
                writer.put(argument, value);
            }
        }

        /** Ends a message that starts at 0; returns its length. */
        int finish() {
            return writer.finish();
        }

        /**
         * Ends a message that starts there, moving it if need be. The next one is started there,
         * since accumulators seldom change their size.
         *
         * @return the position behind it
         */
        int finish(int at) {
            start = at;
            return writer.finish(at);
        }
    }

    /** At most four numbers, and which of them are NULL. */
    static final class OfFixed extends Arguments {
        private final long[] values = new long[4];
        private long nulls;

        OfFixed(boolean[] skipOnNull) {
            super(skipOnNull);
        }

        @Override
        void begin() {
            super.begin();
            nulls = 0;
        }

        @Override
        void put(int argument, boolean value) {
            values[argument] = value ? 1 : 0;
        }

        @Override
        void put(int argument, long value) {
            values[argument] = value;
        }

        @Override
        void put(int argument, float value) {
            values[argument] = Float.floatToRawIntBits(value) & 0xffffffffL;
        }

        @Override
        void put(int argument, double value) {
            values[argument] = Double.doubleToRawLongBits(value);
        }

        @Override
        void put(int argument, @Nullable Object value) {
            if (skips(argument, value)) {
                return;
            }
            if (value == null) {
                nulls |= 1L << argument;
                values[argument] = 0;
            } else if (value instanceof Boolean) {
                put(argument, (boolean) value);
            } else if (value instanceof Float) {
                put(argument, (float) value);
            } else if (value instanceof Double) {
                put(argument, (double) value);
            } else {
                put(argument, ((Number) value).longValue());
            }
        }

        /** Bit i is set if argument i is NULL. */
        long nulls() {
            return nulls;
        }

        long get(int argument) {
            return values[argument];
        }
    }

    /** One string of bytes, handed over as it is. */
    static final class OfBytes extends Arguments {
        private final BytesWriter writer;
        private int length;

        OfBytes(BytesWriter writer, boolean[] skipOnNull) {
            super(skipOnNull);
            this.writer = writer;
        }

        @Override
        void put(int argument, boolean value) {
            throw notBytes();
        }

        @Override
        void put(int argument, long value) {
            throw notBytes();
        }

        @Override
        void put(int argument, float value) {
            throw notBytes();
        }

        @Override
        void put(int argument, double value) {
            throw notBytes();
        }

        private static IllegalStateException notBytes() {
            return new IllegalStateException(
                    "a number where the manifest says bytes; build the jar again");
        }

        @Override
        void put(int argument, @Nullable Object value) {
            if (!skips(argument, value)) {
                length = writer.write(0, value);
            }
        }

        int finish() {
            return length;
        }
    }
}
