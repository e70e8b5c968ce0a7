package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.udf.GoDeadlineException;
import dev.drey.flink.udf.GoException;
import dev.drey.flink.udf.GoFunctionException;
import dev.drey.flink.udf.GoLibraryException;
import dev.drey.flink.udf.GoPanicException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FailuresTest {
    @Test
    void panicHasGosFramesAboveJavas() {
        GoException e =
                Failures.of(
                        Map.of(
                                "kind", "panic",
                                "function", "risk_score",
                                "message", "index out of range [5] with length 3",
                                "row", "17",
                                "frame.0", "example.com/acme/fraud.(*model).score\tmodel.go\t12",
                                "frame.1", "main.main.func1\tmain.go\t7"));
        assertThat(e)
                .isInstanceOf(GoPanicException.class)
                .hasMessage(
                        "risk_score: index out of range [5] with length 3 (row 17 of the batch)");
        assertThat(e.function()).isEqualTo("risk_score");
        assertThat(e.row()).isEqualTo(17);
        assertThat(e.getStackTrace()[0])
                .hasToString("example.com/acme/fraud.(*model).score(model.go:12)");
        assertThat(e.getStackTrace()[1]).hasToString("main.main.func1(main.go:7)");
        assertThat(e.getStackTrace())
                .anyMatch(frame -> frame.getClassName().equals(getClass().getName()));
    }

    @Test
    void chainBecomesCauses() {
        GoException e =
                Failures.of(
                        Map.of(
                                "kind", "error",
                                "function", "f",
                                "message", "load: open x: not there",
                                "chain.0", "*fmt.wrapError: load: open x: not there",
                                "chain.1", "*fs.PathError: open x: not there",
                                "chain.2", "syscall.Errno: not there"));
        assertThat(e).isExactlyInstanceOf(GoFunctionException.class);
        assertThat(e.row()).isEqualTo(GoException.NO_ROW);
        GoFunctionException path = (GoFunctionException) e.getCause();
        assertThat(path).hasMessage("open x: not there");
        assertThat(path.goType()).isEqualTo("*fs.PathError");
        assertThat(path.getCause()).hasMessage("not there").hasNoCause();
    }

    @Test
    void kindsHaveTheirExceptions() {
        assertThat(of("deadline")).isExactlyInstanceOf(GoDeadlineException.class);
        assertThat(of("input")).isExactlyInstanceOf(GoFunctionException.class);
        assertThat(of("internal")).isExactlyInstanceOf(GoLibraryException.class);
        assertThat(of("of a later version")).isExactlyInstanceOf(GoLibraryException.class);
        assertThat(Failures.of(null, Native.BUSY)).hasMessageContaining("another thread");
        assertThat(Failures.of(null, Native.STALE)).hasMessageContaining("closed");
        assertThat(Failures.of(null, -7)).hasMessageContaining("-7");
    }

    private static GoException of(String kind) {
        return Failures.of(Map.of("kind", kind, "message", "m"));
    }

    @Test
    void strangeRecordIsStillAnException() {
        assertThat(Failures.of(Map.of())).isInstanceOf(GoLibraryException.class);
        GoException e =
                Failures.of(
                        Map.of(
                                "kind", "panic",
                                "message", "m",
                                "row", "many",
                                "chain.0", "no colon",
                                "frame.0", "",
                                "frame.1", "f\tg.go\tx"));
        assertThat(e.row()).isEqualTo(GoException.NO_ROW);
        assertThat(e.getStackTrace()[1]).hasToString("go.f(g.go)");
    }

    @Test
    void exceptionsAreSerializable() throws Exception {
        GoException e =
                Failures.of(
                        Map.of(
                                "kind", "error",
                                "function", "f",
                                "message", "m",
                                "row", "3",
                                "chain.0", "*a.E: m",
                                "chain.1", "*a.F: inner"));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(e);
        }
        try (ObjectInputStream in =
                new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            GoFunctionException copy = (GoFunctionException) in.readObject();
            assertThat(copy).hasMessage(e.getMessage()).hasRootCauseMessage("inner");
            assertThat(copy.row()).isEqualTo(3);
            assertThat(copy.goType()).isEqualTo("*a.E");
        }
    }
}
