/** What the jobs are measured against. */
package dev.drey.flink.jobs.bench;
