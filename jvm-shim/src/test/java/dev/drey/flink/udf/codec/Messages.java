package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/**
 * Writes and reads whole messages in the tests, in memory that starts small and moves as it grows.
 */
final class Messages implements Memory {
    private ByteBuffer buffer = direct(16);

    private static ByteBuffer direct(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public ByteBuffer atLeast(int bytes) {
        if (bytes > buffer.capacity()) {
            ByteBuffer grown = direct(bytes + bytes / 4);
            buffer.clear();
            grown.put(buffer).clear();
            // What still writes to the old memory is to be seen.
            for (int i = 0; i < buffer.capacity(); i++) {
                buffer.put(i, (byte) 0xee);
            }
            buffer = grown;
        }
        return buffer;
    }

    /** The message of one row. */
    byte[] write(RowType type, RowData row) {
        RowWriter writer = new RowWriter(type.getChildren(), type.getFieldNames(), this);
        writer.start(0);
        for (int i = 0; i < type.getFieldCount(); i++) {
            writer.put(i, RowData.createFieldGetter(type.getTypeAt(i), i).getFieldOrNull(row));
        }
        return BytesWriter.copy(buffer, writer.finish());
    }

    /** Reads a message of one row. */
    static RowData read(RowType type, byte[] message) {
        return (RowData)
                RowReader.ofRows(type.getChildren(), type.getFieldNames())
                        .only(of(message), message.length);
    }

    static ByteBuffer of(byte[] message) {
        ByteBuffer b = direct(message.length);
        b.put(message).clear();
        return b;
    }
}
