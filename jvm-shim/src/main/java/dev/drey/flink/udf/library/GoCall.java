package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoException;
import dev.drey.flink.udf.GoLibraryException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One opened Go function. Used by one thread at a time: a second one that calls meanwhile gets a
 * {@link GoLibraryException} from Go, though the buffers, which are Java's, are not guarded.
 *
 * <p>Both buffers are owned by this object, are little-endian, and are replaced when they have to
 * grow: ask for them each time. What is in {@link #output} is valid until the next call.
 *
 * <p>Every method that calls Go throws {@link GoException}: {@link
 * dev.drey.flink.udf.GoPanicException} if the function panicked, {@link
 * dev.drey.flink.udf.GoFunctionException} if it returned an error, {@link GoLibraryException} if it
 * was not called. Afterwards this object is as usable as before.
 */
public final class GoCall implements AutoCloseable {
    /** Evaluates: the operation of every function but an aggregate. */
    public static final int EVAL = 0;

    /** Adds a row to an accumulator. */
    public static final int ACCUMULATE = 1;

    /** Takes a row back out of an accumulator. */
    public static final int RETRACT = 2;

    /** Merges accumulators. */
    public static final int MERGE = 3;

    /** Turns an accumulator into a result. */
    public static final int RESULT = 4;

    private static final int FIRST_SIZE = 4096;
    private static final int FAILED = -1;

    private final long library;
    private final long handle;
    private final ByteBuffer fixed; // the memory of a call of fixed width
    private final long fixedAddress;

    private ByteBuffer input;
    private long inputAddress;
    private ByteBuffer output;
    private long outputAddress;
    private boolean closed;
    private final Forgotten watched;

    GoCall(long library, long handle) {
        this.library = library;
        this.handle = handle;
        this.fixed =
                ByteBuffer.allocateDirect(Native.FIXED_BYTES)
                        .order(ByteOrder.nativeOrder())
                        .putLong(Native.FIXED_LIBRARY, library)
                        .putLong(Native.FIXED_HANDLE, handle);
        this.fixedAddress = Native.address(fixed);
        this.input = direct(FIRST_SIZE);
        this.inputAddress = Native.address(input);
        this.output = direct(FIRST_SIZE);
        this.outputAddress = Native.address(output);
        this.watched = Forgotten.watch(this, library, handle);
    }

    /**
     * Calls a function whose arguments (at most four) and result are of fixed width: integers
     * sign-extended, BOOLEAN 0 or 1, FLOAT and DOUBLE as their raw bits, dates and times as Flink
     * has them inside. Allocates nothing.
     *
     * @param nulls bit i: argument i is NULL, its value is not looked at
     * @return the result; 0 if it is NULL, see {@link #wasNull}
     */
    public long fixed(long nulls, long a, long b, long c, long d) {
        try {
            return Native.fixed(fixedAddress, nulls, a, b, c, d);
        } finally {
            Reference.reachabilityFence(this); // or the buffer may be freed while Go writes to it
        }
    }

    /** Whether the last {@link #fixed} that returned was NULL. */
    public boolean wasNull() {
        return fixed.getLong(Native.FIXED_NULL) != 0;
    }

    /**
     * The buffer for the input of the next {@link #call}, with room for so many bytes. It keeps its
     * content when it grows; position and limit are 0 and its capacity.
     */
    public ByteBuffer input(int atLeast) {
        if (input.capacity() < atLeast) {
            ByteBuffer larger = direct(grown(input.capacity(), atLeast));
            input.clear();
            larger.put(input);
            input = larger;
            inputAddress = Native.address(larger);
        }
        input.clear();
        return input;
    }

    /**
     * Calls the function with the first {@code length} bytes of {@link #input}: a message of the
     * row codec, the bytes of a RAW or JSON function, or what the operation of an aggregate takes.
     *
     * @param op {@link #EVAL}, or an operation of an aggregate function
     * @return the length of the result, which is in {@link #output}
     */
    public int call(int op, int length) {
        if (length < 0 || length > input.capacity()) {
            throw new IndexOutOfBoundsException(
                    length + " bytes of an input buffer of " + input.capacity());
        }
        try {
            long n =
                    Native.call(
                            library,
                            handle,
                            op,
                            inputAddress,
                            length,
                            outputAddress,
                            output.capacity());
            return n >= 0 ? (int) n : unusual(n);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * The result of the last {@link #call} from 0 on; position and limit are 0 and its capacity.
     */
    public ByteBuffer output() {
        output.clear();
        return output;
    }

    /**
     * Closes the function, and what its Open returned, if it is not closed yet.
     *
     * @throws GoException what Go's Close returned or panicked with (it is closed then), or that a
     *     call of another thread runs (it is not)
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        ByteBuffer record = direct(Native.ERROR_MAX);
        long n = Native.close(library, handle, record);
        closed = n != Native.BUSY;
        if (closed) {
            watched.done();
        }
        if (n != 0 && n != Native.STALE) {
            throw failure(record, n);
        }
    }

    /** The call failed, or its result is larger than the buffer and waits. */
    private int unusual(long n) {
        if (n == FAILED || n == Native.BUSY || n == Native.STALE) {
            throw failure(n);
        }
        // max_result_bytes, which is an int, bounds what Go parks.
        int size = Math.toIntExact(-n);
        output = direct(grown(output.capacity(), size));
        outputAddress = Native.address(output);
        long fetched = Native.fetch(library, handle, 0, outputAddress, output.capacity());
        if (fetched != size) {
            throw failure(fetched);
        }
        return size;
    }

    private GoException failure(long n) {
        ByteBuffer record = direct(Native.ERROR_MAX);
        long size = 0;
        if (n == FAILED) {
            size = Native.error(library, handle, record);
        }
        return size > 0 ? failure(record, -size) : Failures.of((byte[]) null, n);
    }

    /** Of a function that answers -(bytes of an error record), or a code. */
    static GoException failure(ByteBuffer record, long n) {
        if (n >= 0 || n < -record.capacity()) {
            return Failures.of((byte[]) null, n);
        }
        byte[] bytes = new byte[(int) -n];
        record.clear();
        record.get(bytes);
        return Failures.of(bytes, n);
    }

    private static int grown(int capacity, int atLeast) {
        return (int) Math.max(atLeast, Math.min(2L * capacity, Integer.MAX_VALUE - 8));
    }

    static ByteBuffer direct(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
