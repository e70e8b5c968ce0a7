/*
 * The C interface of a Go library with functions for Flink: libgo_udf.so, as go-udf-builder makes it. Its only user is the
 * JNI shim (jvm-shim/src/main/c), which finds each function here by dlsym; nothing links against the library.
 *
 * Memory: every pointer belongs to the caller and is only used during the call. Go neither keeps nor frees it, and what Go
 * keeps (a result that did not fit, the last error) is copied out by drey_fetch and drey_error.
 *
 * Threads: every function may be called from any thread that has called drey_thread before; a handle only by one thread at
 * a time. A second one is refused with DREY_BUSY and disturbs nothing.
 *
 * No function unwinds into its caller: a panic of Go code, and a fault of the processor in it, is an error record.
 *
 * A string map, and an error record, is big-endian: u32 count, count x (u32 length, UTF-8 key, u32 length, UTF-8 value).
 * Keys of an error record:
 *   kind      panic (of the function), error (returned by it), input (arguments or result do not fit), deadline (an error
 *             after the deadline of the call), internal (the library, the handle, the request)
 *   function  its SQL name
 *   message   what happened, and what to do next
 *   row       index in the batch of the row that failed; absent for a batch of one row
 *   chain.0.. the error and what it wraps, outermost first: "*fs.PathError: open x"
 *   frame.0.. Go's stack, innermost first: "package.Function<TAB>file.go<TAB>line"
 */
#ifndef DREY_H
#define DREY_H

#include <stdint.h>

#define DREY_ABI_MAJOR 1
#define DREY_ABI_MINOR 0

/* No error record is larger; what is too long in it is cut. */
#define DREY_ERROR_MAX 65536

/* Answers of a call that have no error record. */
#define DREY_BUSY INT64_MIN         /* the handle is in use by another thread */
#define DREY_STALE (INT64_MIN + 1)  /* the handle was closed, or never opened */

/* What drey_call asks of an aggregate function; every other function only has DREY_EVAL. */
#define DREY_EVAL 0
#define DREY_ACCUMULATE 1
#define DREY_RETRACT 2
#define DREY_MERGE 3
#define DREY_RESULT 4

/* One call of fixed width. Values: integers sign-extended, BOOLEAN 0 or 1, FLOAT and DOUBLE their raw bits. */
typedef struct {
    int64_t handle;
    uint64_t nulls;  /* bit i: argument i is NULL, and its value is not looked at */
    int64_t args[4];
    int64_t value;   /* the result */
    int64_t null;    /* 1: the result is NULL, and value is 0 */
} drey_fixed;

/*
 * Prepares the calling thread; cheap when that was done before, and the one thing that must be done before any call below.
 * Gives the thread a signal stack of 128 KiB if it has none, which Go then uses instead of its own of 32 KiB: the JVM's
 * handlers, which Go's call, run on it too. It is freed when the thread ends. Never fails: without memory the thread stays
 * as it is. In the library and not in the shim because the library is never unmapped: a thread may end after the shim is gone.
 */
void drey_thread(void);

/*
 * Version of this interface, major << 16 | minor. Another major does not fit; a higher minor only adds. Does not enter Go.
 */
uint32_t drey_abi(void);

#ifndef DREY_FROM_GO /* cgo declares its exports itself, without const */

/*
 * Starts the library with a string map of settings, once a process: calls after the first that succeeded change nothing and
 * succeed, one that failed has changed nothing. Keys, all optional: gomaxprocs (each thread that calls needs one, or the tasks
 * queue behind each other), memory_limit (bytes), gogc (percent, or "off"), crash_file (path; an error if it cannot be
 * written), crash_file_if_possible (path; taken when there is no crash_file, and left if it cannot be written).
 * Returns the bytes of a string map of the settings in force in out, or -(bytes of an error record in out).
 */
int64_t drey_init(const void *in, int64_t n, void *out, int64_t cap);

/*
 * Opens a function: a string map with function, and optionally signature (must be the library's own), encoding (row, or json:
 * drey_call then takes the arguments as one JSON value and returns JSON, whatever the kind, as the sidecar does), job, subtask,
 * parallelism, attempt, call_timeout_ms (0 or absent: no deadline), max_result_bytes, parameter.NAME. In place of function,
 * entry=processJson: the function process_json or processJson, or the only one, which must be of kind JSON or RAW.
 * Returns a handle > 0, or -(bytes of an error record in out).
 */
int64_t drey_open(const void *in, int64_t n, void *out, int64_t cap);

/*
 * Calls the function with n bytes of input as the kind of the function and op say (package udf, Caller.Call).
 * Returns the bytes written to out; -1: failed, see drey_error; DREY_BUSY; DREY_STALE; else, < -1: -(size) of a result that
 * did not fit, parked until drey_fetch has read its end or the next call of the handle. The function is not called again.
 * cap must be at least 8.
 */
int64_t drey_call(int64_t handle, int32_t op, const void *in, int64_t n, void *out, int64_t cap);

/* Copies the parked result from offset on. Returns the bytes copied; -1: nothing is parked there. */
int64_t drey_fetch(int64_t handle, int64_t offset, void *out, int64_t cap);

/* The error record of the last failed call of this handle. Returns its bytes; 0: there is none. */
int64_t drey_error(int64_t handle, void *out, int64_t cap);

/*
 * Calls a function of at most four arguments, all and the result of fixed width. One struct and not nine parameters, which
 * cost 7 ns more on the way into Go. Returns 0; 1: failed, see drey_error; 2: busy; 3: stale. Allocates nothing.
 */
int32_t drey_call_fixed(drey_fixed *call);

/*
 * Closes a function and what its Open returned. The handle is stale from then on, whatever is returned.
 * Returns 0; DREY_BUSY (then it is still open); DREY_STALE; else -(bytes of an error record in out).
 */
int64_t drey_close(int64_t handle, void *out, int64_t cap);

/*
 * JSON: the functions of the library; and counters of the runtime and of each function.
 * Returns its bytes in out; < -1: -(size) that it needs: ask again with more; -1: failed.
 */
int64_t drey_describe(void *out, int64_t cap);
int64_t drey_stats(void *out, int64_t cap);

#endif

#endif
