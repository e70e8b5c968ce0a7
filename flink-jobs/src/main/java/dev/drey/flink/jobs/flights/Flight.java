package dev.drey.flink.jobs.flights;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonProperty;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonProperty.Access;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.PropertyNamingStrategies;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.annotation.JsonNaming;

/**
 * A departure with the weather at its airport. A Flink POJO; read from a line of the data file, and
 * written as the event that the Go function gets: what may only be read is not sent. Null is
 * unknown.
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public class Flight {
    /** From which delay at its destination on a flight counts as late, minutes. */
    static final int LATE_MINUTES = 30;

    /** Stable: the number of the line, {@code f-000001}. */
    @JsonProperty(access = Access.WRITE_ONLY)
    public String id;

    /**
     * Minutes late at the destination; null when cancelled or diverted. Never sent to Go: nobody
     * knows it at departure.
     */
    @JsonProperty(access = Access.WRITE_ONLY)
    public Long arrDelay;

    @JsonProperty(access = Access.WRITE_ONLY)
    public long flight;

    public long scheduledDeparture; // ms
    public int schedMinute; // of the day, local
    public int month;
    public int weekday;
    public String carrier;
    public String origin;
    public String dest;
    public double distance; // miles

    public String tailnum;
    public Double planeAge; // years
    public Long seats;

    // The weather at the origin in the last complete hour before.
    public Double temp;
    public Double dewp;
    public Double humid;
    public Double windDir;
    public Double windSpeed;
    public Double windGust;
    public Double precip;
    public Double pressure;
    public Double visib;

    /** For Flink and Jackson. */
    public Flight() {}

    /** Whether it arrived late; null when nobody knows. */
    public Boolean wasLate() {
        return arrDelay == null ? null : arrDelay >= LATE_MINUTES;
    }

    /** The number in its id. */
    public long ordinal() {
        return Long.parseLong(id.substring(id.lastIndexOf('-') + 1));
    }
}
