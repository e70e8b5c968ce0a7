/*
 * GoUDFProxy.processJson. Any thread may call it at any time, and a handle serves one thread at a time: each call takes a
 * caller, an opened function with its buffers, and puts it back. There are never more than calls at once.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drey_shim.h"

#define FIRST_SIZE 4096

struct caller {
    struct caller *next;
    int64_t handle;
    uint16_t *units; /* of a Java string */
    size_t units_size;
    uint8_t *in, *out;
    size_t in_size, out_size;
};

/*
 * The functions that callers are opened with: set by the first GoUDFProxy and then left, since its calls read them. The
 * classes of Drey, and with them the shim, may be shared by jobs of which each has a GoUDFProxy of its own.
 */
static struct library *library;
static uint8_t *request;
static int64_t request_size;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct caller *idle; /* guarded by mutex */

/* Makes room for n elements, doubling; what was there is lost. */
static int reserve(void **buffer, size_t *size, size_t n, size_t element) {
    size_t want = *size ? *size : FIRST_SIZE;
    void *larger;
    if (n <= *size) return 1;
    while (want < n) want *= 2;
    larger = malloc(want * element);
    if (larger == NULL) return 0;
    free(*buffer);
    *buffer = larger;
    *size = want;
    return 1;
}

static void free_caller(struct caller *caller) {
    free(caller->units);
    free(caller->in);
    free(caller->out);
    free(caller);
}

static struct caller *open_caller(JNIEnv *env) {
    struct caller *caller = calloc(1, sizeof *caller);
    uint8_t *record = malloc(DREY_ERROR_MAX);
    if (caller == NULL || record == NULL) {
        throw_new(env, "java/lang/OutOfMemoryError", "no memory for a call of processJson");
    } else {
        caller->handle = library->open(request, request_size, record, DREY_ERROR_MAX);
        if (caller->handle > 0) {
            free(record);
            return caller;
        }
        throw_record(env, record, -caller->handle, 0);
    }
    free(record);
    free(caller);
    return NULL;
}

static struct caller *take(JNIEnv *env) {
    struct caller *caller;
    pthread_mutex_lock(&mutex);
    caller = idle;
    if (caller != NULL) idle = caller->next;
    pthread_mutex_unlock(&mutex);
    return caller != NULL ? caller : open_caller(env);
}

static void put_back(struct caller *caller) {
    pthread_mutex_lock(&mutex);
    caller->next = idle;
    idle = caller;
    pthread_mutex_unlock(&mutex);
}

/* Calls the function and leaves its result in caller->out. Returns its length; -1: an exception is thrown. */
static int64_t evaluate(JNIEnv *env, struct caller *caller, size_t n) {
    int64_t size = library->call(
        caller->handle, DREY_EVAL, caller->in, (int64_t)n, caller->out, (int64_t)caller->out_size);
    if (LIKELY(size >= 0)) return size;
    if (size == -1 || size == DREY_BUSY || size == DREY_STALE) {
        throw_failure(env, library, caller->handle, size);
        return -1;
    }
    size = -size;
    if (!reserve((void **)&caller->out, &caller->out_size, (size_t)size, 1)) {
        throw_new(env, "java/lang/OutOfMemoryError", "no memory for the result of processJson");
        return -1;
    }
    if (library->fetch(caller->handle, 0, caller->out, (int64_t)caller->out_size) != size) {
        throw_new(env, "java/lang/IllegalStateException", "the Go library lost the result of processJson");
        return -1;
    }
    return size;
}

static jstring process(JNIEnv *env, struct caller *caller, jstring input) {
    size_t n = (size_t)(*env)->GetStringLength(env, input), bad = 0;
    int64_t size;
    if (!reserve((void **)&caller->units, &caller->units_size, n, 2) ||
        !reserve((void **)&caller->in, &caller->in_size, 3 * n, 1) ||
        !reserve((void **)&caller->out, &caller->out_size, FIRST_SIZE, 1)) {
        throw_new(env, "java/lang/OutOfMemoryError", "no memory for the input of processJson");
        return NULL;
    }
    (*env)->GetStringRegion(env, input, 0, (jsize)n, caller->units);
    if ((*env)->ExceptionCheck(env)) return NULL;
    n = utf8_from_utf16(caller->in, caller->units, n);
    size = evaluate(env, caller, n);
    if (size < 0) return NULL;
    if (!reserve((void **)&caller->units, &caller->units_size, (size_t)size, 2)) {
        throw_new(env, "java/lang/OutOfMemoryError", "no memory for the result of processJson");
        return NULL;
    }
    size = utf16_from_utf8(caller->units, caller->out, (size_t)size, &bad);
    if (size < 0) {
        char message[128];
        snprintf(message, sizeof message,
            "the result of processJson is not UTF-8 at byte %zu; let the Go function return JSON text", bad);
        throw_new(env, "java/lang/IllegalStateException", message);
        return NULL;
    }
    return (*env)->NewString(env, caller->units, (jsize)size);
}

static jstring JNICALL process_json(JNIEnv *env, jclass class, jstring input) {
    struct caller *caller;
    jstring result;
    (void)class;
    if (input == NULL) {
        throw_new(env, "java/lang/NullPointerException", "processJson(null); give it JSON text");
        return NULL;
    }
    library->thread();
    caller = take(env);
    if (caller == NULL) return NULL;
    result = process(env, caller, input);
    put_back(caller);
    return result;
}

/* Whether that is the first binding, or one like it. Takes the copy of the request, or frees it. */
static int same_binding(struct library *to, uint8_t *copy, int64_t n) {
    int same;
    if (library == NULL) {
        request = copy;
        request_size = n;
        library = to;
        return 1;
    }
    same = library == to && request_size == n && memcmp(request, copy, (size_t)n) == 0;
    free(copy);
    return same;
}

void bind_proxy(JNIEnv *env, jclass proxy, struct library *to, jbyteArray open_request) {
    JNINativeMethod method = {"processJson", "(Ljava/lang/String;)Ljava/lang/String;", (void *)process_json};
    jsize n = (*env)->GetArrayLength(env, open_request);
    uint8_t *copy = malloc((size_t)n);
    if (copy == NULL) {
        throw_new(env, "java/lang/OutOfMemoryError", "no memory for processJson");
        return;
    }
    (*env)->GetByteArrayRegion(env, open_request, 0, n, (jbyte *)copy);
    if (!same_binding(to, copy, n)) {
        throw_new(env, "dev/drey/flink/udf/GoLibraryException",
            "jobs that share Drey's classes share one GoUDFProxy, and there is one of another build; set"
            " classloader.parent-first-patterns.additional: dev.drey.;GoUDFProxy to use that of lib/ in all jobs, or take"
            " dev.drey. out of it, and each job has Drey's classes and GoUDFProxy of its own jar");
        return;
    }
    (*env)->RegisterNatives(env, proxy, &method, 1);
}

/* The class loader is gone, and so is every thread that could be in a call. */
void close_proxies(void) {
    uint8_t *record = malloc(DREY_ERROR_MAX);
    if (idle != NULL) library->thread();
    while (idle != NULL) {
        struct caller *caller = idle;
        idle = caller->next;
        library->close(caller->handle, record, record == NULL ? 0 : DREY_ERROR_MAX);
        free_caller(caller);
    }
    free(record);
    free(request);
    request = NULL;
}
