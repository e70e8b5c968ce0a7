package dev.drey.flink.udf.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.DoubleType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.SymbolType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.Test;

class RowWriterTest {
    private static final LogicalType STRING = VarCharType.STRING_TYPE;
    private static final LogicalType BIGINT = new BigIntType(false);

    private final Messages memory = new Messages();

    @Test
    void argumentsComeInAnyOrderAndPrimitivesAreNotBoxed() {
        RowType type = RowType.of(false, BIGINT, STRING, new DoubleType(false), new IntType());
        RowWriter writer = writer(type);
        writer.start(0);
        writer.put(3, (Object) null);
        writer.put(1, StringData.fromString("drey"));
        writer.put(2, 0.5);
        writer.put(0, -7L);

        assertThat(read(type, writer.finish()))
                .isEqualTo(binary(type, -7L, StringData.fromString("drey"), 0.5, null));
    }

    @Test
    void nothingOfTheLastMessageIsLeft() {
        RowType type = RowType.of(false, new IntType(), STRING);
        RowWriter writer = writer(type);
        writer.start(0);
        writer.put(0, (Object) null);
        writer.put(1, (Object) null);
        writer.finish();
        writer.start(0);
        writer.put(0, 5);
        writer.put(1, StringData.fromString("x"));

        assertThat(read(type, writer.finish()))
                .isEqualTo(binary(type, 5, StringData.fromString("x")));
    }

    @Test
    void aMessageMovesWhereItIsWanted() {
        RowType type = RowType.of(false, BIGINT, STRING);
        RowWriter writer = writer(type);
        for (int[] fromTo : new int[][] {{0, 0}, {0, 5}, {0, 3000}, {40, 8}, {8, 9}}) {
            writer.start(fromTo[0]);
            writer.put(0, 1L);
            writer.put(1, StringData.fromString("somewhat longer than a slot"));
            int end = writer.finish(fromTo[1]);

            ByteBuffer all = memory.atLeast(end);
            byte[] message = new byte[end - fromTo[1]];
            all.position(fromTo[1]);
            all.get(message);
            assertThat(Messages.read(type, message).getString(1))
                    .hasToString("somewhat longer than a slot");
        }
    }

    @Test
    void stringsOverSeveralSegmentsAreCopiedAsTheyAre() {
        byte[] text = "über mehrere Segmente, heap oder nicht".getBytes(StandardCharsets.UTF_8);
        for (boolean offHeap : new boolean[] {false, true}) {
            MemorySegment[] segments = new MemorySegment[5];
            for (int i = 0; i < segments.length; i++) {
                segments[i] =
                        offHeap
                                ? MemorySegmentFactory.allocateUnpooledOffHeapMemory(16)
                                : MemorySegmentFactory.allocateUnpooledSegment(16);
            }
            int offset = 21; // in the second
            for (int i = 0; i < text.length; i++) {
                segments[(offset + i) / 16].put((offset + i) % 16, text[i]);
            }
            RowType type = RowType.of(false, STRING);
            RowWriter writer = writer(type);
            writer.start(0);
            writer.put(0, BinaryStringData.fromAddress(segments, offset, text.length));

            assertThat(read(type, writer.finish()).getString(0).toBytes()).isEqualTo(text);
        }
    }

    @Test
    void stringsOfEachLengthAreCopiedAndNothingBesideThem() {
        RowType type = RowType.of(false, STRING, STRING);
        RowWriter writer = writer(type);
        byte[] text = "0123456789abcdefghijklmnopqrstuvw".getBytes(StandardCharsets.UTF_8);
        for (boolean offHeap : new boolean[] {false, true}) {
            MemorySegment segment =
                    offHeap
                            ? MemorySegmentFactory.allocateUnpooledOffHeapMemory(text.length)
                            : MemorySegmentFactory.allocateUnpooledSegment(text.length);
            segment.put(0, text);
            MemorySegment[] segments = {segment};
            for (int length = 0; length <= 20; length++) {
                int last = text.length - length; // the string ends where the segment does
                writer.start(0);
                writer.put(0, BinaryStringData.fromAddress(segments, 3, length));
                writer.put(1, BinaryStringData.fromAddress(segments, last, length));

                assertThat(read(type, writer.finish()))
                        .as("%d bytes, off heap: %s", length, offHeap)
                        .isEqualTo(
                                binary(
                                        type,
                                        StringData.fromBytes(text, 3, length),
                                        StringData.fromBytes(text, last, length)));
            }
        }
    }

