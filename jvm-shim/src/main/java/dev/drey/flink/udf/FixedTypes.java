package dev.drey.flink.udf;

import dev.drey.flink.udf.manifest.Column;
import dev.drey.flink.udf.manifest.FunctionKind;
import dev.drey.flink.udf.manifest.FunctionManifest;
import org.apache.flink.table.types.logical.LogicalType;

/** Which functions are called with numbers alone; {@code Description.Fixed} in Go. */
final class FixedTypes {
    private static final int MOST = 4;

    private FixedTypes() {}

    static boolean all(FunctionManifest f) {
        if (f.kind() != FunctionKind.SCALAR || f.arguments().size() > MOST || !fixed(f.result())) {
            return false;
        }
        for (Column argument : f.arguments()) {
            if (!fixed(argument.type())) {
                return false;
            }
        }
        return true;
    }

    private static boolean fixed(LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
            case TINYINT:
            case SMALLINT:
            case INTEGER:
            case BIGINT:
            case FLOAT:
            case DOUBLE:
            case DATE:
            case TIME_WITHOUT_TIME_ZONE:
            case INTERVAL_YEAR_MONTH:
            case INTERVAL_DAY_TIME:
                return true;
            default:
                return false;
        }
    }
}
