package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import javax.annotation.Nullable;
import org.apache.flink.table.data.StringData;

/** Writes bytes as they are, without a message around them. Not for concurrent use. */
public final class BytesWriter {
    private final Output out;

    /** A writer to this memory. */
    public BytesWriter(Memory memory) {
        out = new Output(memory);
    }

    /**
     * Writes at a position.
     *
     * @param value a byte[], or a StringData, whose UTF-8 is copied
     * @return the position behind it
     */
    public int write(int at, @Nullable Object value) {
        if (value == null) {
            throw new RowCodecException(
                    "the argument is NULL but declared NOT NULL; leave NULL out with COALESCE");
        }
        out.start(at);
        if (value instanceof byte[]) {
            out.bytes((byte[]) value);
        } else {
            out.bytes((StringData) value);
        }
        return out.end();
    }

    /** Writes bytes behind their number as 32 bits; null as no bytes. */
    public int writeSized(int at, @Nullable byte[] value) {
        out.start(at);
        int size = out.reserve(4);
        out.buffer.putInt(size, value == null ? 0 : value.length);
        if (value != null) {
            out.bytes(value);
        }
        return out.end();
    }

    /** Writes a number of 32 bits. */
    public int writeInt(int at, int value) {
        out.start(at);
        out.buffer.putInt(out.reserve(4), value);
        return out.end();
    }

    /** A copy of the first bytes of a buffer, whose position may be changed. */
    public static byte[] copy(ByteBuffer from, int length) {
        byte[] bytes = new byte[length];
        from.position(0);
        from.get(bytes, 0, length);
        return bytes;
    }
}
