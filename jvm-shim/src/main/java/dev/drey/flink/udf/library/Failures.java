package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoDeadlineException;
import dev.drey.flink.udf.GoException;
import dev.drey.flink.udf.GoFunctionException;
import dev.drey.flink.udf.GoLibraryException;
import dev.drey.flink.udf.GoPanicException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Turns what Go says about a failed call, an error record or a code, into an exception. */
final class Failures {
    private Failures() {}

    /**
     * @param record an error record, or null if the code says all
     * @param code {@link Native#BUSY}, {@link Native#STALE}, or anything else
     */
    static GoException of(byte[] record, long code) {
        if (record != null) {
            return of(StringMap.decode(record));
        }
        if (code == Native.BUSY) {
            return new GoLibraryException(
                    "the opened Go function is used by another thread at this moment; open one for"
                            + " each thread");
        }
        if (code == Native.STALE) {
            return new GoLibraryException(
                    "the Go function is closed; open it again before calling it");
        }
        return new GoLibraryException(
                "the call failed with code " + code + " and Go has no error record for it");
    }

    static GoException of(Map<String, String> record) {
        String kind = record.getOrDefault("kind", "internal");
        String function = record.get("function");
        int row = row(record.get("row"));
        String text = record.getOrDefault("message", "no message");
        String message = function == null ? text : function + ": " + text;
        if (row != GoException.NO_ROW) {
            message += " (row " + row + " of the batch)";
        }
        List<String[]> chain = chain(record);
        String goType = chain.isEmpty() ? "error" : chain.get(0)[0];
        GoException failure;
        switch (kind) {
            case "panic":
                failure = new GoPanicException(message, function, row);
                break;
            case "deadline":
                failure =
                        new GoDeadlineException(
                                message, causes(chain, function, row), goType, function, row);
                break;
            case "error":
            case "input":
                failure =
                        new GoFunctionException(
                                message, causes(chain, function, row), goType, function, row);
                break;
            default:
                failure = new GoLibraryException(message);
        }
        addFrames(failure, record);
        return failure;
    }

    private static int row(String text) {
        if (text == null) {
            return GoException.NO_ROW;
        }
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            return GoException.NO_ROW;
        }
    }

    /** Type and text of the error and of what it wraps, outermost first. */
    private static List<String[]> chain(Map<String, String> record) {
        List<String[]> chain = new ArrayList<>();
        String link;
        for (int i = 0; (link = record.get("chain." + i)) != null; i++) {
            int colon = link.indexOf(": ");
            chain.add(
                    colon < 0
                            ? new String[] {link, ""}
                            : new String[] {link.substring(0, colon), link.substring(colon + 2)});
        }
        return chain;
    }

    /** The chain without its first link, as causes of each other; null if there is no more. */
    private static GoFunctionException causes(List<String[]> chain, String function, int row) {
        GoFunctionException cause = null;
        for (int i = chain.size() - 1; i > 0; i--) {
            String[] link = chain.get(i);
            cause = new GoFunctionException(link[1], cause, link[0], function, row);
            cause.setStackTrace(new StackTraceElement[0]); // Go's errors carry none
        }
        return cause;
    }

    private static void addFrames(GoException failure, Map<String, String> record) {
        List<StackTraceElement> frames = new ArrayList<>();
        String frame;
        for (int i = 0; (frame = record.get("frame." + i)) != null; i++) {
            frames.add(frame(frame));
        }
        if (!frames.isEmpty()) {
            frames.addAll(Arrays.asList(failure.getStackTrace()));
            failure.setStackTrace(frames.toArray(new StackTraceElement[0]));
        }
    }

    /** Of {@code example.com/fraud.(*model).score<TAB>model.go<TAB>12}. */
    private static StackTraceElement frame(String text) {
        String[] parts = text.split("\t", 3);
        int dot = parts[0].indexOf('.', parts[0].lastIndexOf('/') + 1);
        String type = dot < 0 ? "go" : parts[0].substring(0, dot);
        String method = dot < 0 ? parts[0] : parts[0].substring(dot + 1);
        int line = parts.length < 3 ? -1 : row(parts[2]);
        return new StackTraceElement(type, method, parts.length < 2 ? null : parts[1], line);
    }
}
