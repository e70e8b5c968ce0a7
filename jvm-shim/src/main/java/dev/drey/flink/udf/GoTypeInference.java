package dev.drey.flink.udf;

import dev.drey.flink.udf.manifest.Column;
import dev.drey.flink.udf.manifest.FunctionKind;
import dev.drey.flink.udf.manifest.FunctionManifest;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.inference.TypeStrategies;
import org.apache.flink.table.types.logical.DayTimeIntervalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.YearMonthIntervalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeDuplicator;
import org.apache.flink.table.types.utils.DataTypeUtils;

/**
 * What the planner is told about a function: its types, and that values come as Flink's internal
 * data structures, so that nothing is converted on the way to the generated classes.
 */
final class GoTypeInference {
    private static final DataType ACCUMULATOR =
            DataTypes.STRUCTURED(
                            GoAccumulator.class,
                            DataTypes.FIELD("bytes", DataTypes.BYTES().nullable()))
                    .notNull();

    private static final LogicalType MONTHS =
            DataTypes.INTERVAL(DataTypes.MONTH()).getLogicalType();

    private static final LogicalType SECONDS =
            DataTypes.INTERVAL(DataTypes.SECOND(3)).getLogicalType();

    private GoTypeInference() {}

    static TypeInference of(FunctionManifest f) {
        List<StaticArgument> arguments = new ArrayList<>();
        for (Column argument : f.arguments()) {
            arguments.add(
                    StaticArgument.scalar(
                            argument.name(), internal(planned(f.sqlType(argument))), false));
        }
        // Of the other kinds, results come as objects: from getValue, and to the collector.
        boolean evaluated = f.kind() != FunctionKind.AGGREGATE && f.kind() != FunctionKind.TABLE;
        LogicalType sqlResult = planned(f.sqlResult());
        DataType result =
                evaluated ? internal(sqlResult) : DataTypeUtils.toInternalDataType(sqlResult);
        TypeInference.Builder types =
                TypeInference.newBuilder()
                        .staticArguments(arguments)
                        .outputTypeStrategy(TypeStrategies.explicit(result));
        if (f.kind() == FunctionKind.AGGREGATE) {
            types.accumulatorTypeStrategy(TypeStrategies.explicit(ACCUMULATOR));
        }
        return types.build();
    }

    /**
     * The type as the planner has it when it comes back from Calcite, which knows two interval
     * types only. In a ROW another one is a mismatch to Flink. The values are the same.
     */
    private static LogicalType planned(LogicalType type) {
        return type.accept(
                new LogicalTypeDuplicator() {
                    @Override
                    public LogicalType visit(YearMonthIntervalType interval) {
                        return MONTHS.copy(interval.isNullable());
                    }

                    @Override
                    public LogicalType visit(DayTimeIntervalType interval) {
                        return SECONDS.copy(interval.isNullable());
                    }
                });
    }

    /** The type as internal data; primitive where the generated classes have primitives. */
    private static DataType internal(LogicalType type) {
        DataType internal = DataTypeUtils.toInternalDataType(type);
        Class<?> primitive = type.isNullable() ? null : primitive(type);
        return primitive == null ? internal : internal.bridgedTo(primitive);
    }

    private static Class<?> primitive(LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return boolean.class;
            case TINYINT:
                return byte.class;
            case SMALLINT:
                return short.class;
            case INTEGER:
            case DATE:
            case TIME_WITHOUT_TIME_ZONE:
            case INTERVAL_YEAR_MONTH:
                return int.class;
            case BIGINT:
            case INTERVAL_DAY_TIME:
                return long.class;
            case FLOAT:
                return float.class;
            case DOUBLE:
                return double.class;
            default:
                return null;
        }
    }
}
