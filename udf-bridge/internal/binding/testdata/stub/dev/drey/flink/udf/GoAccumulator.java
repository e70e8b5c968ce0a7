package dev.drey.flink.udf;

public final class GoAccumulator {}
