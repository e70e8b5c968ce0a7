/**
 * What the tests of the native boundary stand on: a Go library whose functions go wrong, built from
 * this repository, and JVMs of their own, which some of the tests end.
 */
package dev.drey.flink.udf.library.nativetest;
