package dev.drey.flink.udf.codec;

import java.nio.ByteBuffer;

/** The memory that a message is written to. */
@FunctionalInterface
public interface Memory {
    /**
     * The buffer, grown if need be. A grown buffer keeps the content of the one before, which must
     * not be used any more.
     *
     * @return direct, little-endian, with at least so many bytes of capacity
     */
    ByteBuffer atLeast(int bytes);
}
