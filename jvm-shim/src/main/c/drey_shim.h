/*
 * What the files of the shim share. The shim stands between the JVM and a Go library: it finds the library's functions
 * (drey.h) and forwards to them. It is loaded once for each class loader and freed with it, so it keeps no reference to a
 * Java object, no class and no method id; what it keeps (function tables, open functions, callers of processJson) ends in JNI_OnUnload.
 */
#ifndef DREY_SHIM_H
#define DREY_SHIM_H

#include <jni.h>

#include "drey.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)

/* The functions of one Go library, which is never unmapped. */
struct library {
    struct library *next; /* of this shim */
    uint32_t (*abi)(void);
    void (*thread)(void);
    int64_t (*init)(const void *in, int64_t n, void *out, int64_t cap);
    int64_t (*open)(const void *in, int64_t n, void *out, int64_t cap);
    int64_t (*call)(int64_t handle, int32_t op, const void *in, int64_t n, void *out, int64_t cap);
    int64_t (*fetch)(int64_t handle, int64_t offset, void *out, int64_t cap);
    int64_t (*error)(int64_t handle, void *out, int64_t cap);
    int32_t (*call_fixed)(drey_fixed *call);
    int64_t (*close)(int64_t handle, void *out, int64_t cap);
    int64_t (*describe)(void *out, int64_t cap);
    int64_t (*stats)(void *out, int64_t cap);
};

/* A call of fixed width in Java's memory; Java sets library and call.handle once (GoCall). */
struct fixed {
    const struct library *library;
    drey_fixed call;
};

/* The class of the native methods; C finds it again in each error path rather than keeping it. */
#define NATIVE "dev/drey/flink/udf/library/Native"

/* Throws a new exception of that class. */
void throw_new(JNIEnv *env, const char *class_name, const char *message);

/* Throws what the error record of a handle, or without one the code, says. */
void throw_failure(JNIEnv *env, const struct library *library, int64_t handle, int64_t code);

/* Throws what an error record says. */
void throw_record(JNIEnv *env, const void *record, int64_t n, int64_t code);

/* processJson: see drey_json.c. Binding is not safe for concurrent use; calls are, also while another is bound. */
void bind_proxy(JNIEnv *env, jclass proxy, struct library *library, jbyteArray request);
void close_proxies(void);

/* Functions that are open: see drey_handles.c. */
void handle_opened(const struct library *library, int64_t handle);
void handle_closed(const struct library *library, int64_t handle);
void close_handles(void);

/* UTF-16 and UTF-8: see drey_text.c. */
size_t utf8_from_utf16(uint8_t *to, const uint16_t *from, size_t n);
int64_t utf16_from_utf8(uint16_t *to, const uint8_t *from, size_t n, size_t *bad);

#endif
