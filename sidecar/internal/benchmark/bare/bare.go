// Command bare is a library with the least that a Go function called by a JVM can be: JNI, C, Go, and no word more. What
// scripts/bench udf compares with it is what Drey adds: handles, checks, panics that become exceptions.
package main

// long long Java_dev_drey_flink_jobs_bench_BareFunction_next(void *env, void *class, long long n);
import "C"

//export drey_bare_next
func drey_bare_next(n C.longlong) C.longlong { return n + 1 }

func main() {}
