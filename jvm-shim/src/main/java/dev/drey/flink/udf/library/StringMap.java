package dev.drey.flink.udf.library;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** The string map of {@code drey.h}: big-endian count, then length-prefixed keys and values. */
final class StringMap {
    private StringMap() {}

    static byte[] encode(Map<String, String> map) {
        byte[][] parts = new byte[2 * map.size()][];
        int size = 4;
        int i = 0;
        for (Map.Entry<String, String> entry : map.entrySet()) {
            parts[i] = entry.getKey().getBytes(StandardCharsets.UTF_8);
            parts[i + 1] = entry.getValue().getBytes(StandardCharsets.UTF_8);
            size += 8 + parts[i].length + parts[i + 1].length;
            i += 2;
        }
        ByteBuffer out = ByteBuffer.allocate(size).putInt(map.size());
        for (byte[] part : parts) {
            out.putInt(part.length).put(part);
        }
        return out.array();
    }

    /**
     * @throws IllegalArgumentException bytes that are no string map
     */
    static Map<String, String> decode(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.BIG_ENDIAN);
        try {
            int count = in.getInt();
            Map<String, String> map = new LinkedHashMap<>();
            for (int i = 0; i < count; i++) {
                String key = text(in);
                map.put(key, text(in));
            }
            if (count < 0 || in.hasRemaining()) {
                throw new IllegalArgumentException("not a string map: bytes are left over");
            }
            return map;
        } catch (BufferUnderflowException e) {
            throw new IllegalArgumentException("not a string map: it ends too early", e);
        }
    }

    private static String text(ByteBuffer in) {
        int length = in.getInt();
        if (length < 0 || length > in.remaining()) {
            throw new BufferUnderflowException();
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
