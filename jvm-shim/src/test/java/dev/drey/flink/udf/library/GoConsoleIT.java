package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.library.nativetest.ChildJvm;
import dev.drey.flink.udf.library.nativetest.FaultLibrary;
import dev.drey.flink.udf.library.nativetest.Message;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The console's protocol, by hand, as its documentation has it. */
class GoConsoleIT {
    @TempDir Path temp;

    private final ByteArrayOutputStream requests = new ByteArrayOutputStream();

    private void request(int verb, byte[]... parts) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        body.write(verb);
        for (byte[] part : parts) {
            body.write(part);
        }
        new DataOutputStream(requests).writeInt(body.size());
        requests.write(body.toByteArray());
    }

    private static byte[] ints(int... values) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length);
        for (int value : values) {
            buffer.putInt(value);
        }
        return buffer.array();
    }

    private static byte[] longs(long... values) {
        ByteBuffer buffer = ByteBuffer.allocate(8 * values.length);
        for (long value : values) {
            buffer.putLong(value);
        }
        return buffer.array();
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private ChildJvm.Result run(Path answers) throws Exception {
        Path in = Files.write(temp.resolve("requests"), requests.toByteArray());
        return new ChildJvm(ChildJvm.current())
                .with(FaultLibrary.variant("1").folder())
                .withTests()
                .input(in)
                .run(GoConsole.class, answers.toString(), "drey.udf.library-dir=" + temp);
    }

    private static List<byte[]> answers(Path file) throws IOException {
        List<byte[]> answers = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            while (in.available() > 0) {
                answers.add(in.readNBytes(in.readInt()));
            }
        }
        return answers;
    }

    private static byte[] good(byte[] answer) {
        assertThat(answer[0]).as(() -> new String(answer, StandardCharsets.UTF_8)).isZero();
        return Arrays.copyOfRange(answer, 1, answer.length);
    }

    private static Map<String, String> failed(byte[] answer) {
        assertThat(answer[0]).isEqualTo((byte) 1);
        return StringMap.decode(Arrays.copyOfRange(answer, 1, answer.length));
    }

    @Test
    void answersEachRequestInOrder() throws Exception {
        request(1);
        request(2, StringMap.encode(Map.of("function", "plus_one")));
        request(2, StringMap.encode(Map.of("function", "panic_with_value")));
        request(3, ints(1, 0), Message.longs(41L, 1L));
        request(4, ints(1), longs(0, 6, 0, 0, 0));
        request(3, ints(2, 0), Message.longs(1L, 3L));
        request(8, text("{\"a\":1}"));
        request(6);
        request(7);
        request(5, ints(1));
        request(4, ints(1), longs(0, 6, 0, 0, 0));
        request(99);
        request(2, StringMap.encode(Map.of("function", "no_such")));
        Path file = temp.resolve("answers");
        ChildJvm.Result end = run(file);
        assertThat(end.exit()).as(end.toString()).isZero();
        List<byte[]> all = answers(file);
        assertThat(all).hasSize(13);
        assertThat(StringMap.decode(good(all.get(0)))).containsKey("go_version");
        assertThat(good(all.get(1))).isEqualTo(ints(1));
        assertThat(good(all.get(2))).isEqualTo(ints(2));
        ByteBuffer rows = ByteBuffer.wrap(good(all.get(3))).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(Message.longAt(rows, 0)).isEqualTo(42);
        assertThat(Message.longAt(rows, 1)).isEqualTo(2);
        assertThat(ByteBuffer.wrap(good(all.get(4))).get()).isZero();
        assertThat(ByteBuffer.wrap(good(all.get(4))).getLong(1)).isEqualTo(7);
        assertThat(failed(all.get(5)))
                .containsEntry("exception", "dev.drey.flink.udf.GoPanicException")
                .containsEntry("function", "panic_with_value")
                .containsEntry("row", "1")
                .hasEntrySatisfying("trace", trace -> assertThat(trace).contains("faults.go"));
        assertThat(new String(good(all.get(6)), StandardCharsets.UTF_8)).isEqualTo("{\"a\":1}");
        assertThat(new String(good(all.get(7)), StandardCharsets.UTF_8)).contains("plus_one");
        assertThat(new String(good(all.get(8)), StandardCharsets.UTF_8)).contains("goroutines");
        assertThat(good(all.get(9))).isEmpty();
        assertThat(failed(all.get(10)).get("message")).contains("no function is open with id 1");
        assertThat(failed(all.get(11)).get("message")).contains("no verb 99");
        assertThat(failed(all.get(12)).get("exception")).endsWith("GoLibraryException");
    }

    @Test
    void whatIsNoRequestEndsItWithAWord() throws Exception {
        requests.write(ints(-5));
        ChildJvm.Result end = run(temp.resolve("answers"));
        assertThat(end.exit()).isEqualTo(1);
        assertThat(end.err()).contains("a request of -5 bytes");
    }
}
