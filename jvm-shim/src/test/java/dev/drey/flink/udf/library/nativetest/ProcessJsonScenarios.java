package dev.drey.flink.udf.library.nativetest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.GoFunctionException;
import dev.drey.flink.udf.GoPanicException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;

/** {@code GoUDFProxy.processJson}, whose Go function echoes any JSON. */
final class ProcessJsonScenarios {
    private final Method processJson;

    ProcessJsonScenarios() throws ReflectiveOperationException {
        // A class of the default package cannot be imported.
        processJson = Class.forName("GoUDFProxy").getMethod("processJson", String.class);
    }

    void addTo(Scenarios all) {
        all.add("processJson: text of every kind", this::texts)
                .add("processJson: surrogates without their other half", this::loneSurrogates)
                .add("processJson: random text as Java converts it", this::randomText)
                .add("processJson: large text", this::largeText)
                .add("processJson: errors", this::errors)
                .add("processJson: many threads", this::manyThreads);
    }

    private String call(String event) {
        try {
            return (String) processJson.invoke(null, event);
        } catch (InvocationTargetException e) {
            throw (RuntimeException) e.getCause();
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }

    private void texts() {
        for (String text :
                List.of(
                        "",
                        "a",
                        "abcdefghijklmnopqrstuvwxyz",
                        "\u0000\u0001",
                        "\u007f\u0080\u07ff\u0800\uffff",
                        "caf\u00e9",
                        "\ud83d\ude00 \udbff\udfff \ud800\udc00",
                        "abc\u00e9defg\u4e2d\u6587hijk\ud83d\ude00lmnop")) {
            assertThat(call(quoted(text))).isEqualTo(quoted(text));
        }
        assertThat(call("{\"b\":[1,2.5,null,true],\"a\":{}}"))
                .isEqualTo("{\"a\":{},\"b\":[1,2.5,null,true]}");
    }

    private void loneSurrogates() {
        assertThat(call("\"a\ud83d\"")).isEqualTo("\"a\ufffd\"");
        assertThat(call("\"\ude00b\"")).isEqualTo("\"\ufffdb\"");
        assertThat(call("\"\ud83d\ud83d\ude00\"")).isEqualTo("\"\ufffd\ud83d\ude00\"");
        assertThatThrownBy(() -> call("\"a\ud83d")) // at the end of the text
                .isInstanceOf(GoFunctionException.class);
    }

    private void randomText() {
        Random random = new Random(4);
        for (int round = 0; round < 2_000; round++) {
            StringBuilder text = new StringBuilder();
            int length = random.nextInt(64);
            for (int i = 0; i < length; i++) {
                int bits = 1 + random.nextInt(21);
                int c = random.nextInt(1 << bits);
                boolean surrogate = c >= 0xd800 && c < 0xe000;
                text.appendCodePoint(surrogate || c > 0x10ffff ? 'x' : c);
            }
            String event = quoted(text.toString());
            assertThat(call(event)).isEqualTo(event);
        }
    }

    private void largeText() {
        for (int size : new int[] {4094, 4095, 4096, 4097, 1 << 20}) {
            for (String unit : List.of("x", "\u00e9", "\u4e2d", "\ud83d\ude00")) {
                String event = quoted(unit.repeat(size));
                assertThat(call(event).equals(event)).as("%d of %s", size, unit).isTrue();
            }
        }
    }

    private void errors() {
        assertThatThrownBy(() -> call(null)).isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> call("\"panic\""))
                .isInstanceOf(GoPanicException.class)
                .hasMessage("process_json: told to")
                .satisfies(
                        e ->
                                assertThat(e.getStackTrace()[0].getMethodName())
                                        .isEqualTo("processJSON"));
        assertThatThrownBy(() -> call("{\"a\":}"))
                .isInstanceOf(GoFunctionException.class)
                .hasMessageStartingWith("process_json: event: ");
        assertThat(call("1")).isEqualTo("1");
    }

    private void manyThreads() throws InterruptedException {
        AtomicReference<Throwable> failed = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            String mine = quoted("thread " + t);
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    for (int i = 0; i < 2_000; i++) {
                                        assertThat(call(mine)).isEqualTo(mine);
                                    }
                                } catch (Throwable e) {
                                    failed.compareAndSet(null, e);
                                }
                            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failed.get()).isNull();
    }

    /** As JSON, escaped as Go's encoder does: what must be, and what HTML would read as markup. */
    private static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean escaped = c < 0x20 || c == '"' || c == '\\' || c == '\u2028' || c == '\u2029';
            if (c == '<' || c == '>' || c == '&' || c == 0x7f || escaped) {
                json.append('x');
            } else {
                json.append(c);
            }
        }
        return json.append('"').toString();
    }
}
