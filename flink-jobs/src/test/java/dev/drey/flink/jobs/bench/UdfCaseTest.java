package dev.drey.flink.jobs.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What is measured is of the size that it is said to be, and the functions do something with it.
 */
class UdfCaseTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @ParameterizedTest
    @ValueSource(ints = {100, 1_000, 10_000})
    void anEventHasItsSize(int size) throws Exception {
        String event = event(size, 123_456);
        assertThat(event.length()).isCloseTo(size, within(4));
        JsonNode order = JSON.readTree(event);
        assertThat(order.path("items").size()).isBetween(size / 60, size / 40);

        JavaFunctions.ProcessJson function = new JavaFunctions.ProcessJson();
        function.open(null);
        JsonNode scored = JSON.readTree(function.eval(event));
        assertThat(scored.path("id").asText()).isEqualTo("123456");
        assertThat(scored.path("items").asInt()).isEqualTo(order.path("items").size());
        assertThat(scored.path("score").asDouble()).isBetween(0.0, 1.0).isNotZero();
    }

    @Test
    void bothBranchesAreTaken() {
        JavaFunctions.Decide decide = new JavaFunctions.Decide();
        assertThat(decide.eval(Row.of(7L, 4718L, 0.07, 7, "C7", true)).getField(2))
                .isEqualTo("pass");
        Row review = decide.eval(Row.of(900_000L, 904_711L, 9000.0, 900_000, "C900000", false));
        assertThat(review.getField(2)).isEqualTo("review C900000");
        assertThat(review.getField(3)).isEqualTo(711L);
    }

    @Test
    void everyQueryCallsItsFunctionOnce() {
        for (UdfCase each : UdfCase.values()) {
            assertThat(each.query("f", 100)).contains("f(").doesNotContain("g(");
            assertThat(each.queryWithout(100)).doesNotContain("f(");
            assertThat(each.differences(100)).contains("f(").contains("g(").contains("DISTINCT");
        }
    }

    /** What SQL makes of the expression {@code CONCAT('...', CAST(x AS STRING), '...')}. */
    private static String event(int size, long x) {
        String query = UdfCase.JSON.query("f", size);
        String expression = query.substring(query.indexOf("f(") + 2, query.lastIndexOf(") FROM"));
        String[] parts = expression.split("'");
        return parts[1] + x + parts[3];
    }
}
