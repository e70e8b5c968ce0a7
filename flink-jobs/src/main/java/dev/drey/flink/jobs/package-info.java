/** Jobs that decide in Go: to run, and to copy. */
package dev.drey.flink.jobs;
