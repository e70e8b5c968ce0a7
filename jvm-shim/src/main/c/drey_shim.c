/* The native methods of dev.drey.flink.udf.library.Native: each forwards to the Go library. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "drey_shim.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Native.PROTOCOL: raised when a native method changes. A test compiles another one. */
#ifndef PROTOCOL
#define PROTOCOL 1
#endif

/* The libraries that this shim has function tables of. Native.load is called under a lock of Java's. */
static struct library *libraries;

_Static_assert(sizeof(struct fixed) == 72 && offsetof(struct fixed, call.null) == 64, "Native knows these numbers");

static void *pointer(jlong address) { return (void *)(intptr_t)address; }

static struct library *at(jlong address) { return (struct library *)pointer(address); }

void throw_new(JNIEnv *env, const char *class_name, const char *message) {
    jclass class = (*env)->FindClass(env, class_name);
    if (class != NULL) (*env)->ThrowNew(env, class, message);
}

void throw_record(JNIEnv *env, const void *record, int64_t n, int64_t code) {
    jbyteArray bytes = NULL;
    jmethodID raise;
    jclass native = (*env)->FindClass(env, NATIVE);
    if (native == NULL) return;
    raise = (*env)->GetStaticMethodID(env, native, "raise", "([BJ)V");
    if (raise == NULL) return;
    if (record != NULL && n > 0) {
        bytes = (*env)->NewByteArray(env, (jsize)n);
        if (bytes == NULL) return;
        (*env)->SetByteArrayRegion(env, bytes, 0, (jsize)n, record);
    }
    (*env)->CallStaticVoidMethod(env, native, raise, bytes, (jlong)code);
}

void throw_failure(JNIEnv *env, const struct library *library, int64_t handle, int64_t code) {
    void *record = NULL;
    int64_t n = 0;
    if (code != DREY_BUSY && code != DREY_STALE) {
        record = malloc(DREY_ERROR_MAX);
        if (record != NULL) n = library->error(handle, record, DREY_ERROR_MAX);
    }
    throw_record(env, record, n, code);
    free(record);
}

/* A direct buffer as the C interface wants it. */
struct memory {
    void *at;
    int64_t size;
};

static struct memory buffer(JNIEnv *env, jobject direct) {
    struct memory m = {(*env)->GetDirectBufferAddress(env, direct), 0};
    if (m.at != NULL) m.size = (*env)->GetDirectBufferCapacity(env, direct);
    return m;
}

static jboolean JNICALL is_defined(JNIEnv *env, jclass class, jbyteArray symbol) {
    char name[128] = {0};
    jsize n = (*env)->GetArrayLength(env, symbol);
    (void)class;
    if (n >= (jsize)sizeof name) return JNI_FALSE;
    (*env)->GetByteArrayRegion(env, symbol, 0, n, (jbyte *)name);
    return dlsym(RTLD_DEFAULT, name) != NULL;
}

static int find(void *handle, const char *name, void *function) {
    void *found = dlsym(handle, name);
    *(void **)function = found;
    return found != NULL;
}

static jlong JNICALL load(JNIEnv *env, jclass class, jbyteArray path) {
    struct library *library = calloc(1, sizeof *library);
    jbyte *name = (*env)->GetByteArrayElements(env, path, NULL);
    void *handle = NULL;
    (void)class;
    if (library != NULL && name != NULL) handle = dlopen((const char *)name, RTLD_NOW | RTLD_LOCAL);
    if (name != NULL) (*env)->ReleaseByteArrayElements(env, path, name, JNI_ABORT);
    if (handle == NULL || !find(handle, "drey_abi", &library->abi) || !find(handle, "drey_thread", &library->thread) ||
        !find(handle, "drey_init", &library->init) || !find(handle, "drey_open", &library->open) ||
        !find(handle, "drey_call", &library->call) || !find(handle, "drey_fetch", &library->fetch) ||
        !find(handle, "drey_error", &library->error) ||
        !find(handle, "drey_call_fixed", &library->call_fixed) || !find(handle, "drey_close", &library->close) ||
        !find(handle, "drey_describe", &library->describe) || !find(handle, "drey_stats", &library->stats)) {
        const char *why = dlerror();
        throw_new(env, "java/lang/UnsatisfiedLinkError", why != NULL ? why : "no memory");
        free(library);
        return 0;
    }
    library->next = libraries;
    libraries = library;
    return (jlong)(intptr_t)library;
}

static jint JNICALL abi(JNIEnv *env, jclass class, jlong library) {
    (void)env;
    (void)class;
    return (jint)at(library)->abi();
}

static jlong JNICALL init(JNIEnv *env, jclass class, jlong library, jobject in, jobject out) {
    struct memory i = buffer(env, in), o = buffer(env, out);
    (void)class;
    at(library)->thread();
    return at(library)->init(i.at, i.size, o.at, o.size);
}

static jlong JNICALL open_function(JNIEnv *env, jclass class, jlong library, jobject in, jobject out) {
    struct memory i = buffer(env, in), o = buffer(env, out);
    int64_t handle;
    (void)class;
    at(library)->thread();
    handle = at(library)->open(i.at, i.size, o.at, o.size);
    if (handle > 0) handle_opened(at(library), handle);
    return handle;
}

