package dev.drey.flink.udf.codec;

import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** The values of the golden messages, from their JSON form (ROWCODEC.md) to Flink's own. */
final class JsonValues {
    private JsonValues() {}

    static Object read(LogicalType type, JsonNode json) {
        if (json.isNull()) {
            return null;
        }
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return json.booleanValue();
            case TINYINT:
                return (byte) json.intValue();
            case SMALLINT:
                return (short) json.intValue();
            case INTEGER:
            case INTERVAL_YEAR_MONTH:
                return json.intValue();
            case BIGINT:
            case INTERVAL_DAY_TIME:
                return json.longValue();
            case FLOAT:
                return json.isTextual() ? Float.parseFloat(json.textValue()) : json.floatValue();
            case DOUBLE:
                return json.isTextual() ? Double.parseDouble(json.textValue()) : json.doubleValue();
            case DECIMAL:
                return DecimalData.fromBigDecimal(
                        new BigDecimal(json.textValue()),
                        LogicalTypeChecks.getPrecision(type),
                        LogicalTypeChecks.getScale(type));
            case DATE:
                return (int) LocalDate.parse(json.textValue()).toEpochDay();
            case TIME_WITHOUT_TIME_ZONE:
                return (int) (LocalTime.parse(json.textValue()).toNanoOfDay() / 1_000_000);
            case TIMESTAMP_WITHOUT_TIME_ZONE:
                return TimestampData.fromLocalDateTime(LocalDateTime.parse(json.textValue()));
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return TimestampData.fromInstant(Instant.parse(json.textValue()));
            case CHAR:
            case VARCHAR:
                return json.isTextual()
                        ? StringData.fromString(json.textValue())
                        : StringData.fromBytes(hex(json.get("hex").textValue()));
            case BINARY:
            case VARBINARY:
                return hex(json.get("hex").textValue());
            case ARRAY:
                List<Object> elements = new ArrayList<>();
                json.forEach(e -> elements.add(read(((ArrayType) type).getElementType(), e)));
                return new GenericArrayData(elements.toArray());
            case MAP:
            case MULTISET:
                Map<Object, Object> entries = new LinkedHashMap<>();
                json.forEach(
                        e ->
                                entries.put(
                                        read(Types.key(type), e.get(0)),
                                        read(Types.value(type), e.get(1))));
                return new GenericMapData(entries);
            case ROW:
                return row(LogicalTypeChecks.getFieldTypes(type), json);
            default:
                throw new IllegalArgumentException(type.asSummaryString());
        }
    }

    static GenericRowData row(List<LogicalType> types, JsonNode json) {
        GenericRowData row = new GenericRowData(types.size());
        for (int i = 0; i < types.size(); i++) {
            row.setField(i, read(types.get(i), json.get(i)));
        }
        return row;
    }

    static byte[] hex(String text) {
        byte[] bytes = new byte[text.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(text.substring(2 * i, 2 * i + 2), 16);
        }
        return bytes;
    }
}
