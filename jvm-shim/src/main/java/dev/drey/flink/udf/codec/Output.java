package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * Bytes that grow at their end. Positions are absolute in {@link #buffer}, which another takes the
 * place of when it grows: read the field anew after each {@link #reserve}.
 */
final class Output {
    /** The longest string that two words hold. */
    private static final int SHORT = 16;

    private final Memory memory;

    /** Little-endian. */
    ByteBuffer buffer;

    private int end;

    Output(Memory memory) {
        this.memory = memory;
    }

    /** Starts over; the next byte that is reserved is the one at this position. */
    void start(int at) {
        buffer = memory.atLeast(at);
        end = at;
    }

    /** The position after the last reserved byte. */
    int end() {
        return end;
    }

    /**
     * Makes room at the end; what it holds is not defined.
     *
     * @return the position of the first byte
     */
    int reserve(int bytes) {
        int at = end;
        int next = at + bytes;
        if (next > buffer.capacity() || next < at) {
            grow(bytes);
        }
        end = next;
        return at;
    }

    private void grow(int bytes) {
        long next = (long) end + bytes;
        if (bytes < 0 || next > Integer.MAX_VALUE - 8) {
            throw new RowCodecException(
                    "a message has more than 2 GiB; pass less to one call of the function");
        }
        buffer = memory.atLeast((int) next);
    }

    /** Writes bytes at the end; returns where they start. */
    int bytes(byte[] value) {
        int at = reserve(value.length);
        ByteBuffer b = buffer;
        b.position(at);
        b.put(value, 0, value.length);
        return at;
    }

    /** Writes a STRING as it is inside Flink: UTF-8 is copied, never made a Java string. */
    int bytes(StringData value) {
        if (!(value instanceof BinaryStringData)) {
            return bytes(value.toBytes());
        }
        BinaryStringData string = (BinaryStringData) value;
        string.ensureMaterialized();
        int length = string.getSizeInBytes();
        int at = reserve(length);
        ByteBuffer b = buffer;
        MemorySegment first = string.getSegments()[0];
        int offset = string.getOffset();
        if (first.size() - offset < length) {
            copyPieces(string, b, at);
        } else if (length <= SHORT) {
            copyShort(first, offset, length, b, at);
        } else if (first.isOffHeap()) {
            b.position(at);
            first.get(offset, b, length);
        } else {
            b.position(at);
            b.put(first.getArray(), offset, length);
        }
        return at;
    }

    /** Writes where a variable value stands that began at a position and ends here. */
    void region(int base, int slot, int at) {
        buffer.putInt(slot, at - base);
        buffer.putInt(slot + 4, end - at);
    }

    /**
     * In at most two pieces, which overlap: a copy of any length costs more than such a string does
     * otherwise.
     */
    private static void copyShort(
            MemorySegment from, int offset, int length, ByteBuffer b, int to) {
        if (length >= 8) {
            b.putLong(to, from.getLongLittleEndian(offset));
            int last = length - 8;
            b.putLong(to + last, from.getLongLittleEndian(offset + last));
        } else if (length >= 4) {
            b.putInt(to, from.getIntLittleEndian(offset));
            int last = length - 4;
            b.putInt(to + last, from.getIntLittleEndian(offset + last));
        } else {
            for (int i = 0; i < length; i++) {
                b.put(to + i, from.get(offset + i));
            }
        }
    }

    private static void copyPieces(BinaryStringData string, ByteBuffer b, int to) {
        MemorySegment[] segments = string.getSegments();
        int segmentSize = segments[0].size();
        int index = string.getOffset() / segmentSize;
        int from = string.getOffset() % segmentSize;
        b.position(to);
        for (int left = string.getSizeInBytes(); left > 0; index++) {
            int n = Math.min(left, segmentSize - from);
            segments[index].get(from, b, n);
            left -= n;
            from = 0;
        }
    }
}
