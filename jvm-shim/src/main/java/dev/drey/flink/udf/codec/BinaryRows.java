package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import javax.annotation.Nullable;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.binary.BinaryRowData;

/**
 * Reads rows into Flink's own binary form ({@link BinaryRowData}), byte for byte as Flink's writer
 * makes it. That is little more than a copy, where a GenericRowData is an object for each field,
 * which the next operator or the network takes apart again. For rows whose columns are words,
 * strings and bytes; see {@link #of}. Immutable.
 */
final class BinaryRows {
    /** Bits of Flink's bitmap that are not of columns: they hold the kind of the row. */
    private static final int KIND_BITS = BinaryRowData.HEADER_SIZE_IN_BITS;

    /** Bytes that fit into a slot together with their number. */
    private static final int INLINE = 7;

    private final Layout layout;
    private final ValueReader[] columns;

    /** For each column, its words if they are read as such, null for strings and bytes. */
    private final FixedReaders.Word[] words;

    /** Whether each word is taken as it is: so are most, and the call is saved. */
    private final boolean[] raw;

    /** The columns of strings and bytes. */
    private final int[] plain;

    private final int bitmap;
    private final int fixed;

    private BinaryRows(Layout layout, ValueReader[] columns, FixedReaders.Word[] words, int plain) {
        this.layout = layout;
        this.columns = columns;
        this.words = words;
        this.raw = new boolean[columns.length];
        this.plain = new int[plain];
        int next = 0;
        for (int i = 0; i < columns.length; i++) {
            raw[i] = words[i] != null && words[i].raw;
            if (words[i] == null) {
                this.plain[next++] = i;
            }
        }
        bitmap = BinaryRowData.calculateBitSetWidthInBytes(columns.length);
        fixed = bitmap + 8 * columns.length;
    }

    /** A reader of rows of these columns; null if one of them has another form. */
    @Nullable
    static BinaryRows of(Layout layout, ValueReader[] columns) {
        FixedReaders.Word[] words = new FixedReaders.Word[columns.length];
        int plain = 0;
        for (int i = 0; i < columns.length; i++) {
            if (columns[i] instanceof FixedReaders.Word) {
                words[i] = (FixedReaders.Word) columns[i];
            } else if (columns[i] instanceof VariableReaders.Plain) {
                plain++;
            } else {
                return null;
            }
        }
        return new BinaryRows(layout, columns, words, plain);
    }

    /** Reads a row whose bytes are all there, from start to end. */
    BinaryRowData read(Input in, int start, int end) {
        int size = size(in, start, end);
        MemorySegment row = MemorySegmentFactory.wrap(new byte[size]);
        ByteBuffer b = in.buffer;
        int cursor = fixed;
        long nulls = 0;
        for (int i = 0; i < columns.length; i++) {
            if ((i & 63) == 0) {
                nulls = b.getLong(start + (i >>> 3));
                putNulls(row, i >>> 3, nulls);
            }
            if ((nulls >>> i & 1) != 0) {
                columns[i].checkNullable();
                continue;
            }
            int from = start + layout.slots[i];
            int to = bitmap + 8 * i;
            if (raw[i]) {
                row.putLong(to, b.getLong(from));
            } else if (words[i] != null) {
                row.putLong(to, words[i].word(b, from));
            } else {
                int at = start + b.getInt(from);
                int length = in.length(from);
                if (length <= INLINE) {
                    row.putLong(to, inline(b, at, length));
                } else {
                    b.position(at);
                    row.put(cursor, b, length);
                    row.putLong(to, (long) cursor << 32 | length);
                    cursor += length + 7 & ~7;
                }
            }
        }
        BinaryRowData result = new BinaryRowData(columns.length);
        result.pointTo(row, 0, size);
        return result;
    }

    /** Bytes of the row, whose regions are checked on the way. */
    private int size(Input in, int start, int end) {
        long size = fixed;
        for (int i : plain) {
            if (!layout.isNull(in.buffer, start, i)) {
                int slot = start + layout.slots[i];
                in.region(start, start + layout.fixed, end, slot, columns[i]);
                int length = in.length(slot);
                if (length > INLINE) {
                    size += (long) length + 7 & ~7;
                }
            }
        }
        if (size > Integer.MAX_VALUE - 8) {
            throw new RowCodecException("a row has more than 2 GiB; return less from one call");
        }
        return (int) size;
    }

    /** Puts 64 bits of the message's bitmap, from that byte on, behind the bits of the kind. */
    private void putNulls(MemorySegment row, int at, long nulls) {
        row.putLong(at, row.getLong(at) | nulls << KIND_BITS);
        if (at + 8 < bitmap) {
            row.putLong(at + 8, nulls >>> Long.SIZE - KIND_BITS);
        }
    }

    /**
     * A short string in its slot: its length and a mark in the highest byte, below it its bytes.
     */
    private static long inline(ByteBuffer b, int at, int length) {
        long bytes = 0;
        if (b.capacity() - at >= 8) {
            bytes = b.getLong(at) & (1L << 8 * length) - 1;
        } else {
            for (int i = 0; i < length; i++) {
                bytes |= (b.get(at + i) & 0xffL) << 8 * i;
            }
        }
        return (0x80L | length) << 56 | bytes;
    }
}