static jlong JNICALL call(JNIEnv *env, jclass class, jlong library, jlong handle, jint op, jlong in, jlong n, jlong out,
    jlong capacity) {
    const struct library *l = at(library);
    (void)env;
    (void)class;
    l->thread();
    return l->call(handle, op, pointer(in), n, pointer(out), capacity);
}

static jlong JNICALL fetch(
    JNIEnv *env, jclass class, jlong library, jlong handle, jlong offset, jlong out, jlong capacity) {
    (void)env;
    (void)class;
    at(library)->thread();
    return at(library)->fetch(handle, offset, pointer(out), capacity);
}

static jlong JNICALL error(JNIEnv *env, jclass class, jlong library, jlong handle, jobject out) {
    struct memory o = buffer(env, out);
    (void)class;
    at(library)->thread();
    return at(library)->error(handle, o.at, o.size);
}

static jlong JNICALL call_fixed(
    JNIEnv *env, jclass class, jlong memory, jlong nulls, jlong a, jlong b, jlong c, jlong d) {
    struct fixed *fixed = pointer(memory);
    drey_fixed *call = &fixed->call;
    int32_t code;
    (void)class;
    call->nulls = (uint64_t)nulls;
    call->args[0] = a;
    call->args[1] = b;
    call->args[2] = c;
    call->args[3] = d;
    fixed->library->thread();
    code = fixed->library->call_fixed(call);
    if (LIKELY(code == 0)) return call->value;
    throw_failure(env, fixed->library, call->handle, code == 2 ? DREY_BUSY : code == 3 ? DREY_STALE : -1);
    return 0;
}

static jlong JNICALL close_function(JNIEnv *env, jclass class, jlong library, jlong handle, jobject out) {
    struct memory o = buffer(env, out);
    int64_t code;
    (void)class;
    at(library)->thread();
    code = at(library)->close(handle, o.at, o.size);
    if (code != DREY_BUSY) handle_closed(at(library), handle);
    return code;
}

static jlong JNICALL describe(JNIEnv *env, jclass class, jlong library, jobject out) {
    struct memory o = buffer(env, out);
    (void)class;
    at(library)->thread();
    return at(library)->describe(o.at, o.size);
}

static jlong JNICALL stats(JNIEnv *env, jclass class, jlong library, jobject out) {
    struct memory o = buffer(env, out);
    (void)class;
    at(library)->thread();
    return at(library)->stats(o.at, o.size);
}

static jlong JNICALL address(JNIEnv *env, jclass class, jobject direct) {
    (void)class;
    return (jlong)(intptr_t)(*env)->GetDirectBufferAddress(env, direct);
}

static void JNICALL bind(JNIEnv *env, jclass class, jclass proxy, jlong library, jbyteArray request) {
    (void)class;
    bind_proxy(env, proxy, at(library), request);
}

#define BUFFER "Ljava/nio/ByteBuffer;"

static const JNINativeMethod methods[] = {
    {"isDefined", "([B)Z", (void *)is_defined},
    {"load", "([B)J", (void *)load},
    {"abi", "(J)I", (void *)abi},
    {"init", "(J" BUFFER BUFFER ")J", (void *)init},
    {"open", "(J" BUFFER BUFFER ")J", (void *)open_function},
    {"call", "(JJIJJJJ)J", (void *)call},
    {"fetch", "(JJJJJ)J", (void *)fetch},
    {"error", "(JJ" BUFFER ")J", (void *)error},
    {"fixed", "(JJJJJJ)J", (void *)call_fixed},
    {"close", "(JJ" BUFFER ")J", (void *)close_function},
    {"describe", "(J" BUFFER ")J", (void *)describe},
    {"stats", "(J" BUFFER ")J", (void *)stats},
    {"address", "(" BUFFER ")J", (void *)address},
    {"bind", "(Ljava/lang/Class;J[B)V", (void *)bind},
};

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
    JNIEnv *env;
    jclass native;
    jfieldID field;
    jint protocol;
    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_8) != JNI_OK) return JNI_ERR;
    native = (*env)->FindClass(env, NATIVE);
    if (native == NULL) return JNI_ERR;
    field = (*env)->GetStaticFieldID(env, native, "PROTOCOL", "I");
    if (field == NULL) return JNI_ERR;
    protocol = (*env)->GetStaticIntField(env, native, field);
    if (protocol != PROTOCOL) {
        char message[128];
        snprintf(message, sizeof message, "the C shim speaks protocol %d and the classes of Drey speak protocol %d",
            PROTOCOL, (int)protocol);
        throw_new(env, "java/lang/UnsatisfiedLinkError", message);
        return JNI_ERR;
    }
    if ((*env)->RegisterNatives(env, native, methods, sizeof methods / sizeof methods[0]) != 0) return JNI_ERR;
    return JNI_VERSION_1_8;
}

JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved) {
    (void)vm;
    (void)reserved;
    close_proxies();
    close_handles();
    while (libraries != NULL) {
        struct library *library = libraries;
        libraries = library->next;
        free(library);
    }
}
