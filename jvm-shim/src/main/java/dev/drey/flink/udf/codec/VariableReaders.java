package dev.drey.flink.udf.codec;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.LogicalType;

/** The readers of values that stand behind the slots. */
final class VariableReaders {
    private VariableReaders() {}

    /** The reader of a type. */
    static ValueReader of(LogicalType type, String path) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return new FixedReaders.OfBoolean(type, path);
            case TINYINT:
                return new FixedReaders.OfByte(type, path);
            case SMALLINT:
                return new FixedReaders.OfShort(type, path);
            case INTEGER:
            case DATE:
            case INTERVAL_YEAR_MONTH:
                return new FixedReaders.OfInt(type, path);
            case TIME_WITHOUT_TIME_ZONE:
                return new FixedReaders.OfTime(type, path);
            case BIGINT:
            case INTERVAL_DAY_TIME:
                return new FixedReaders.OfLong(type, path);
            case FLOAT:
                return new FixedReaders.OfFloat(type, path);
            case DOUBLE:
                return new FixedReaders.OfDouble(type, path);
            case DECIMAL:
                return Types.compactDecimal(type)
                        ? new FixedReaders.OfCompactDecimal(type, path)
                        : new FixedReaders.OfWideDecimal(type, path);
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return Types.compactTimestamp(type)
                        ? new FixedReaders.OfMillis(type, path)
                        : new FixedReaders.OfNanos(type, path);
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

    /** A value whose slot names a region. */
    abstract static class Variable extends ValueReader {
        Variable(LogicalType type, String path, int depth) {
            super(type, path, depth);
        }

        abstract Object region(Input in, int start, int length);

        @Override
        final Object slot(Input in, int base, int first, int end, int at) {
            int start = in.region(base, first, end, at, this);
            return region(in, start, in.length(at));
        }

        @Override
        final Object element(Input in, int base, int first, int end, int at) {
            return slot(in, base, first, end, at);
        }
    }

    /** A value whose region is nothing but its bytes. */
    abstract static class Plain extends Variable {
        Plain(LogicalType type, String path) {
            super(type, path, 1);
        }
    }

    static final class OfString extends Plain {
        OfString(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        Object region(Input in, int start, int length) {
            return StringData.fromBytes(in.bytes(start, length));
        }
    }

    static final class OfBytes extends Plain {
        OfBytes(LogicalType type, String path) {
            super(type, path);
        }

        @Override
        Object region(Input in, int start, int length) {
            return in.bytes(start, length);
        }
    }

    static final class OfArray extends Variable {
        private final ValueReader elements;

        OfArray(LogicalType type, String path) {
            this(type, path, of(Types.element(type), path + "[]"));
        }

        private OfArray(LogicalType type, String path, ValueReader elements) {
            super(type, path, 1 + elements.depth);
            this.elements = elements;
        }

        @Override
        Object region(Input in, int start, int length) {
            return elements.array(in, start, start + length);
        }
    }

    /** MAP and MULTISET. */
    static final class OfMap extends Variable {
        private final ValueReader keys;
        private final ValueReader values;
        private final ArrayData.ElementGetter key;
        private final ArrayData.ElementGetter value;

        OfMap(LogicalType type, String path) {
            this(
                    type,
                    path,
                    of(Types.key(type), path + " key"),
                    of(Types.value(type), path + " value"));
        }

        private OfMap(LogicalType type, String path, ValueReader keys, ValueReader values) {
            super(type, path, 1 + Math.max(keys.depth, values.depth));
            this.keys = keys;
            this.values = values;
            key = ArrayData.createElementGetter(Types.key(type));
            value = ArrayData.createElementGetter(Types.value(type));
        }

        @Override
        Object region(Input in, int start, int length) {
            if (length < 4) {
                throw refuse("a map of " + length + " bytes");
            }
            long keyBytes = in.buffer.getInt(start) & 0xffffffffL;
            if (4 + keyBytes > length) {
                throw refuse(keyBytes + " bytes of keys in a map of " + length);
            }
            int middle = start + 4 + (int) keyBytes;
            ArrayData keyArray = keys.array(in, start + 4, middle);
            ArrayData valueArray = values.array(in, middle, start + length);
            int n = keyArray.size();
            if (n != valueArray.size()) {
                throw refuse(n + " keys and " + valueArray.size() + " values");
            }
            Map<Object, Object> entries = new LinkedHashMap<>(n + n / 3 + 1);
            for (int i = 0; i < n; i++) {
                entries.put(
                        key.getElementOrNull(keyArray, i), value.getElementOrNull(valueArray, i));
            }
            return new GenericMapData(entries);
        }
    }

    /** A nested ROW. */
    static final class OfRow extends Variable {
        private final RowColumns columns;

        OfRow(LogicalType type, String path) {
            this(type, path, RowColumns.of(type, path));
        }

        private OfRow(LogicalType type, String path, RowColumns columns) {
            super(type, path, 1 + columns.depth);
            this.columns = columns;
        }

        @Override
        Object region(Input in, int start, int length) {
            return columns.read(in, start, length);
        }
    }
}
