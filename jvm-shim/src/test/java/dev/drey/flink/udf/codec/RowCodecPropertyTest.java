package dev.drey.flink.udf.codec;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random rows of random types stay what they are. Flink's own serializer is the oracle. */
class RowCodecPropertyTest {
    private static final int SCHEMAS = 150;
    private static final int ROWS = 6;

    @ParameterizedTest
    @ValueSource(longs = {1, 20261123, -7})
    void rowsOfAnyTypeComeBack(long seed) {
        RandomData random = new RandomData(seed);
        for (int schema = 0; schema < SCHEMAS; schema++) {
            RowType type = random.rowType(schema % 30 == 0 ? 140 : 9, 3);
            RowDataSerializer flink = new RowDataSerializer(type);
            Messages messages = new Messages();
            for (int i = 0; i < ROWS; i++) {
                GenericRowData row = random.row(type);
                // Flink's own binary form: equal bytes are equal rows.
                BinaryRowData expected = flink.toBinaryRow(row).copy();

                byte[] message = messages.write(type, row);
                RowData read = Messages.read(type, message);
                assertThat(flink.toBinaryRow(read)).as(type.asSummaryString()).isEqualTo(expected);

                // The same bytes, whatever the class of the row is.
                assertThat(messages.write(type, expected)).isEqualTo(message);
                RowData joined = new JoinedRowData(expected, new GenericRowData(0));
                assertThat(messages.write(type, joined)).isEqualTo(message);
                assertThat(messages.write(type, read)).isEqualTo(message);
            }
        }
    }
}