    @Test
    void bytesThatAreNotUtf8StayWhatTheyAre() {
        byte[] invalid = {'a', (byte) 0xff, (byte) 0xc3};
        RowType type = RowType.of(false, STRING);
        RowWriter writer = writer(type);
        writer.start(0);
        writer.put(0, StringData.fromBytes(invalid));

        assertThat(read(type, writer.finish()).getString(0).toBytes()).isEqualTo(invalid);
    }

    @Test
    void nullWhereThereIsNoPlaceForItNamesTheColumn() {
        RowWriter writer =
                writer(
                        RowType.of(
                                false,
                                new LogicalType[] {
                                    BIGINT,
                                    new ArrayType(BIGINT),
                                    RowType.of(
                                            false,
                                            new LogicalType[] {STRING.copy(false)},
                                            names("s")),
                                    new MapType(STRING, BIGINT)
                                },
                                names("n", "a", "r", "m")));
        writer.start(0);
        refused("n is NULL", () -> writer.put(0, (Object) null));
        refused("a[] is NULL", () -> writer.put(1, new GenericArrayData(new Object[] {1L, null})));
        refused("r.s is NULL", () -> writer.put(2, new GenericRowData(1)));
        Map<Object, Object> nullKey = new HashMap<>();
        nullKey.put(null, 1L);
        refused("m key is NULL", () -> writer.put(3, new GenericMapData(nullKey)));
    }

    @Test
    void decimalsAreExactOrRefused() {
        RowType type = RowType.of(false, new DecimalType(6, 2));
        RowWriter writer = writer(type);
        writer.start(0);
        writer.put(0, decimal("1.5", 10, 1));
        assertThat(read(type, writer.finish()).getDecimal(0, 6, 2)).hasToString("1.50");
        refused("1.505 is no DECIMAL(6, 2)", () -> writer.put(0, decimal("1.505", 10, 3)));
        refused("12345.00 is no DECIMAL(6, 2)", () -> writer.put(0, decimal("12345", 10, 2)));
    }

    @Test
    void typesOfNoOtherLanguageAreRefused() {
        refused(
                "has no form in the row codec",
                () -> writer(RowType.of(false, new SymbolType<>())));
    }

    @Test
    void aFunctionWithoutArgumentsHasARowWithoutColumns() {
        RowType type = RowType.of(false);
        RowWriter writer = writer(type);
        writer.start(0);

        assertThat(read(type, writer.finish()).getArity()).isZero();
    }

    @Test
    void columnsOfFixedWidthAllocateNothing() {
        RowType type =
                RowType.of(false, BIGINT, new IntType(), new DoubleType(false), STRING, BIGINT);
        RowWriter writer = writer(type);
        StringData text = StringData.fromString("copied as it is");
        com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        int rows = 20_000;
        long bytes = Long.MAX_VALUE;
        // What a compiler allocates meanwhile is not counted here, what the first rounds load is.
        for (int round = 0; round < 5; round++) {
            long before = threads.getThreadAllocatedBytes(self);
            for (int i = 0; i < rows; i++) {
                writer.start(0);
                writer.put(0, (long) i);
                writer.put(1, (Object) null);
                writer.put(2, i * 0.5);
                writer.put(3, text);
                writer.put(4, -1L);
                writer.finish();
            }
            bytes = Math.min(bytes, threads.getThreadAllocatedBytes(self) - before);
        }

        assertThat(bytes).isLessThan(rows);
    }

    private static String[] names(String... names) {
        return names;
    }

    private static DecimalData decimal(String text, int precision, int scale) {
        return DecimalData.fromBigDecimal(new java.math.BigDecimal(text), precision, scale);
    }

    private static void refused(String message, Runnable write) {
        assertThatThrownBy(write::run)
                .isInstanceOf(RowCodecException.class)
                .hasMessageContaining(message);
    }

    private RowWriter writer(RowType type) {
        List<LogicalType> types = type.getChildren();
        return new RowWriter(types, type.getFieldNames(), memory);
    }

    /** What Flink's own writer makes of these fields. */
    private static BinaryRowData binary(RowType type, Object... fields) {
        return new RowDataSerializer(type).toBinaryRow(GenericRowData.of(fields)).copy();
    }

    private RowData read(RowType type, int end) {
        return Messages.read(type, BytesWriter.copy(memory.atLeast(end), end));
    }
}
