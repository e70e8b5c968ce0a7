package dev.drey.flink.udf.codec;

import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;

/** Reads the columns of rows. Immutable. */
final class RowColumns {
    private final String path;
    private final Layout layout;
    private final ValueReader[] columns;
    @Nullable private final BinaryRows binary;

    /** How many regions a byte of a row's variable part may be in. */
    final int depth;

    RowColumns(List<LogicalType> types, List<String> names, String path) {
        this.path = path;
        layout = new Layout(types);
        columns = new ValueReader[types.size()];
        int deepest = 0;
        for (int i = 0; i < columns.length; i++) {
            String name = path.isEmpty() ? names.get(i) : path + "." + names.get(i);
            columns[i] = VariableReaders.of(types.get(i), name);
            deepest = Math.max(deepest, columns[i].depth);
        }
        depth = deepest;
        binary = BinaryRows.of(layout, columns);
    }

    static RowColumns of(LogicalType row, String path) {
        return new RowColumns(Types.fields(row), Types.fieldNames(row), path);
    }

    /** Bytes of the shortest row. */
    int fixed() {
        return layout.fixed;
    }

    int count() {
        return columns.length;
    }

    /** Reads a row whose bytes are all there. */
    RowData read(Input in, int start, int length) {
        check(in, start, length);
        if (binary != null) {
            return binary.read(in, start, start + length);
        }
        GenericRowData row = new GenericRowData(columns.length);
        for (int i = 0; i < columns.length; i++) {
            row.setField(i, column(in, start, length, i));
        }
        return row;
    }

    /** Reads the only column of a row whose bytes are all there. */
    @Nullable
    Object readOnly(Input in, int start, int length) {
        if (length >= layout.fixed && in.buffer.getLong(start) == 0) { // not NULL, as most are
            int slot = start + layout.slots[0];
            return columns[0].slot(in, start, start + layout.fixed, start + length, slot);
        }
        check(in, start, length);
        return column(in, start, length, 0);
    }

    @Nullable
    private Object column(Input in, int start, int length, int i) {
        ValueReader column = columns[i];
        if (layout.isNull(in.buffer, start, i)) {
            column.checkNullable();
            return null;
        }
        return column.slot(
                in, start, start + layout.fixed, start + length, start + layout.slots[i]);
    }

    private void check(Input in, int start, int length) {
        if (length < layout.fixed) {
            throw refuse("has " + length + " bytes, its columns need " + layout.fixed);
        }
        int last = columns.length & 63;
        if (last != 0 && in.buffer.getLong(start + layout.bitmap - 8) >>> last != 0) {
            throw refuse("null bits beyond the last of " + columns.length + " columns");
        }
    }

    private RowCodecException refuse(String reason) {
        return new RowCodecException((path.isEmpty() ? "a row" : path) + ": " + reason);
    }
}
