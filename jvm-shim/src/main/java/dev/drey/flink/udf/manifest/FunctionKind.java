package dev.drey.flink.udf.manifest;

/** How a Go function is called. */
public enum FunctionKind {
    /** A row in, a value out. */
    SCALAR,
    /** A row in, any number of rows out. */
    TABLE,
    /** Rows in, a value out; Flink keeps what is in between. */
    AGGREGATE,
    /** Bytes in, bytes out, as they are. */
    RAW,
    /** JSON text in, JSON text out. */
    JSON
}
