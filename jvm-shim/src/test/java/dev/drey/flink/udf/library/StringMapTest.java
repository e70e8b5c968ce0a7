package dev.drey.flink.udf.library;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StringMapTest {
    @Test
    void isReadAsItWasWritten() {
        Map<String, String> map = new LinkedHashMap<>();
        assertThat(StringMap.decode(StringMap.encode(map))).isEmpty();
        map.put("", "");
        map.put("message", "caf\u00e9 \ud83d\ude00");
        map.put("frame.0", "main.f\tmain.go\t1");
        assertThat(StringMap.decode(StringMap.encode(map))).containsExactlyEntriesOf(map);
    }

    @Test
    void bytesAreThoseOfTheHeader() {
        assertThat(StringMap.encode(Map.of("k", "\u00e9")))
                .containsExactly(0, 0, 0, 1, 0, 0, 0, 1, 'k', 0, 0, 0, 2, 0xc3, 0xa9);
    }

    @Test
    void everyCutIsRefused() {
        byte[] good = StringMap.encode(Map.of("key", "value", "other", ""));
        for (int length = 0; length < good.length; length++) {
            byte[] cut = Arrays.copyOf(good, length);
            assertThatThrownBy(() -> StringMap.decode(cut))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> StringMap.decode(Arrays.copyOf(good, good.length + 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("left over");
    }

    @Test
    void randomBytesAreAMapOrAnError() {
        Random random = new Random(7);
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = new byte[random.nextInt(40)];
            for (int i = 0; i < bytes.length; i++) { // small numbers, so that some go far
                bytes[i] = (byte) (random.nextInt(4) == 0 ? random.nextInt(256) : 0);
            }
            try {
                assertThat(StringMap.encode(StringMap.decode(bytes)).length)
                        .isLessThanOrEqualTo(Math.max(bytes.length * 3, 4));
            } catch (IllegalArgumentException e) {
                assertThat(e).hasMessageStartingWith("not a string map");
            }
        }
    }
}
