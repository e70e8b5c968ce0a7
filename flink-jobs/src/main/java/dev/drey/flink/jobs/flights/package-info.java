/** The departures from New York in 2013. */
package dev.drey.flink.jobs.flights;
