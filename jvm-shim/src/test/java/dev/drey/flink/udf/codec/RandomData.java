package dev.drey.flink.udf.codec;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BinaryType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.CharType;
import org.apache.flink.table.types.logical.DateType;
import org.apache.flink.table.types.logical.DayTimeIntervalType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.DoubleType;
import org.apache.flink.table.types.logical.FloatType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.MultisetType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.SmallIntType;
import org.apache.flink.table.types.logical.TimeType;
import org.apache.flink.table.types.logical.TimestampType;
import org.apache.flink.table.types.logical.TinyIntType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.table.types.logical.YearMonthIntervalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** Random types and values of them, as Flink holds them inside. The same seed gives the same. */
public final class RandomData {
    private static final String[] STRINGS = {
        "",
        "a",
        "0123456",
        "01234567",
        "gleichviel",
        "größer als die Rübe",
        "数据流",
        "🐿 drey",
        "\0nul"
    };
    private static final long[] LONGS = {0, 1, -1, Long.MAX_VALUE, Long.MIN_VALUE};

    private final Random random;

    /** A source with this seed. */
    public RandomData(long seed) {
        random = new Random(seed);
    }

    /** Up to so many columns, a ROW NOT NULL. */
    public RowType rowType(int columns, int depth) {
        List<RowType.RowField> fields = new ArrayList<>();
        int n = 1 + random.nextInt(columns);
        for (int i = 0; i < n; i++) {
            fields.add(new RowType.RowField("f" + i, type(depth)));
        }
        return new RowType(false, fields);
    }

    /** A type that nests at most so deep. */
    public LogicalType type(int depth) {
        boolean nullable = random.nextInt(3) != 0;
        return type(random.nextInt(depth > 0 ? 24 : 20), depth).copy(nullable);
    }

    private LogicalType type(int kind, int depth) {
        switch (kind) {
            case 0:
                return new BooleanType();
            case 1:
                return new TinyIntType();
            case 2:
                return new SmallIntType();
            case 3:
                return new IntType();
            case 4:
                return new BigIntType();
            case 5:
                return new FloatType();
            case 6:
                return new DoubleType();
            case 7:
                return new DateType();
            case 8:
                return new TimeType(3);
            case 9:
                return new YearMonthIntervalType(
                        YearMonthIntervalType.YearMonthResolution.YEAR_TO_MONTH);
            case 10:
                return new DayTimeIntervalType(
                        DayTimeIntervalType.DayTimeResolution.DAY_TO_SECOND, 6, 3);
            case 11:
            case 12:
                int precision = 1 + random.nextInt(kind == 11 ? 18 : 38);
                return new DecimalType(precision, random.nextInt(precision + 1));
            case 13:
                return new TimestampType(random.nextInt(10));
            case 14:
                return new LocalZonedTimestampType(random.nextInt(10));
            case 15:
            case 16:
                return VarCharType.STRING_TYPE;
            case 17:
                return new CharType(3);
            case 18:
                return new VarBinaryType(VarBinaryType.MAX_LENGTH);
            case 19:
                return new BinaryType(4);
            case 20:
                return new ArrayType(type(depth - 1));
            case 21:
                return new MapType(keyType(), type(depth - 1));
            case 22:
                return new MultisetType(keyType());
            default:
                return rowType(5, depth - 1);
        }
    }

    private LogicalType keyType() {
        // Keys that Java's maps compare by value; -0.0 and NaN are their own affair.
        int[] kinds = {0, 1, 2, 3, 4, 7, 8, 11, 13, 15};
        return type(kinds[random.nextInt(kinds.length)], 0).copy(false);
    }

    /** A row of a type. */
    public GenericRowData row(LogicalType type) {
        return (GenericRowData) value(type.copy(false));
    }

