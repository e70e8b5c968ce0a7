/** State that is known beforehand: what the readers of checkpoints are tested against. */
package dev.drey.flink.jobs.state;
