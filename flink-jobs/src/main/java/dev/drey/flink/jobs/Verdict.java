package dev.drey.flink.jobs;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonSetter;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.Nulls;

/** What both Go functions return. A Flink POJO. */
public class Verdict {
    /** Estimated probability, 0 to 1. */
    public double score;

    /** {@code pass}, {@code review} or {@code alert}. */
    public String decision;

    /** What raised the score, most important first; never null, whatever the answer says. */
    @JsonSetter(nulls = Nulls.AS_EMPTY)
    public List<String> reasons = new ArrayList<>();

    /** For Flink and Jackson. */
    public Verdict() {}

    /** Whether to act at once. */
    public boolean isAlert() {
        return "alert".equals(decision);
    }
}
