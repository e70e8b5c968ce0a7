package dev.drey.flink.udf.codec;

import javax.annotation.Nullable;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * Reads values of one SQL type into what Flink holds inside, prepared once. Values are of their own
 * memory: the message may be overwritten afterwards. Immutable.
 */
abstract class ValueReader {
    private final String path;
    private final boolean nullable;

    /** Bytes of the value as an element of an array. */
    final int elementWidth;

    /** How many regions a byte of the value may be in. */
    final int depth;

    ValueReader(LogicalType type, String path, int depth) {
        this.path = path;
        this.nullable = type.isNullable();
        this.elementWidth = Layout.elementWidth(type);
        this.depth = depth;
    }

    /**
     * Reads the value of a slot that is not NULL.
     *
     * @param base where the container starts
     * @param first where its variable part starts
     * @param end where it ends
     */
    abstract Object slot(Input in, int base, int first, int end, int at);

    /** Reads an element of an array that is not NULL. */
    abstract Object element(Input in, int base, int first, int end, int at);

    /** Reads the elements of an array without NULLs, if there is a shorter way than one by one. */
    @Nullable
    ArrayData elements(Input in, int at, int n) {
        return null;
    }

    /** Refuses a NULL that the type has no place for. */
    final void checkNullable() {
        if (!nullable) {
            throw refuse("is NULL but declared NOT NULL");
        }
    }

    final RowCodecException refuse(String reason) {
        return new RowCodecException(path + ": " + reason);
    }

    /**
     * Reads an array.
     *
     * @param start its first byte
     * @param end the one after its last
     */
    final ArrayData array(Input in, int start, int end) {
        if (end - start < 4) {
            throw refuse("an array of " + (end - start) + " bytes");
        }
        long count = in.buffer.getInt(start) & 0xffffffffL;
        long bitmapBytes = (count + 7) >>> 3;
        long fixed = 4 + bitmapBytes + count * elementWidth;
        if (fixed > end - start) {
            throw refuse(count + " elements in an array of " + (end - start) + " bytes");
        }
        int n = (int) count;
        int bitmap = start + 4;
        int at = bitmap + (int) bitmapBytes;
        if (!hasNulls(in, bitmap, n)) {
            ArrayData all = elements(in, at, n);
            if (all != null) {
                return all;
            }
        }
        Object[] values = new Object[n];
        int first = start + (int) fixed;
        for (int i = 0; i < n; i++, at += elementWidth) {
            if ((in.buffer.get(bitmap + (i >>> 3)) >> (i & 7) & 1) == 0) {
                values[i] = element(in, start, first, end, at);
            } else {
                checkNullable();
            }
        }
        return new GenericArrayData(values);
    }

    private boolean hasNulls(Input in, int bitmap, int n) {
        int any = 0;
        for (int i = 0; i < n >>> 3; i++) {
            any |= in.buffer.get(bitmap + i);
        }
        if ((n & 7) != 0) {
            int last = in.buffer.get(bitmap + (n >>> 3)) & 0xff;
            if (last >>> (n & 7) != 0) {
                throw refuse("null bits beyond the last of " + n + " elements");
            }
            any |= last;
        }
        return any != 0;
    }
}
