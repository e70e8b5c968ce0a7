package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/**
 * Reads messages: {@link #start}, then {@link #next} as often as there are rows, then {@link
 * #finish}. What it returns is of its own memory, so the message may be overwritten. Not for
 * concurrent use.
 *
 * <p>Messages are not trusted: whatever their bytes are, the only exception is {@link
 * RowCodecException}, and no more memory is taken than a constant times their length.
 */
public final class RowReader {
    private final RowColumns columns;
    private final boolean single;
    private final long oneRow;
    private final Input in = new Input();

    private int at;
    private int end;

    private RowReader(RowColumns columns, boolean single) {
        this.columns = columns;
        this.single = single;
        this.oneRow = Layout.oneRow(columns.count());
    }

    /** A reader of rows of these columns, each returned as a RowData. */
    public static RowReader ofRows(List<LogicalType> types, List<String> names) {
        return new RowReader(new RowColumns(types, names, ""), false);
    }

    /**
     * A reader of results. The fields of a ROW NOT NULL are the columns; anything else is the only
     * column, and returned as it is.
     */
    public static RowReader ofResults(LogicalType type) {
        if (type.is(LogicalTypeRoot.ROW) && !type.isNullable()) {
            return new RowReader(RowColumns.of(type, "result"), false);
        }
        return new RowReader(new RowColumns(List.of(type), List.of("result"), ""), true);
    }

    /**
     * Starts with a message.
     *
     * @param message little-endian; its position may be changed
     * @param length bytes of the message, which starts at 0
     * @return its number of rows
     */
    public int start(ByteBuffer message, int length) {
        if (length < Layout.HEADER) {
            throw new RowCodecException("a message of " + length + " bytes has no header");
        }
        int version = message.get(0) & 0xff;
        if (version != Layout.VERSION) {
            throw new RowCodecException(
                    "version "
                            + version
                            + " of the row codec; these classes read "
                            + Layout.VERSION
                            + ": build the jar again");
        }
        if (message.get(1) != 0) {
            throw new RowCodecException(
                    "flags " + (message.get(1) & 0xff) + ", of a newer version");
        }
        int found = message.getShort(2) & 0xffff;
        if (found != columns.count()) {
            throw new RowCodecException(found + " columns instead of " + columns.count());
        }
        long rows = message.getInt(4) & 0xffffffffL;
        long least = 4L + columns.fixed();
        if (rows * least > length - Layout.HEADER) {
            throw new RowCodecException(rows + " rows in a message of " + length + " bytes");
        }
        in.start(message, length, columns.depth);
        at = Layout.HEADER;
        end = length;
        return (int) rows;
    }

    /** Reads a message of exactly one row; null only if the result is a single value, and NULL. */
    @Nullable
    public Object only(ByteBuffer message, int length) {
        int row = Layout.HEADER + 4;
        if (length >= row
                && message.getLong(0) == oneRow
                && message.getInt(row - 4) == length - row) {
            in.start(message, length, columns.depth);
            return single
                    ? columns.readOnly(in, row, length - row)
                    : columns.read(in, row, length - row);
        }
        int rows = start(message, length);
        if (rows != 1) {
            throw new RowCodecException(rows + " rows instead of one");
        }
        Object value = next();
        finish();
        return value;
    }

    /** Reads the next row; null only if the result is a single value, and NULL. */
    @Nullable
    public Object next() {
        if (end - at < 4) {
            throw new RowCodecException("the message ends where a row should start");
        }
        long size = in.buffer.getInt(at) & 0xffffffffL;
        int row = at + 4;
        if (size > end - row) {
            throw new RowCodecException(
                    "a row of " + size + " bytes where only " + (end - row) + " are left");
        }
        at = row + (int) size;
        return single ? columns.readOnly(in, row, (int) size) : columns.read(in, row, (int) size);
    }

    /** Ends the message, which must have nothing left. */
    public void finish() {
        if (at != end) {
            throw new RowCodecException((end - at) + " bytes after the last row");
        }
    }
}
