package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Calls the Go functions of a jar for another program, in a JVM as Flink's: what {@code
 * go-udf-builder verify} and {@code run} start.
 *
 * <pre>
 * java -cp go-udf-bridge.jar dev.drey.flink.udf.library.GoConsole ANSWERS [KEY=VALUE ...]
 * </pre>
 *
 * <p>ANSWERS is the file that answers are written to, such as {@code /proc/self/fd/3}, a pipe that
 * the other program has opened: standard output and error are the Go functions' own. The rest are
 * settings, as {@code drey.udf.library-dir=/tmp/x}. The build is the one of the jar.
 *
 * <p>Requests are read from standard input, one answer to each, in order, until it ends; then the
 * program exits with 0. It exits with 1, and says why on standard error, if a request is none. All
 * numbers are big-endian.
 *
 * <pre>
 * request := u32 length, u8 verb, body      length counts verb and body
 *   1 LOAD                                  answer: string map of the settings in force
 *   2 OPEN      string map as for drey_open answer: u32 id
 *   3 CALL      u32 id, u32 op, input       answer: the result's bytes
 *   4 FIXED     u32 id, u64 nulls, 4 x i64  answer: u8 null, i64 value
 *   5 CLOSE     u32 id                      answer: nothing
 *   6 DESCRIBE                              answer: JSON
 *   7 STATS                                 answer: JSON
 *   8 JSON      UTF-8                       answer: UTF-8, what GoUDFProxy.processJson returns
 * answer  := u32 length, u8 failed (0 or 1), body
 * </pre>
 *
 * <p>A failed answer is a string map (u32 count, then u32 length and UTF-8 of each key and value)
 * with {@code exception} (its class), {@code message}, {@code function} and {@code row} if there is
 * one, and {@code trace} (the stack trace as Java prints it, Go's frames first). LOAD is done by
 * the first request that needs it.
 */
public final class GoConsole {
    private static final int MAX_REQUEST = 1 << 30;

    private final LibrarySettings settings;
    private final Map<Integer, GoCall> calls = new HashMap<>();
    private int opened;
    private GoLibrary library;

    private GoConsole(LibrarySettings settings) {
        this.settings = settings;
    }

    /** See the class. */
    public static void main(String[] args) throws IOException {
        if (args.length == 0) {
            System.err.println("usage: GoConsole ANSWERS [KEY=VALUE ...]");
            System.exit(2);
        }
        Map<String, String> options = new HashMap<>();
        for (int i = 1; i < args.length; i++) {
            int equals = args[i].indexOf('=');
            if (equals < 0) {
                System.err.println(args[i] + ": want KEY=VALUE");
                System.exit(2);
            }
            options.put(args[i].substring(0, equals), args[i].substring(equals + 1));
        }
        GoConsole console = new GoConsole(LibrarySettings.of(options));
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
                OutputStream file = new FileOutputStream(args[0]);
                DataOutputStream out = new DataOutputStream(new BufferedOutputStream(file))) {
            console.run(in, out);
        }
    }

    private void run(DataInputStream in, DataOutputStream out) throws IOException {
        while (true) {
            int length;
            try {
                length = in.readInt();
            } catch (EOFException e) {
                return;
            }
            if (length < 1 || length > MAX_REQUEST) {
                throw new IOException(
                        "a request of " + length + " bytes; want 1 to " + MAX_REQUEST);
            }
            byte[] request = new byte[length];
            in.readFully(request);
            byte[] answer;
            int failed = 0;
            try {
                answer = answer(ByteBuffer.wrap(request));
            } catch (RuntimeException | LinkageError e) {
                answer = failure(e);
                failed = 1;
            }
            out.writeInt(answer.length + 1);
            out.writeByte(failed);
            out.write(answer);
            out.flush();
        }
    }

    private byte[] answer(ByteBuffer request) {
        int verb = request.get();
        switch (verb) {
            case 1:
                return StringMap.encode(library().effective());
            case 2:
                GoCall opening = library().open(StringMap.decode(rest(request)));
                calls.put(++opened, opening);
                return ByteBuffer.allocate(4).putInt(opened).array();
            case 3:
                return call(call(request), request.getInt(), rest(request));
            case 4:
                return fixed(call(request), request);
            case 5:
                int id = request.getInt();
                GoCall closing = calls.remove(id);
                if (closing != null) {
                    closing.close();
                }
                return new byte[0];
            case 6:
                return library().describe().getBytes(StandardCharsets.UTF_8);
            case 7:
                return library().stats().getBytes(StandardCharsets.UTF_8);
            case 8:
                return processJson(new String(rest(request), StandardCharsets.UTF_8))
                        .getBytes(StandardCharsets.UTF_8);
            default:
                throw new IllegalArgumentException("no verb " + verb + "; want 1 to 8");
        }
    }

    private GoLibrary library() {
        if (library == null) {
            ClassLoader loader = GoConsole.class.getClassLoader();
            library = GoLibrary.load(loader, GoLibrary.build(loader), settings);
        }
        return library;
    }

    private GoCall call(ByteBuffer request) {
        int id = request.getInt();
        GoCall call = calls.get(id);
        if (call == null) {
            throw new IllegalArgumentException("no function is open with id " + id);
        }
        return call;
    }

    private static byte[] call(GoCall call, int op, byte[] input) {
        call.input(input.length).put(input);
        byte[] result = new byte[call.call(op, input.length)];
        call.output().get(result);
        return result;
    }

    private static byte[] fixed(GoCall call, ByteBuffer in) {
        long value =
                call.fixed(in.getLong(), in.getLong(), in.getLong(), in.getLong(), in.getLong());
        return ByteBuffer.allocate(9).put((byte) (call.wasNull() ? 1 : 0)).putLong(value).array();
    }

    /** By reflection: a class of a package cannot import one of the default package. */
    private static String processJson(String event) {
        try {
            return (String)
                    Class.forName("GoUDFProxy")
                            .getMethod("processJson", String.class)
                            .invoke(null, event);
        } catch (java.lang.reflect.InvocationTargetException e) {
            if (e.getCause() instanceof RuntimeException) {
                throw (RuntimeException) e.getCause();
            }
            throw new IllegalStateException(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("the jar has no GoUDFProxy; build it again", e);
        }
    }

    private static byte[] rest(ByteBuffer request) {
        byte[] rest = new byte[request.remaining()];
        request.get(rest);
        return rest;
    }

    private static byte[] failure(Throwable e) {
        Map<String, String> failure = new LinkedHashMap<>();
        failure.put("exception", e.getClass().getName());
        failure.put("message", String.valueOf(e.getMessage()));
        if (e instanceof GoException) {
            GoException go = (GoException) e;
            if (go.function() != null) {
                failure.put("function", go.function());
            }
            if (go.row() != GoException.NO_ROW) {
                failure.put("row", Integer.toString(go.row()));
            }
        }
        StringWriter trace = new StringWriter();
        e.printStackTrace(new PrintWriter(trace));
        failure.put("trace", trace.toString());
        return StringMap.encode(failure);
    }
}
