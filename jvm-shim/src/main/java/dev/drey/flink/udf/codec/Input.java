package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;

/**
 * The bytes of a message that is read. Nothing in it is believed: each region is checked against
 * its container before it is touched. Positions are absolute.
 */
final class Input {
    /** Little-endian. */
    ByteBuffer buffer;

    /**
     * Bytes of variable values that may still be read. Regions that overlap would let a short
     * message become any number of values; in an honest one each byte is in as many regions as its
     * nesting is deep.
     */
    private long budget;

    /** Starts with a message. */
    void start(ByteBuffer message, int length, int depth) {
        buffer = message;
        budget = (long) length * depth;
    }

    /**
     * Checks the region of a variable value.
     *
     * @param base where its container starts
     * @param first where the variable part of the container starts
     * @param end where the container ends
     * @param slot the slot that names it
     * @return where it starts; its length is the slot's second half, see {@link #length}
     */
    int region(int base, int first, int end, int slot, ValueReader of) {
        long offset = buffer.getInt(slot) & 0xffffffffL;
        long length = buffer.getInt(slot + 4) & 0xffffffffL;
        if (base + offset < first || base + offset + length > end) {
            throw of.refuse(
                    "offset "
                            + offset
                            + ", length "
                            + length
                            + " is outside the variable part of its container");
        }
        budget -= length;
        if (budget < 0) {
            throw of.refuse("values overlap");
        }
        return (int) (base + offset);
    }

    /** The length that a slot names, after {@link #region} was content with it. */
    int length(int slot) {
        return buffer.getInt(slot + 4);
    }

    /** A copy of some bytes. */
    byte[] bytes(int at, int length) {
        byte[] copy = new byte[length];
        buffer.position(at);
        buffer.get(copy, 0, length);
        return copy;
    }
}