    /** A value of a type, null now and then if it may be. */
    public Object value(LogicalType type) {
        if (type.isNullable() && random.nextInt(4) == 0) {
            return null;
        }
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return random.nextBoolean();
            case TINYINT:
                return (byte) integer();
            case SMALLINT:
                return (short) integer();
            case INTEGER:
            case INTERVAL_YEAR_MONTH:
            case DATE:
                return (int) integer();
            case TIME_WITHOUT_TIME_ZONE:
                return random.nextInt(86_400_000);
            case BIGINT:
                return integer();
            case INTERVAL_DAY_TIME:
                return integer() % 9_000_000_000_000L; // what Go's time.Duration holds
            case FLOAT: // one NaN only: Flink does not keep the bits of others
                float single = Float.intBitsToFloat(random.nextInt());
                return random.nextInt(8) == 0 || single != single ? Float.NaN : single;
            case DOUBLE:
                double number = Double.longBitsToDouble(random.nextLong());
                return random.nextInt(8) == 0 || number != number ? Double.NaN : number;
            case DECIMAL:
                return decimal(
                        LogicalTypeChecks.getPrecision(type), LogicalTypeChecks.getScale(type));
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return timestamp(LogicalTypeChecks.getPrecision(type));
            case CHAR:
                return StringData.fromString(random.nextBoolean() ? "abc" : "äöü");
            case VARCHAR:
                String text = STRINGS[random.nextInt(STRINGS.length)];
                boolean fits =
                        text.codePointCount(0, text.length()) <= LogicalTypeChecks.getLength(type);
                return StringData.fromString(fits ? text : "a");
            case BINARY:
            case VARBINARY:
                byte[] bytes = new byte[length(type)];
                random.nextBytes(bytes);
                return bytes;
            case ARRAY:
                return array(((ArrayType) type).getElementType());
            case MAP:
                return map(((MapType) type).getKeyType(), ((MapType) type).getValueType());
            case MULTISET:
                return map(((MultisetType) type).getElementType(), new IntType(false));
            case ROW:
                List<LogicalType> fields = LogicalTypeChecks.getFieldTypes(type);
                GenericRowData row = new GenericRowData(fields.size());
                for (int i = 0; i < fields.size(); i++) {
                    row.setField(i, value(fields.get(i)));
                }
                return row;
            default:
                throw new IllegalArgumentException(type.asSummaryString());
        }
    }

    private int length(LogicalType type) {
        int length = LogicalTypeChecks.getLength(type);
        return type instanceof BinaryType ? length : random.nextInt(1 + Math.min(length, 40));
    }

    private long integer() {
        return random.nextInt(3) == 0 ? LONGS[random.nextInt(LONGS.length)] : random.nextLong();
    }

    private DecimalData decimal(int precision, int scale) {
        BigInteger limit = BigInteger.TEN.pow(precision);
        BigInteger unscaled =
                random.nextInt(4) == 0
                        ? limit.subtract(BigInteger.ONE)
                        : new BigInteger(limit.bitLength(), random).mod(limit);
        return DecimalData.fromBigDecimal(
                new BigDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), scale),
                precision,
                scale);
    }

    private TimestampData timestamp(int precision) {
        long millis = integer() % 100_000_000_000_000L;
        int unit = 1;
        for (int p = precision; p < 9; p++) {
            unit *= 10;
        }
        int nanos = random.nextInt(1_000_000);
        return TimestampData.fromEpochMillis(
                precision < 3 ? millis - Math.floorMod(millis, unit / 1_000_000) : millis,
                precision <= 3 ? 0 : nanos - nanos % unit);
    }

    private GenericArrayData array(LogicalType element) {
        int n = random.nextInt(12);
        if (element instanceof BigIntType && random.nextBoolean()) {
            return new GenericArrayData(random.longs(n).toArray());
        }
        Object[] values = new Object[n];
        for (int i = 0; i < n; i++) {
            values[i] = value(element);
        }
        return new GenericArrayData(values);
    }

    private GenericMapData map(LogicalType key, LogicalType value) {
        Map<Object, Object> entries = new LinkedHashMap<>();
        int n = random.nextInt(6);
        for (int i = 0; i < n; i++) {
            entries.put(value(key), value(value));
        }
        return new GenericMapData(entries);
    }
}
