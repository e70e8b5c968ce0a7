package dev.drey.flink.udf.codec;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** The readers of values that fit into their slot. */
final class FixedReaders {
    private FixedReaders() {}

    /** A value that needs nothing of its container. */
    abstract static class Fixed extends ValueReader {
        Fixed(LogicalType type, String path) {
            super(type, path, 0);
        }

        abstract Object slot(ByteBuffer b, int at);

        abstract Object element(ByteBuffer b, int at);

        @Override
        final Object slot(Input in, int base, int first, int end, int at) {
            return slot(in.buffer, at);
        }

        @Override
        final Object element(Input in, int base, int first, int end, int at) {
            return element(in.buffer, at);
        }
    }

    /** A value that is a word of 8 bytes in a row, in the codec and in Flink's binary rows. */
    abstract static class Word extends Fixed {
        /** Whether both words are the same and there is nothing to check. */
        final boolean raw;

        Word(LogicalType type, String path, boolean raw) {
            super(type, path);
            this.raw = raw;
        }

        /** The slot of Flink's binary row. */
        abstract long word(ByteBuffer b, int at);
    }

    static final class OfBoolean extends Word {
        OfBoolean(LogicalType type, String path) {
            super(type, path, false);
        }

        @Override
        long word(ByteBuffer b, int at) {
            return bool(b.getLong(at)) ? 1 : 0;
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return bool(b.getLong(at));
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return bool(b.get(at));
        }

        @Override
        ArrayData elements(Input in, int at, int n) {
            boolean[] all = new boolean[n];
            for (int i = 0; i < n; i++) {
                all[i] = bool(in.buffer.get(at + i));
            }
            return new GenericArrayData(all);
        }

        boolean bool(long value) {
            if (value >>> 1 != 0) {
                throw refuse(value + " is no BOOLEAN");
            }
            return value == 1;
        }
    }

    static final class OfByte extends Word {
        OfByte(LogicalType type, String path) {
            super(type, path, false);
        }

        @Override
        long word(ByteBuffer b, int at) {
            return checked(b, at) & 0xffL;
        }

        private byte checked(ByteBuffer b, int at) {
            long value = b.getLong(at);
            if ((byte) value != value) {
                throw refuse(value + " is no TINYINT");
            }
            return (byte) value;
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return checked(b, at);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return b.get(at);
        }

        @Override
        ArrayData elements(Input in, int at, int n) {
            return new GenericArrayData(in.bytes(at, n));
        }
    }

    static final class OfShort extends Word {
        OfShort(LogicalType type, String path) {
            super(type, path, false);
        }

        @Override
        long word(ByteBuffer b, int at) {
            return checked(b, at) & 0xffffL;
        }

        private short checked(ByteBuffer b, int at) {
            long value = b.getLong(at);
            if ((short) value != value) {
                throw refuse(value + " is no SMALLINT");
            }
            return (short) value;
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return checked(b, at);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return b.getShort(at);
        }

        @Override
        ArrayData elements(Input in, int at, int n) {
            short[] all = new short[n];
            in.buffer.position(at);
            in.buffer.asShortBuffer().get(all);
            return new GenericArrayData(all);
        }
    }

    /** INT, DATE, INTERVAL YEAR TO MONTH. */
    static final class OfInt extends Word {
        private final String root;

        OfInt(LogicalType type, String path) {
            super(type, path, false);
            root = type.getTypeRoot().toString();
        }

        @Override
        long word(ByteBuffer b, int at) {
            return checked(b, at) & 0xffffffffL;
        }

        private int checked(ByteBuffer b, int at) {
            long value = b.getLong(at);
            if ((int) value != value) {
                throw refuse(value + " is no " + root);
            }
            return (int) value;
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return checked(b, at);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return b.getInt(at);
        }

        @Override
        ArrayData elements(Input in, int at, int n) {
            int[] all = new int[n];
            in.buffer.position(at);
            in.buffer.asIntBuffer().get(all);
            return new GenericArrayData(all);
        }
    }

    /** TIME: milliseconds of the day. */
    static final class OfTime extends Word {
        private static final int MILLIS_PER_DAY = 86_400_000;

        OfTime(LogicalType type, String path) {
            super(type, path, false);
        }

        @Override
        long word(ByteBuffer b, int at) {
            return time(b.getLong(at));
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return time(b.getLong(at));
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return time(b.getInt(at));
        }

        private int time(long value) {
            if (value < 0 || value >= MILLIS_PER_DAY) {
                throw refuse(value + " milliseconds are no time of the day");
            }
            return (int) value;
        }
    }

    /** BIGINT, INTERVAL DAY TO SECOND. */
    static final class OfLong extends Word {
        OfLong(LogicalType type, String path) {
            super(type, path, true);
        }

