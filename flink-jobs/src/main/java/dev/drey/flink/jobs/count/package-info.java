/** What {@link dev.drey.flink.jobs.CountJob} counts. */
package dev.drey.flink.jobs.count;
