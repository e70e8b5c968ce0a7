package dev.drey.flink.udf.library;

import java.nio.ByteBuffer;

/**
 * The native methods, which {@code drey_shim.c} registers when it is loaded. Buffers are direct and
 * used whole, from 0 to their capacity. Where a call must be fast, memory is passed as the address
 * of a direct buffer that the caller keeps reachable until the method has returned.
 *
 * <p>{@code library} is what {@link #load} returned. Codes are those of {@code drey.h}.
 */
final class Native {
    /**
     * Version of these methods. The shim refuses to be loaded by classes with another one, which
     * happens when two versions of Drey are on one class path. Read by name from C.
     */
    static final int PROTOCOL = 1;

    /** Major version of the C interface of the Go library that these classes are written for. */
    static final int ABI_MAJOR = 1;

    /** Minor version of the same: that of this source. */
    static final int ABI_MINOR = 0;

    /** Size of the memory of a call of fixed width, and where in it is what: longs all. */
    static final int FIXED_BYTES = 72;

    static final int FIXED_LIBRARY = 0;
    static final int FIXED_HANDLE = 8;
    static final int FIXED_NULL = 64;

    /** No error record is larger. */
    static final int ERROR_MAX = 65536;

    /** The handle is in use by another thread. */
    static final long BUSY = Long.MIN_VALUE;

    /** The handle was closed. */
    static final long STALE = Long.MIN_VALUE + 1;

    private Native() {}

    /** Whether a symbol can be found by every library of the process: how libjsig shows. */
    static native boolean isDefined(byte[] symbol);

    /**
     * Maps the Go library at that path, zero-terminated, or finds it mapped, and its functions.
     *
     * @throws UnsatisfiedLinkError with the words of the dynamic linker
     */
    static native long load(byte[] path);

    static native int abi(long library);

    static native long init(long library, ByteBuffer in, ByteBuffer out);

    static native long open(long library, ByteBuffer in, ByteBuffer out);

    static native long call(
            long library, long handle, int op, long in, long length, long out, long capacity);

    static native long fetch(long library, long handle, long offset, long out, long capacity);

    static native long error(long library, long handle, ByteBuffer out);

    /**
     * Calls a function of fixed arguments.
     *
     * @param call address of {@link #FIXED_BYTES} of which {@link #FIXED_LIBRARY} and {@link
     *     #FIXED_HANDLE} are set
     * @return the result's value; whether it is NULL is in {@link #FIXED_NULL}
     * @throws dev.drey.flink.udf.GoException see {@link #raise}
     */
    static native long fixed(long call, long nulls, long a, long b, long c, long d);

    static native long close(long library, long handle, ByteBuffer out);

    static native long describe(long library, ByteBuffer out);

    static native long stats(long library, ByteBuffer out);

    /** The address of a direct buffer's first byte. */
    static native long address(ByteBuffer direct);

    /**
     * Gives {@code processJson} of that class its body, which opens functions with that request as
     * threads need them.
     */
    static native void bind(Class<?> proxy, long library, byte[] request);

    /** Called by C, in the error path only: throws what a record, or without one a code, says. */
    static void raise(byte[] record, long code) {
        throw Failures.of(record, code);
    }
}
