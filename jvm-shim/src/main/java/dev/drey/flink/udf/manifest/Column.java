package dev.drey.flink.udf.manifest;

import java.io.Serializable;
import org.apache.flink.table.types.logical.LogicalType;

/** A named SQL type: an argument. Immutable. */
public final class Column implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String name;
    private final LogicalType type;

    Column(String name, LogicalType type) {
        this.name = name;
        this.type = type;
    }

    /** The name, as in a named argument. */
    public String name() {
        return name;
    }

    /** The type as Go declared it: NOT NULL unless the Go type has a place for NULL. */
    public LogicalType type() {
        return type;
    }

    @Override
    public String toString() {
        return name + " " + type.asSummaryString();
    }
}
