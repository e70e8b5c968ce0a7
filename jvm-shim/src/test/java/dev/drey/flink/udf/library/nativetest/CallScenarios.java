package dev.drey.flink.udf.library.nativetest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.drey.flink.udf.GoDeadlineException;
import dev.drey.flink.udf.GoException;
import dev.drey.flink.udf.GoFunctionException;
import dev.drey.flink.udf.GoLibraryException;
import dev.drey.flink.udf.GoPanicException;
import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.library.LibrarySettings;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/** Calls that go wrong, and calls that do not, in one process. */
public final class CallScenarios {
    private final GoLibrary go;

    private CallScenarios(GoLibrary go) {
        this.go = go;
    }

    /** See {@link Scenarios}; further arguments are settings, as {@code drey.udf.gogc=200}. */
    public static void main(String[] args) throws Exception {
        ClassLoader loader = CallScenarios.class.getClassLoader();
        Map<String, String> settings = new HashMap<>();
        for (int i = 1; i < args.length; i++) {
            settings.put(args[i].split("=")[0], args[i].split("=")[1]);
        }
        GoLibrary go =
                GoLibrary.load(loader, GoLibrary.build(loader), LibrarySettings.of(settings));
        CallScenarios calls = new CallScenarios(go);
        Scenarios all = calls.all();
        new ProcessScenarios(go).addTo(all);
        new ProcessJsonScenarios().addTo(all);
        // Once more, after all that went wrong.
        all.add("a good call in the end", calls::goodCalls);
        all.run(Scenarios.resultsFile(args));
    }

    private Scenarios all() {
        return new Scenarios()
                .add("good calls", this::goodCalls)
                .add("NULL is not zero", this::nulls)
                .add("nil dereference", () -> panics("nil_dereference", 1, "nil pointer"))
                .add(
                        "index out of range",
                        () -> panics("index_out_of_range", 9, "index out of range [9]"))
                .add(
                        "division by zero",
                        () -> panics("division_by_zero", 0, "integer divide by zero"))
                .add(
                        "panic with a value that is no error",
                        () -> panics("panic_with_value", 3, "{42}"))
                .add("wild pointer", () -> panics("wild_pointer", 8, "(address 0xdead0008)"))
                .add(
                        "panic in a goroutine of udf.Go",
                        () -> panics("panic_in_goroutine", 0, "in a goroutine"))
                .add("error with a wrapped chain", this::wrappedError)
                .add("error whose own methods panic", this::hostileError)
                .add("deadline", this::deadline)
                .add("row of a batch", this::rowOfABatch)
                .add("result of 10 MB", this::largeResult)
                .add("result above the limit", this::resultAboveTheLimit)
                .add("invalid UTF-8 into Go and out of it", this::invalidUtf8)
                .add("DECIMAL overflow", this::decimalOverflow)
                .add("hostile messages", this::hostileMessages)
                .add("a function of another shape", this::wrongShape)
                .add("open fails", this::openFails)
                .add("close", this::close)
                .add("a function that nobody closes", this::forgotten)
                .add("job parameters", this::jobParameters);
    }

    private GoCall open(String function) {
        return go.open(Map.of("function", function));
    }

    private void goodCalls() {
        try (GoCall plusOne = open("plus_one");
                GoCall upper = open("upper")) {
            assertThat(plusOne.fixed(0, 41, 0, 0, 0)).isEqualTo(42);
            assertThat(plusOne.fixed(0, Long.MAX_VALUE, 0, 0, 0)).isEqualTo(Long.MIN_VALUE);
            ByteBuffer answer = Message.call(plusOne, Message.longs(1L, -1L, 7L));
            assertThat(Message.longAt(answer, 2)).isEqualTo(8);
            byte[] text = "caf\u00e9 \ud83d\ude00".getBytes(StandardCharsets.UTF_8);
            assertThat(Message.stringAt(Message.call(upper, Message.string(text))))
                    .isEqualTo("CAF\u00c9 \ud83d\ude00");
        }
    }

