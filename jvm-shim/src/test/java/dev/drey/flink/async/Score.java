package dev.drey.flink.async;

/** A result for tests; a Flink POJO. */
public class Score {
    public double score;
    public String decision;

    public Score() {}
}
