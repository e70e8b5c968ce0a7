package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * Writes the arguments of one call: a message of one row. {@link #start}, each column once in any
 * order, {@link #finish}. Columns of fixed width allocate nothing. Not for concurrent use; it keeps
 * nothing of the values that it was given.
 */
public final class RowWriter {
    private static final int ROW = Layout.HEADER + 4;

    private final Layout layout;
    private final ValueWriter[] columns;
    private final int[] slots;
    private final long oneRow;
    private final Output out;

    private int message;
    private int row;

    /**
     * A writer for these columns.
     *
     * @param names for errors
     * @param memory what is written to
     * @throws RowCodecException a type has no form in the row codec
     */
    public RowWriter(List<LogicalType> types, List<String> names, Memory memory) {
        layout = new Layout(types);
        columns = new ValueWriter[types.size()];
        slots = layout.slots;
        oneRow = Layout.oneRow(columns.length);
        for (int i = 0; i < columns.length; i++) {
            columns[i] = VariableWriters.of(types.get(i), names.get(i));
        }
        out = new Output(memory);
    }

    /**
     * Starts a message.
     *
     * @param at its position in the memory; bytes before it are not touched
     */
    public void start(int at) {
        out.start(at);
        message = out.reserve(ROW + layout.fixed);
        row = message + ROW;
        ByteBuffer b = out.buffer;
        b.putLong(message, oneRow);
        layout.clear(b, row);
    }

    /** Puts a column of integers, or of anything that is an int or a long inside Flink. */
    public void put(int column, long value) {
        out.buffer.putLong(row + slots[column], value);
    }

    /** Puts a BOOLEAN. */
    public void put(int column, boolean value) {
        out.buffer.putLong(row + slots[column], value ? 1 : 0);
    }

    /** Puts a FLOAT. */
    public void put(int column, float value) {
        out.buffer.putLong(row + slots[column], FixedWriters.OfFloat.bits(value));
    }

    /** Puts a DOUBLE. */
    public void put(int column, double value) {
        out.buffer.putLong(row + slots[column], Double.doubleToRawLongBits(value));
    }

    /**
     * Puts a value as Flink holds it inside; primitives are boxed.
     *
     * @throws RowCodecException null for a NOT NULL column, or a value that is not of its type
     */
    public void put(int column, @Nullable Object value) {
        ValueWriter writer = columns[column];
        int slot = row + slots[column];
        if (value != null) {
            writer.slot(out, row, slot, value);
        } else {
            writer.nullColumn(out.buffer, row, slot, column);
        }
    }

    /** Ends the message and returns the position behind it. */
    public int finish() {
        int end = out.end();
        out.buffer.putInt(row - 4, end - row);
        return end;
    }

    /**
     * Ends the message and moves it, if it was not started there.
     *
     * @param at where it is to stand
     * @return the position behind it
     */
    public int finish(int at) {
        int end = finish();
        if (at == message) {
            return end;
        }
        int length = end - message;
        if (at > message) {
            out.reserve(at - message);
        }
        ByteBuffer to = out.buffer;
        ByteBuffer from = to.duplicate();
        from.limit(end).position(message);
        to.position(at);
        to.put(from); // as if copied aside first
        return at + length;
    }
}
