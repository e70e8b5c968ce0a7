/**
 * What a built jar says of its functions: {@code META-INF/drey/<build>/manifest.json}, written by
 * {@code go-udf-builder}. It is all that the planner sees of Go.
 */
package dev.drey.flink.udf.manifest;
