package dev.drey.flink.udf.codec;

import java.util.List;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.MultisetType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** What the codec asks of Flink's types. */
final class Types {
    private static final LogicalType COUNT = new IntType(false);

    private Types() {}

    static boolean compactDecimal(LogicalType type) {
        return DecimalData.isCompact(LogicalTypeChecks.getPrecision(type));
    }

    static boolean compactTimestamp(LogicalType type) {
        return TimestampData.isCompact(LogicalTypeChecks.getPrecision(type));
    }

    static List<LogicalType> fields(LogicalType row) {
        return LogicalTypeChecks.getFieldTypes(row);
    }

    static List<String> fieldNames(LogicalType row) {
        return LogicalTypeChecks.getFieldNames(row);
    }

    static LogicalType element(LogicalType array) {
        return ((ArrayType) array).getElementType();
    }

    /** The keys of a MAP, the elements of a MULTISET. NULL is no key in the codec. */
    static LogicalType key(LogicalType map) {
        LogicalType key =
                map instanceof MapType
                        ? ((MapType) map).getKeyType()
                        : ((MultisetType) map).getElementType();
        return key.copy(false);
    }

    /** The values of a MAP, the counts of a MULTISET. */
    static LogicalType value(LogicalType map) {
        return map instanceof MapType ? ((MapType) map).getValueType() : COUNT;
    }

    static RowCodecException unsupported(LogicalType type) {
        return new RowCodecException(
                type.asSummaryString()
                        + " has no form in the row codec; pass it as STRING or BYTES");
    }
}