    private void nulls() {
        try (GoCall call = open("plus_one_or_null");
                GoCall strict = open("plus_one")) {
            assertThat(call.fixed(1, 41, 0, 0, 0)).isZero();
            assertThat(call.wasNull()).isTrue();
            assertThat(call.fixed(0, -1, 0, 0, 0)).isZero();
            assertThat(call.wasNull()).isFalse();
            ByteBuffer answer = Message.call(call, Message.longs(null, -1L, null));
            assertThat(Message.longAt(answer, 0)).isNull();
            assertThat(Message.longAt(answer, 1)).isZero();
            assertThat(Message.longAt(answer, 2)).isNull();
            assertThatThrownBy(() -> strict.fixed(1, 41, 0, 0, 0))
                    .isInstanceOf(GoFunctionException.class)
                    .hasMessageContaining("NOT NULL");
            assertThatThrownBy(() -> Message.call(strict, Message.longs(1L, null)))
                    .isInstanceOf(GoFunctionException.class)
                    .hasMessageContaining("(row 1 of the batch)");
        }
    }

    private void panics(String function, long argument, String message) {
        try (GoCall call = open(function);
                GoCall plusOne = open("plus_one")) {
            for (int i = 0; i < 3; i++) { // the second and third on a stack that has seen one
                assertPanic(
                        function,
                        message,
                        catchThrowableOfType(
                                GoPanicException.class, () -> call.fixed(0, argument, 0, 0, 0)));
                assertPanic(
                        function,
                        message,
                        catchThrowableOfType(
                                GoPanicException.class,
                                () -> Message.call(call, Message.longs(argument))));
            }
            assertThat(plusOne.fixed(0, 1, 0, 0, 0)).isEqualTo(2);
        }
    }

    private static void assertPanic(String function, String message, GoPanicException thrown) {
        assertThat(thrown).isNotNull().hasMessageStartingWith(function + ": ");
        assertThat(thrown.getMessage()).contains(message);
        assertThat(thrown.function()).isEqualTo(function);
        assertThat(thrown.row()).isEqualTo(GoException.NO_ROW);
        StackTraceElement first = thrown.getStackTrace()[0];
        assertThat(first.getClassName())
                .isEqualTo("github.com/drey-flink/drey/udf-bridge/internal/subject/faults");
        assertThat(first.getFileName()).isEqualTo("faults.go");
        assertThat(first.getLineNumber()).isPositive();
        assertThat(thrown.getStackTrace())
                .as("Go's frames stand on Java's")
                .anyMatch(frame -> frame.getClassName().equals(CallScenarios.class.getName()));
    }

    private void wrappedError() {
        try (GoCall call = open("wrapped_error")) {
            GoFunctionException thrown =
                    catchThrowableOfType(
                            GoFunctionException.class, () -> call.fixed(0, 1, 0, 0, 0));
            assertThat(thrown)
                    .hasMessage(
                            "wrapped_error: load model: open /nonexistent/model: no such file or"
                                    + " directory");
            assertThat(thrown.goType()).isEqualTo("*fmt.wrapError");
            GoFunctionException cause = (GoFunctionException) thrown.getCause();
            assertThat(cause).hasMessage("open /nonexistent/model: no such file or directory");
            assertThat(cause.goType()).isEqualTo("*fs.PathError");
            assertThat(((GoFunctionException) cause.getCause()).goType())
                    .isEqualTo("syscall.Errno");
            assertThat(cause.getCause().getCause()).isNull();
        }
    }

    private void hostileError() {
        try (GoCall call = open("hostile_error")) {
            assertThatThrownBy(() -> call.fixed(0, 1, 0, 0, 0))
                    .isExactlyInstanceOf(GoFunctionException.class)
                    .hasMessageContaining("in Error");
        }
    }

    private void deadline() {
        try (GoCall call = go.open(Map.of("function", "deadline", "call_timeout_ms", "1"))) {
            assertThatThrownBy(() -> call.fixed(0, 1, 0, 0, 0))
                    .isInstanceOf(GoDeadlineException.class)
                    .hasMessageContaining("ask the model: context deadline exceeded");
        }
    }

