/**
 * Loads the Go library of a jar into this process and calls it. Knows no class of Flink: it needs a
 * JDK and Linux with glibc.
 *
 * <p>Who owns what, and which thread does what, stands in {@code udf-bridge/bridge/OWNERSHIP.md}.
 */
package dev.drey.flink.udf.library;
