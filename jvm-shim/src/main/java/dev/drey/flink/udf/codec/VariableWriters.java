package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import java.util.List;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.LogicalType;

/** The writers of values that stand behind the slots. */
final class VariableWriters {
    private VariableWriters() {}

    /** The writer of a type. */
    static ValueWriter of(LogicalType type, String path) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return new FixedWriters.OfBoolean(type, path);
            case TINYINT:
                return new FixedWriters.OfByte(type, path);
            case SMALLINT:
                return new FixedWriters.OfShort(type, path);
            case INTEGER:
            case DATE:
            case TIME_WITHOUT_TIME_ZONE:
            case INTERVAL_YEAR_MONTH:
                return new FixedWriters.OfInt(type, path);
            case BIGINT:
            case INTERVAL_DAY_TIME:
                return new FixedWriters.OfLong(type, path);
            case FLOAT:
                return new FixedWriters.OfFloat(type, path);
            case DOUBLE:
                return new FixedWriters.OfDouble(type, path);
            case DECIMAL:
                return new FixedWriters.OfDecimal(type, path);
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return new FixedWriters.OfTimestamp(type, path);
            case CHAR:
            case VARCHAR:
                return new OfString(type, path);
            case BINARY:
            case VARBINARY:
                return new OfBytes(type, path);
            case ARRAY:
                return new OfArray(type, path);
            case MAP:
            case MULTISET:
                return new OfMap(type, path);
            case ROW:
                return new OfRow(type, path);
            default:
                throw Types.unsupported(type);
        }
    }

    static final class OfString extends ValueWriter {
        OfString(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.region(base, at, out.bytes((StringData) value));
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.region(base, at, out.bytes(row.getString(column)));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.region(base, at, out.bytes(array.getString(index)));
        }
    }

    static final class OfBytes extends ValueWriter {
        OfBytes(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            out.region(base, at, out.bytes((byte[]) value));
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            out.region(base, at, out.bytes(row.getBinary(column)));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            out.region(base, at, out.bytes(array.getBinary(index)));
        }
    }

    /** Arrays, and the two arrays of a map. */
    static final class OfArray extends ValueWriter {
        private final ValueWriter elements;

        OfArray(LogicalType type, String path) {
            super(type, path);
            elements = of(Types.element(type), path + "[]");
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            write(out, base, at, (ArrayData) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            write(out, base, at, row.getArray(column));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            write(out, base, at, array.getArray(index));
        }

        private void write(Output out, int base, int at, ArrayData value) {
            int start = out.end();
            array(out, value, elements);
            out.region(base, at, start);
        }

        /** Writes an array at the end. */
        static void array(Output out, ArrayData array, ValueWriter elements) {
            int n = array.size();
            int width = elements.elementWidth;
            int bitmap = (n + 7) >>> 3;
            long bytes = 4L + bitmap + (long) n * width;
            if (bytes > Integer.MAX_VALUE) {
                throw elements.refuse(n + " elements are more than a message holds");
            }
            int start = out.reserve((int) bytes);
            ByteBuffer b = out.buffer;
            b.putInt(start, n);
            for (int i = 0; i < bitmap; i++) {
                b.put(start + 4 + i, (byte) 0);
            }
            int at = start + 4 + bitmap;
            for (int i = 0; i < n; i++, at += width) {
                if (array.isNullAt(i)) {
                    nullElement(out.buffer, elements, start + 4, at, i);
                } else {
                    elements.element(out, start, at, array, i);
                }
            }
        }

        private static void nullElement(
                ByteBuffer b, ValueWriter elements, int bitmap, int at, int index) {
            elements.checkNullable();
            int word = bitmap + (index >>> 3);
            b.put(word, (byte) (b.get(word) | 1 << (index & 7)));
            for (int i = 0; i < elements.elementWidth; i++) {
                b.put(at + i, (byte) 0);
            }
        }
    }

    /** MAP and MULTISET. */
    static final class OfMap extends ValueWriter {
        private final ValueWriter keys;
        private final ValueWriter values;

        OfMap(LogicalType type, String path) {
            super(type, path);
            keys = of(Types.key(type), path + " key");
            values = of(Types.value(type), path + " value");
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            write(out, base, at, (MapData) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            write(out, base, at, row.getMap(column));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            write(out, base, at, array.getMap(index));
        }

        private void write(Output out, int base, int at, MapData value) {
            int start = out.reserve(4);
            OfArray.array(out, value.keyArray(), keys);
            out.buffer.putInt(start, out.end() - start - 4);
            OfArray.array(out, value.valueArray(), values);
            out.region(base, at, start);
        }
    }

    /** A ROW, nested or the whole message's. */
    static final class OfRow extends ValueWriter {
        private final Layout layout;
        private final ValueWriter[] columns;

        /** For each column, whether it is one of those that need no virtual call. */
        private final int[] forms;

        OfRow(LogicalType type, String path) {
            super(type, path);
            List<LogicalType> fields = Types.fields(type);
            List<String> names = Types.fieldNames(type);
            layout = new Layout(fields);
            columns = new ValueWriter[fields.size()];
            forms = new int[columns.length];
            for (int i = 0; i < columns.length; i++) {
                columns[i] = of(fields.get(i), path + "." + names.get(i));
                forms[i] = form(columns[i]);
            }
        }

        private static final int OTHER = 0;
        private static final int LONG = 1;
        private static final int INT = 2;
        private static final int DOUBLE = 3;
        private static final int BOOLEAN = 4;
        private static final int STRING = 5;

        private static int form(ValueWriter column) {
            if (column instanceof FixedWriters.OfLong) {
                return LONG;
            } else if (column instanceof FixedWriters.OfInt) {
                return INT;
            } else if (column instanceof FixedWriters.OfDouble) {
                return DOUBLE;
            } else if (column instanceof FixedWriters.OfBoolean) {
                return BOOLEAN;
            }
            return column instanceof OfString ? STRING : OTHER;
        }

        @Override
        void slot(Output out, int base, int at, Object value) {
            write(out, base, at, (RowData) value);
        }

        @Override
        void slot(Output out, int base, int at, RowData row, int column) {
            write(out, base, at, row.getRow(column, columns.length));
        }

        @Override
        void element(Output out, int base, int at, ArrayData array, int index) {
            write(out, base, at, array.getRow(index, columns.length));
        }

        private void write(Output out, int base, int at, RowData row) {
            int start = out.reserve(layout.fixed);
            layout.clear(out.buffer, start);
            for (int i = 0; i < forms.length; i++) {
                int slot = start + layout.slots[i];
                if (row.isNullAt(i)) {
                    columns[i].nullColumn(out.buffer, start, slot, i);
                    continue;
                }
                // In this loop and not in a method of its own: HotSpot does not always inline that.
                switch (forms[i]) {
                    case LONG:
                        out.buffer.putLong(slot, row.getLong(i));
                        break;
                    case INT:
                        out.buffer.putLong(slot, row.getInt(i));
                        break;
                    case DOUBLE:
                        out.buffer.putLong(slot, Double.doubleToRawLongBits(row.getDouble(i)));
                        break;
                    case BOOLEAN:
                        out.buffer.putLong(slot, row.getBoolean(i) ? 1 : 0);
                        break;
                    case STRING:
                        out.region(start, slot, out.bytes(row.getString(i)));
                        break;
                    default:
                        columns[i].slot(out, start, slot, row, i);
                }
            }
            out.region(base, at, start);
        }
    }
}
