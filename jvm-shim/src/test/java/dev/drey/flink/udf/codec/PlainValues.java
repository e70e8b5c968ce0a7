package dev.drey.flink.udf.codec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** Flink's values as lists and maps that Java compares, whatever class Flink holds them in. */
public final class PlainValues {
    private PlainValues() {}

    /** The value of a type, in which the order of a map's keys is of no account. */
    public static Object of(LogicalType type, Object value) {
        if (value == null) {
            return null;
        }
        switch (type.getTypeRoot()) {
            case BINARY:
            case VARBINARY:
                List<Byte> bytes = new ArrayList<>();
                for (byte b : (byte[]) value) {
                    bytes.add(b);
                }
                return bytes;
            case ARRAY:
                return list(((ArrayType) type).getElementType(), (ArrayData) value);
            case MAP:
            case MULTISET:
                MapData map = (MapData) value;
                List<Object> keys = list(Types.key(type), map.keyArray());
                List<Object> values = list(Types.value(type), map.valueArray());
                Map<Object, Object> entries = new LinkedHashMap<>();
                for (int i = 0; i < keys.size(); i++) {
                    entries.put(keys.get(i), values.get(i));
                }
                return entries;
            case ROW:
                RowData row = (RowData) value;
                List<LogicalType> types = LogicalTypeChecks.getFieldTypes(type);
                List<Object> fields = new ArrayList<>();
                for (int i = 0; i < types.size(); i++) {
                    fields.add(
                            of(
                                    types.get(i),
                                    RowData.createFieldGetter(types.get(i), i)
                                            .getFieldOrNull(row)));
                }
                return fields;
            default:
                return value;
        }
    }

    private static List<Object> list(LogicalType element, ArrayData array) {
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(element);
        List<Object> list = new ArrayList<>();
        for (int i = 0; i < array.size(); i++) {
            list.add(of(element, getter.getElementOrNull(array, i)));
        }
        return list;
    }
}
