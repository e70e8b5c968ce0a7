package dev.drey.flink.udf.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The messages of the Go codec's tests: written and read here, they are the same. */
class GoldenMessagesTest {
    private static final Path GOLDEN = Paths.get("../udf-bridge/rowcodec/testdata/golden");
    private static final int HEADER = 8;

    @TestFactory
    Stream<DynamicTest> messagesAreTheSameInBothLanguages() throws IOException {
        return vectors().filter(v -> v.has("rows")).map(v -> test(v, GoldenMessagesTest::same));
    }

    @TestFactory
    Stream<DynamicTest> hostileMessagesAreRefusedHereToo() throws IOException {
        return vectors().filter(v -> v.has("error")).map(v -> test(v, GoldenMessagesTest::refused));
    }

    private static void same(RowType type, JsonNode vector) {
        byte[] message = JsonValues.hex(vector.get("hex").textValue());
        RowReader reader = RowReader.ofRows(type.getChildren(), type.getFieldNames());
        RowDataSerializer flink = new RowDataSerializer(type);
        int rows = reader.start(Messages.of(message), message.length);
        assertThat(rows).isEqualTo(vector.get("rows").size());
        int at = HEADER;
        for (JsonNode json : vector.get("rows")) {
            RowData expected = JsonValues.row(type.getChildren(), json);
            RowData read = (RowData) reader.next();
            assertThat(flink.toBinaryRow(read)).isEqualTo(flink.toBinaryRow(expected).copy());

            byte[] written = new Messages().write(type, expected);
            int length = written.length - HEADER;
            assertThat(part(written, HEADER, length)).isEqualTo(part(message, at, length));
            at += length;
        }
        reader.finish();
        assertThat(at).isEqualTo(message.length);
    }

    private static void refused(RowType type, JsonNode vector) {
        byte[] message = JsonValues.hex(vector.get("hex").textValue());
        RowReader reader = RowReader.ofRows(type.getChildren(), type.getFieldNames());
        assertThatThrownBy(
                        () -> {
                            int rows = reader.start(Messages.of(message), message.length);
                            for (int i = 0; i < rows; i++) {
                                reader.next();
                            }
                            reader.finish();
                        })
                .isInstanceOf(RowCodecException.class);
    }

    private static byte[] part(byte[] bytes, int from, int length) {
        byte[] part = new byte[length];
        ByteBuffer.wrap(bytes, from, length).get(part);
        return part;
    }

    private interface Check {
        void run(RowType type, JsonNode vector);
    }

    private static DynamicTest test(JsonNode vector, Check check) {
        return DynamicTest.dynamicTest(
                vector.get("name").textValue(),
                () -> {
                    List<LogicalType> types = new ArrayList<>();
                    for (JsonNode column : vector.get("columns")) {
                        types.add(
                                LogicalTypeParser.parse(
                                        column.textValue(),
                                        GoldenMessagesTest.class.getClassLoader()));
                    }
                    check.run(RowType.of(false, types.toArray(new LogicalType[0])), vector);
                });
    }

    /** A file holds one vector or a list of them. */
    private static Stream<JsonNode> vectors() throws IOException {
        List<JsonNode> all = new ArrayList<>();
        List<Path> files;
        try (Stream<Path> found = Files.walk(GOLDEN)) {
            files = new ArrayList<>();
            found.filter(f -> f.toString().endsWith(".json")).sorted().forEach(files::add);
        }
        for (Path file : files) {
            JsonNode json = new ObjectMapper().readTree(file.toFile());
            if (json.isArray()) {
                json.forEach(all::add);
            } else {
                all.add(json);
            }
        }
        assertThat(all).as("as many as the Go tests want at least").hasSizeGreaterThan(60);
        return all.stream();
    }
}
