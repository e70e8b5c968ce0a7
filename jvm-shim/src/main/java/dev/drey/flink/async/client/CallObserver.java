package dev.drey.flink.async.client;

/** Counts what calls do. Called on several threads; must be quick. */
public interface CallObserver {
    /** Nobody counts. */
    CallObserver NONE = new CallObserver() {};

    /** A request was sent. */
    default void request() {}

    /** Another attempt will follow. */
    default void retry() {}

    /** The sidecar had no place for the call (503). */
    default void shed() {}
}
