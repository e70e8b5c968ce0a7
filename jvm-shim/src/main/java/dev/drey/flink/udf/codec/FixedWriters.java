package dev.drey.flink.udf.codec;

import java.math.BigInteger;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** The writers of values that fit into their slot. */
final class FixedWriters {
    private FixedWriters() {}

    static final class OfBoolean extends ValueWriter {
        OfBoolean(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.buffer.putLong(at, (Boolean) value ? 1 : 0);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.buffer.putLong(at, row.getBoolean(column) ? 1 : 0);
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.buffer.put(at, (byte) (array.getBoolean(index) ? 1 : 0));
        }
    }

    static final class OfByte extends ValueWriter {
        OfByte(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.buffer.putLong(at, (Byte) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.buffer.putLong(at, row.getByte(column));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.buffer.put(at, array.getByte(index));
        }
    }

    static final class OfShort extends ValueWriter {
        OfShort(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.buffer.putLong(at, (Short) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.buffer.putLong(at, row.getShort(column));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.buffer.putShort(at, array.getShort(index));
        }
    }

    /** INT, DATE, TIME, INTERVAL YEAR TO MONTH. */
    static final class OfInt extends ValueWriter {
        OfInt(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.buffer.putLong(at, (Integer) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.buffer.putLong(at, row.getInt(column));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.buffer.putInt(at, array.getInt(index));
        }
    }

    /** BIGINT, INTERVAL DAY TO SECOND. */
    static final class OfLong extends ValueWriter {
        OfLong(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.buffer.putLong(at, (Long) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.buffer.putLong(at, row.getLong(column));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.buffer.putLong(at, array.getLong(index));
        }
    }

    static final class OfFloat extends ValueWriter {
        OfFloat(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.buffer.putLong(at, bits((Float) value));
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.buffer.putLong(at, bits(row.getFloat(column)));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.buffer.putInt(at, Float.floatToRawIntBits(array.getFloat(index)));
        }

        static long bits(float value) {
            return Float.floatToRawIntBits(value) & 0xffffffffL;
        }
    }

    static final class OfDouble extends ValueWriter {
        OfDouble(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.buffer.putLong(at, Double.doubleToRawLongBits((Double) value));
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.buffer.putLong(at, Double.doubleToRawLongBits(row.getDouble(column)));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.buffer.putLong(at, Double.doubleToRawLongBits(array.getDouble(index)));
        }
    }

    static final class OfDecimal extends ValueWriter {
        private final int precision;
        private final int scale;
        private final boolean compact;

        OfDecimal(LogicalType type, String path) {
            super(type, path);
            precision = LogicalTypeChecks.getPrecision(type);
            scale = LogicalTypeChecks.getScale(type);
            compact = DecimalData.isCompact(precision);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            write(out, at, (DecimalData) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            write(out, at, row.getDecimal(column, precision, scale));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            write(out, at, array.getDecimal(index, precision, scale));
        }

        private void write(Output out, int at, DecimalData value) {
            if (value.precision() != precision || value.scale() != scale) {
                value = fitting(value);
            }
            if (compact) {
                out.buffer.putLong(at, value.toUnscaledLong());
                return;
            }
            BigInteger unscaled = value.toBigDecimal().unscaledValue();
            long low = unscaled.longValue();
            out.buffer.putLong(at, low);
            out.buffer.putLong(
                    at + 8,
                    unscaled.bitLength() < Long.SIZE
                            ? low >> Long.SIZE - 1
                            : unscaled.shiftRight(Long.SIZE).longValue());
        }

        /** A value of another type of the family, as a source may hand it in. Never rounded. */
        private DecimalData fitting(DecimalData value) {
            DecimalData fits = DecimalData.fromBigDecimal(value.toBigDecimal(), precision, scale);
            if (fits == null || fits.toBigDecimal().compareTo(value.toBigDecimal()) != 0) {
                throw refuse(value + " is no DECIMAL(" + precision + ", " + scale + ")");
            }
            return fits;
        }
    }

    static final class OfTimestamp extends ValueWriter {
        private final int precision;
        private final boolean compact;

        OfTimestamp(LogicalType type, String path) {
            super(type, path);
            precision = LogicalTypeChecks.getPrecision(type);
            compact = TimestampData.isCompact(precision);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            write(out, at, (TimestampData) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            write(out, at, row.getTimestamp(column, precision));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            write(out, at, array.getTimestamp(index, precision));
        }

        private void write(Output out, int at, TimestampData value) {
            out.buffer.putLong(at, value.getMillisecond());
            if (!compact) {
                out.buffer.putLong(at + 8, value.getNanoOfMillisecond());
            }
        }
    }
}