    private void rowOfABatch() {
        try (GoCall call = open("panic_with_value")) {
            GoPanicException thrown =
                    catchThrowableOfType(
                            GoPanicException.class,
                            () -> Message.call(call, Message.longs(1L, 2L, 3L, 4L)));
            assertThat(thrown.row()).isEqualTo(2);
            assertThat(thrown).hasMessageContaining("(row 2 of the batch)");
        }
    }

    private void largeResult() {
        try (GoCall call = open("repeat")) {
            int before = call.output().capacity();
            byte[] size = "10485760".getBytes(StandardCharsets.US_ASCII);
            for (int i = 0;
                    i < 2;
                    i++) { // first into a buffer that must grow, then into one that fits
                ByteBuffer answer = Message.call(call, size);
                assertThat(answer.capacity()).isEqualTo(10 << 20).isGreaterThan(before);
                for (int at = 0; at < answer.capacity(); at += 4093) {
                    assertThat(answer.get(at)).isEqualTo((byte) 'x');
                }
            }
            assertThat(Message.call(call, "3".getBytes(StandardCharsets.US_ASCII)).capacity())
                    .isEqualTo(3);
            assertThat(Message.call(call, "0".getBytes(StandardCharsets.US_ASCII)).capacity())
                    .isZero();
        }
    }

    private void resultAboveTheLimit() {
        try (GoCall call = go.open(Map.of("function", "repeat", "max_result_bytes", "1000"))) {
            assertThatThrownBy(() -> Message.call(call, "1001".getBytes(StandardCharsets.US_ASCII)))
                    .isInstanceOf(GoFunctionException.class)
                    .hasMessageContaining("raise drey.udf.max-result-bytes");
        }
    }

    private void invalidUtf8() {
        try (GoCall out = open("invalid_utf8");
                GoCall upper = open("upper")) {
            assertThatThrownBy(() -> Message.call(out, Message.longs(1L)))
                    .isInstanceOf(GoFunctionException.class)
                    .hasMessageContaining("UTF-8");
            // Into Go it comes as it is; what strings.ToUpper makes of it is UTF-8 again.
            byte[] bad = {'a', (byte) 0xff, 'b'};
            assertThat(Message.stringAt(Message.call(upper, Message.string(bad))))
                    .isEqualTo("A\ufffdB");
        }
    }

    private void decimalOverflow() {
        try (GoCall call = open("decimal_overflow")) {
            Message.call(call, Message.longs(999L));
            assertThatThrownBy(() -> Message.call(call, Message.longs(1000L)))
                    .isInstanceOf(GoFunctionException.class)
                    .hasMessageContaining("amount")
                    .hasMessageContaining("DECIMAL(5, 2)");
        }
    }

    private void hostileMessages() {
        byte[] good = Message.longs(1L, 2L);
        try (GoCall call = open("plus_one")) {
            for (int length = 0; length < good.length; length++) {
                byte[] cut = Arrays.copyOf(good, length);
                assertThatThrownBy(() -> Message.call(call, cut))
                        .as("%d of %d bytes", length, good.length)
                        .isInstanceOf(GoFunctionException.class);
            }
            for (int at = 0; at < 16; at++) { // the header and the size of the first row
                byte[] changed = good.clone();
                changed[at] ^= (byte) 0x80;
                assertThatThrownBy(() -> Message.call(call, changed))
                        .as("byte %d changed", at)
                        .isInstanceOf(GoException.class);
            }
            assertThat(call.fixed(0, 1, 0, 0, 0)).isEqualTo(2);
        }
    }

