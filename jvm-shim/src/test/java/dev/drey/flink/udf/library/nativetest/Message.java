package dev.drey.flink.udf.library.nativetest;

import dev.drey.flink.udf.library.GoCall;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Messages of one column, by hand: what is below the row codec has no Flink and no codec. */
public final class Message {
    private static final int HEADER = 8;

    private Message() {}

    /** Rows of one BIGINT; null is NULL. */
    public static byte[] longs(Long... values) {
        ByteBuffer message = message(values.length, HEADER + values.length * 20);
        for (Long value : values) {
            message.putInt(16).putLong(value == null ? 1 : 0).putLong(value == null ? 0 : value);
        }
        return message.array();
    }

    /** One row of one STRING. */
    public static byte[] string(byte[] text) {
        ByteBuffer message = message(1, HEADER + 20 + text.length);
        message.putInt(16 + text.length).putLong(0).putInt(16).putInt(text.length).put(text);
        return message.array();
    }

    private static ByteBuffer message(int rows, int bytes) {
        return ByteBuffer.allocate(bytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put((byte) 1)
                .put((byte) 0)
                .putShort((short) 1)
                .putInt(rows);
    }

    /** Calls a function with a message, and copies its answer. */
    public static ByteBuffer call(GoCall call, byte[] message) {
        call.input(message.length).put(message);
        byte[] answer = new byte[call.call(GoCall.EVAL, message.length)];
        call.output().get(answer);
        return ByteBuffer.wrap(answer).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The BIGINT of a row; null is NULL. */
    public static Long longAt(ByteBuffer message, int row) {
        int at = HEADER + row * 20 + 4;
        return message.getLong(at) == 0 ? Long.valueOf(message.getLong(at + 8)) : null;
    }

    /** The STRING of the only row. */
    public static String stringAt(ByteBuffer message) {
        int row = HEADER + 4;
        byte[] text = new byte[message.getInt(row + 12)];
        message.position(row + message.getInt(row + 8));
        message.get(text);
        return new String(text, StandardCharsets.UTF_8);
    }
}
