/** A sidecar for tests: answers over real HTTP what a script says, and keeps what it was asked. */
package dev.drey.flink.async.sidecartest;
