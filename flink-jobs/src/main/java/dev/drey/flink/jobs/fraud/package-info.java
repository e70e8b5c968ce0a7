/** Payments: where they come from, and what Flink remembers of them for the Go function. */
package dev.drey.flink.jobs.fraud;