    private void wrongShape() {
        try (GoCall upper = open("upper");
                GoCall plusOne = open("plus_one")) {
            assertThatThrownBy(() -> upper.fixed(0, 1, 0, 0, 0))
                    .isInstanceOf(GoLibraryException.class)
                    .hasMessageContaining("fixed width");
            assertThatThrownBy(() -> plusOne.call(GoCall.MERGE, 0))
                    .isInstanceOf(GoFunctionException.class)
                    .hasMessageContaining("operation 3");
            assertThatThrownBy(() -> plusOne.call(GoCall.EVAL, plusOne.input(0).capacity() + 1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    private void openFails() {
        assertThatThrownBy(() -> open("plusone"))
                .isInstanceOf(GoLibraryException.class)
                .hasMessageContaining("did you mean plus_one");
        assertThatThrownBy(
                        () ->
                                go.open(
                                        Map.of(
                                                "function",
                                                "plus_one",
                                                "signature",
                                                "plus_one(value INT) -> INT")))
                .isInstanceOf(GoLibraryException.class)
                .hasMessageContaining("plus_one(value INT) -> INT")
                .hasMessageContaining("plus_one(value BIGINT NOT NULL) -> BIGINT NOT NULL");
        assertThatThrownBy(() -> open("error_in_open"))
                .isInstanceOf(GoFunctionException.class)
                .hasMessageContaining("no such model");
        assertThatThrownBy(() -> open("panic_in_open"))
                .isInstanceOf(GoPanicException.class)
                .hasMessageContaining("no model");
    }

    private void close() throws InterruptedException {
        GoCall call = open("plus_one");
        call.close();
        call.close();
        assertThatThrownBy(() -> call.fixed(0, 1, 0, 0, 0))
                .isInstanceOf(GoLibraryException.class)
                .hasMessageContaining("is closed");
        assertThatThrownBy(() -> Message.call(call, Message.longs(1L)))
                .isInstanceOf(GoLibraryException.class)
                .hasMessageContaining("is closed");
        GoCall failing = open("error_in_close");
        assertThatThrownBy(failing::close)
                .isInstanceOf(GoFunctionException.class)
                .hasMessageContaining("cannot close");
        failing.close();
        GoCall wild = open("wild_pointer_in_close");
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread other = new Thread(() -> thrown.set(catchThrowable(wild::close)));
        other.start();
        other.join(); // a thread that was not in Go before
        assertThat(thrown.get())
                .isInstanceOf(GoPanicException.class)
                .hasMessageContaining("(address 0xdead0010)");
        wild.close();
    }

    private void forgotten() {
        for (int i = 0; i < 10; i++) {
            open("plus_one_or_null");
        }
        String open = "\"plus_one_or_null\":{\"open\":";
        assertThat(go.stats()).contains(open);
        for (int i = 0; i < 1000 && !go.stats().contains(open + "0"); i++) {
            System.gc();
            open("plus_one").close(); // who opens one closes the forgotten ones
        }
        assertThat(go.stats()).contains(open + "0");
    }

    private void jobParameters() {
        Map<String, String> request =
                Map.of(
                        "function", "greeting",
                        "job", "fraud",
                        "subtask", "3",
                        "parallelism", "4",
                        "attempt", "1",
                        "parameter.greeting", "hi");
        byte[] name = "Ann".getBytes(StandardCharsets.UTF_8);
        try (GoCall call = go.open(request);
                GoCall byDefault = open("greeting");
                GoCall json = go.open(Map.of("function", "greeting", "encoding", "json"))) {
            assertThat(Message.stringAt(Message.call(call, Message.string(name))))
                    .isEqualTo("hi from fraud 3/4 attempt 1, Ann (3 live)");
            assertThat(Message.stringAt(Message.call(byDefault, Message.string(name))))
                    .isEqualTo("hello from  0/1 attempt 0, Ann (3 live)");
            byte[] event = "\"Bob\"".getBytes(StandardCharsets.UTF_8);
            assertThat(new String(Message.call(json, event).array(), StandardCharsets.UTF_8))
                    .isEqualTo("{\"value\":\"hello from  0/1 attempt 0, Bob (3 live)\"}");
        }
        try (GoCall alone = open("greeting")) {
            assertThat(Message.stringAt(Message.call(alone, Message.string(name))))
                    .endsWith("(1 live)");
        }
    }
}
