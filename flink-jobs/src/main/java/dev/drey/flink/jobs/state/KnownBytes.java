package dev.drey.flink.jobs.state;

import java.util.ArrayList;
import java.util.List;

/** The content of the states, as formulas that another program can follow. */
final class KnownBytes {
    /** Lengths of the entries before the last two: nothing, one byte, and more than a few. */
    private static final int[] SMALL = {0, 1, 17, 300};

    private KnownBytes() {}

    /**
     * Byte j of entry {@code entry} of subtask {@code subtask} is (101 subtask + 31 entry + j) mod
     * 251.
     */
    static byte[] pattern(int subtask, int entry, int length) {
        byte[] bytes = new byte[length];
        for (int j = 0; j < length; j++) {
            bytes[j] = (byte) ((101 * subtask + 31 * entry + j) % 251);
        }
        return bytes;
    }

    /**
     * Bytes that do not compress: x starts at the subtask, becomes 1103515245 x + 12345 modulo 2^32
     * before each byte, and the byte is x shifted right by 16.
     */
    static byte[] noise(int subtask, int length) {
        byte[] bytes = new byte[length];
        int x = subtask;
        for (int j = 0; j < length; j++) {
            x = 1103515245 * x + 12345;
            bytes[j] = (byte) (x >>> 16);
        }
        return bytes;
    }

    /** The entries of a list: 0, 1, 17 and 300 bytes, then {@code large} bytes of each kind. */
    static List<byte[]> entries(int subtask, int large) {
        List<byte[]> entries = new ArrayList<>();
        for (int length : SMALL) {
            entries.add(pattern(subtask, entries.size(), length));
        }
        entries.add(pattern(subtask, entries.size(), large));
        entries.add(noise(subtask, large));
        return entries;
    }
}
