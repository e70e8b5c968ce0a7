package dev.drey.flink.udf.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.nio.ByteBuffer;
import java.util.Random;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.Test;

/** Messages with damaged bytes: refused with the one exception, or read; nothing else. */
class HostileBytesTest {
    private static final int SCHEMAS = 300;
    private static final int MUTATIONS = 250;

    @Test
    void damagedMessagesAreRefusedOrRead() {
        long seed = Seeds.of(HostileBytesTest.class, 4);
        Random random = new Random(seed);
        int refused = 0;
        int read = 0;
        for (int schema = 0; schema < SCHEMAS; schema++) {
            RandomData data = new RandomData(seed + schema);
            RowType type = data.rowType(6, 3);
            byte[] valid = new Messages().write(type, data.row(type));
            RowReader reader = RowReader.ofRows(type.getChildren(), type.getFieldNames());
            for (int i = 0; i < MUTATIONS; i++) {
                byte[] damaged = damage(random, valid);
                ByteBuffer message = Messages.of(damaged);
                try {
                    int rows = reader.start(message, damaged.length);
                    for (int row = 0; row < rows; row++) {
                        reader.next();
                    }
                    reader.finish();
                    read++;
                } catch (RowCodecException e) {
                    assertThat(e).hasMessageMatching("(?s).{10,}");
                    refused++;
                } catch (Throwable e) {
                    fail(Seeds.VARIABLE + "=" + seed + ": " + type + " " + hex(damaged), e);
                }
            }
        }
        assertThat(refused).isGreaterThan(SCHEMAS * MUTATIONS / 4);
        assertThat(read).isGreaterThan(SCHEMAS * MUTATIONS / 100);
    }

    private static byte[] damage(Random random, byte[] valid) {
        byte[] damaged = valid.clone();
        switch (random.nextInt(5)) {
            case 0:
                return java.util.Arrays.copyOf(damaged, random.nextInt(damaged.length + 9));
            case 1: // a number that may be a size or an offset
                int[] numbers = {0, 1, 4, 8, 0x7fffffff, 0x80000000, -1, damaged.length, 1 << 20};
                Messages.of(damaged);
                ByteBuffer.wrap(damaged)
                        .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                        .putInt(
                                random.nextInt(damaged.length - 3),
                                numbers[random.nextInt(numbers.length)]);
                return damaged;
            default:
                for (int n = 1 + random.nextInt(3); n > 0; n--) {
                    damaged[random.nextInt(damaged.length)] ^= 1 << random.nextInt(8);
                }
                return damaged;
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }
}
