/** What {@link dev.drey.flink.jobs.VelocityJob} asks about. */
package dev.drey.flink.jobs.velocity;