        @Override
        long word(ByteBuffer b, int at) {
            return b.getLong(at);
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return b.getLong(at);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return b.getLong(at);
        }

        @Override
        ArrayData elements(Input in, int at, int n) {
            long[] all = new long[n];
            in.buffer.position(at);
            in.buffer.asLongBuffer().get(all);
            return new GenericArrayData(all);
        }
    }

    static final class OfFloat extends Word {
        OfFloat(LogicalType type, String path) {
            super(type, path, false);
        }

        @Override
        long word(ByteBuffer b, int at) {
            long bits = b.getLong(at);
            if (bits >>> 32 != 0) {
                throw refuse("the upper half of a FLOAT is not zero");
            }
            return bits;
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return Float.intBitsToFloat((int) word(b, at));
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return b.getFloat(at);
        }

        @Override
        ArrayData elements(Input in, int at, int n) {
            float[] all = new float[n];
            in.buffer.position(at);
            in.buffer.asFloatBuffer().get(all);
            return new GenericArrayData(all);
        }
    }

    static final class OfDouble extends Word {
        OfDouble(LogicalType type, String path) {
            super(type, path, true);
        }

        @Override
        long word(ByteBuffer b, int at) {
            return b.getLong(at);
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return b.getDouble(at);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return b.getDouble(at);
        }

        @Override
        ArrayData elements(Input in, int at, int n) {
            double[] all = new double[n];
            in.buffer.position(at);
            in.buffer.asDoubleBuffer().get(all);
            return new GenericArrayData(all);
        }
    }

    /** DECIMAL to 18 digits: the unscaled value. */
    static final class OfCompactDecimal extends Word {
        private final int precision;
        private final int scale;
        private final long limit;

        OfCompactDecimal(LogicalType type, String path) {
            super(type, path, false);
            precision = LogicalTypeChecks.getPrecision(type);
            scale = LogicalTypeChecks.getScale(type);
            limit = BigInteger.TEN.pow(precision).longValueExact();
        }

        @Override
        long word(ByteBuffer b, int at) {
            long unscaled = b.getLong(at);
            if (unscaled >= limit || unscaled <= -limit) {
                throw refuse(
                        unscaled + " unscaled is no DECIMAL(" + precision + ", " + scale + ")");
            }
            return unscaled;
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return DecimalData.fromUnscaledLong(word(b, at), precision, scale);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return slot(b, at);
        }
    }

    /** DECIMAL of more than 18 digits: 128 bits. */
    static final class OfWideDecimal extends Fixed {
        private final int precision;
        private final int scale;
        private final BigInteger limit;

        OfWideDecimal(LogicalType type, String path) {
            super(type, path);
            precision = LogicalTypeChecks.getPrecision(type);
            scale = LogicalTypeChecks.getScale(type);
            limit = BigInteger.TEN.pow(precision);
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            long low = b.getLong(at);
            long high = b.getLong(at + 8);
            BigInteger unscaled = BigInteger.valueOf(low);
            if (high != low >> Long.SIZE - 1) { // does not fit into 64 bits
                ByteBuffer bytes = ByteBuffer.allocate(16);
                unscaled = new BigInteger(bytes.putLong(high).putLong(low).array());
                if (unscaled.abs().compareTo(limit) >= 0) {
                    throw refuse(
                            unscaled + " unscaled is no DECIMAL(" + precision + ", " + scale + ")");
                }
            }
            return DecimalData.fromBigDecimal(new BigDecimal(unscaled, scale), precision, scale);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return slot(b, at);
        }
    }

    /** TIMESTAMP and TIMESTAMP_LTZ of milliseconds. */
    static final class OfMillis extends Word {
        OfMillis(LogicalType type, String path) {
            super(type, path, true);
        }

        @Override
        long word(ByteBuffer b, int at) {
            return b.getLong(at);
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            return TimestampData.fromEpochMillis(b.getLong(at));
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return slot(b, at);
        }
    }

    /** TIMESTAMP and TIMESTAMP_LTZ of more than milliseconds. */
    static final class OfNanos extends Fixed {
        private static final int NANOS_PER_MILLI = 1_000_000;

        OfNanos(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        Object slot(ByteBuffer b, int at) {
            long nanos = b.getLong(at + 8);
            if (nanos < 0 || nanos >= NANOS_PER_MILLI) {
                throw refuse((nanos & 0xffffffffL) + " nanoseconds of a millisecond");
            }
            return TimestampData.fromEpochMillis(b.getLong(at), (int) nanos);
        }

        @Override
        Object element(ByteBuffer b, int at) {
            return slot(b, at);
        }
    }
}
