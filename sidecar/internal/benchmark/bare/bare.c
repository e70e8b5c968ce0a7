/* The native method of dev.drey.flink.jobs.bench.BareFunction. Its types are JNI's, without jni.h. */
#include "_cgo_export.h"

long long Java_dev_drey_flink_jobs_bench_BareFunction_next(void *env, void *class, long long n) {
    (void)env;
    (void)class;
    return drey_bare_next(n);
}
