package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import java.util.List;
import org.apache.flink.table.types.logical.LogicalType;

/** Where the parts of a row stand, relative to its start. Immutable. */
final class Layout {
    /** Bytes before a message's first row: version, flags, columns, rows. */
    static final int HEADER = 8;

    /** The version of the codec, the first byte of a message. */
    static final int VERSION = 1;

    /** Most columns that a header can count. */
    static final int MAX_COLUMNS = 0xffff;

    /** Bytes of the null bitmap. */
    final int bitmap;

    /** The slot of each column. */
    final int[] slots;

    /** Bytes of the bitmap and all slots. */
    final int fixed;

    Layout(List<LogicalType> columns) {
        if (columns.size() > MAX_COLUMNS) {
            throw new RowCodecException(
                    columns.size() + " columns; a row has at most " + MAX_COLUMNS);
        }
        bitmap = 8 * ((columns.size() + 63) / 64);
        slots = new int[columns.size()];
        int at = bitmap;
        for (int i = 0; i < slots.length; i++) {
            slots[i] = at;
            at += slotWidth(columns.get(i));
        }
        fixed = at;
    }

    /** Zeroes the bitmap of a row that starts there. */
    void clear(ByteBuffer b, int start) {
        for (int i = 0; i < bitmap; i += 8) {
            b.putLong(start + i, 0);
        }
    }

    /** The header of a message of one row: version, flags, columns (16 bit), rows (32 bit). */
    static long oneRow(int columns) {
        return VERSION | (long) columns << 16 | 1L << 32;
    }

    /** Whether a column of the row that starts there is NULL. */
    boolean isNull(ByteBuffer b, int start, int column) {
        return (b.getLong(start + (column >>> 6 << 3)) >>> column & 1) != 0;
    }

    /** Bytes of a slot in a row: 16 for wide values, else 8. */
    static int slotWidth(LogicalType type) {
        return elementWidth(type) == 16 ? 16 : 8;
    }

    /** Bytes of an element of an array; variable values count with their offset and length. */
    static int elementWidth(LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
            case TINYINT:
                return 1;
            case SMALLINT:
                return 2;
            case INTEGER:
            case DATE:
            case TIME_WITHOUT_TIME_ZONE:
            case INTERVAL_YEAR_MONTH:
            case FLOAT:
                return 4;
            case DECIMAL:
                return Types.compactDecimal(type) ? 8 : 16;
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return Types.compactTimestamp(type) ? 8 : 16;
            default:
                return 8;
        }
    }
}
