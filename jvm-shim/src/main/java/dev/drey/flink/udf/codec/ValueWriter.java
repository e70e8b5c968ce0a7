package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * Writes values of one SQL type, prepared once. Each source has a method of its own, so that
 * primitives are not boxed on the way from a row. Positions are absolute; {@code base} is where the
 * container of the value starts. Not for concurrent use.
 */
abstract class ValueWriter {
    private final String path;
    private final boolean nullable;

    /** Bytes of the value as an element of an array. */
    final int elementWidth;

    /**
     * @param path what the value is, for errors
     */
    ValueWriter(LogicalType type, String path) {
        this.path = path;
        this.nullable = type.isNullable();
        this.elementWidth = Layout.elementWidth(type);
    }

    /** Writes the slot of a value, not null, as Flink holds it inside. */
    abstract void slot(Output out, int base, int at, Object value);

    /** Writes the slot of a column, which is not NULL. */
    abstract void slot(Output out, int base, int at, RowData row, int column);

    /** Writes an element of an array, which is not NULL. */
    abstract void element(Output out, int base, int at, ArrayData array, int index);

    /** Writes an empty slot and the bit of a column that is NULL. */
    final void nullColumn(ByteBuffer b, int base, int at, int column) {
        checkNullable();
        int word = base + (column >>> 6 << 3);
        b.putLong(word, b.getLong(word) | 1L << column);
        b.putLong(at, 0);
        if (elementWidth == 16) {
            b.putLong(at + 8, 0);
        }
    }

    /** Refuses a NULL that the type has no place for. */
    final void checkNullable() {
        if (!nullable) {
            throw new RowCodecException(
                    path
                            + " is NULL but declared NOT NULL; make it a pointer or udf.Null in Go, or"
                            + " leave NULL out with COALESCE");
        }
    }

    final RowCodecException refuse(String reason) {
        return new RowCodecException(path + ": " + reason);
    }
}
