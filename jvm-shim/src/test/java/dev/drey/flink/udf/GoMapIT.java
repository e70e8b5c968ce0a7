package dev.drey.flink.udf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.subject.SubjectJar;
import dev.drey.flink.udf.subject.TestCluster;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Go functions on DataStreams, by JSON, from the jar of a job. */
@Timeout(300)
class GoMapIT {
    private static Path jar;

    @BeforeAll
    static void build() throws Exception {
        jar = SubjectJar.of("queries");
    }

    /** What goes in. */
    public static final class Order {
        public String id;
        public double amount;

        public Order() {}

        Order(String id, double amount) {
            this.id = id;
            this.amount = amount;
        }
    }

    /** What comes out. */
    public static final class Kind {
        public String id;
        public boolean large;

        public Kind() {}

        @Override
        public String toString() {
            return id + " " + large;
        }
    }

    private static StreamExecutionEnvironment env() {
        Configuration config = TestCluster.client();
        config.setString("pipeline.jars", jar.toUri().toString());
        StreamExecutionEnvironment env = new StreamExecutionEnvironment(config);
        env.setParallelism(2);
        return env;
    }

    private static <T> List<String> collect(DataStream<T> stream) throws Exception {
        List<String> all = new ArrayList<>();
        try (CloseableIterator<T> results = stream.executeAndCollect()) {
            results.forEachRemaining(r -> all.add(r.toString()));
        }
        all.sort(null);
        return all;
    }

    @Test
    void recordsBecomeJsonAndBack() throws Exception {
        DataStream<Order> orders =
                env().fromData(Order.class, new Order("ä", 100), new Order("b", 100.5));

        assertThat(collect(orders.map(new GoMap<Order, Kind>("classify", Kind.class))))
                .containsExactly("b true", "ä false");
    }

    @Test
    void scalarFunctionsTakeTheirArgumentsAsAnObject() throws Exception {
        DataStream<String> events =
                env().fromData(
                                "{\"amount\":3,\"factor\":1.5,\"label\":null}",
                                "{\"amount\":4,\"factor\":1,\"label\":\"x\"}");

        assertThat(collect(events.map(new GoJsonMap("Describe_Payment"))))
                .containsExactly("{\"value\":\"3 * 1.5 NULL\"}", "{\"value\":\"4 * 1 x\"}");
    }

    @Test
    void whatDoesNotFitIsAnErrorOfTheRecord() {
        assertThatThrownBy(
                        () ->
                                collect(
                                        env().fromData("{\"amount\":true}")
                                                .map(new GoJsonMap("describe_payment"))))
                .hasStackTraceContaining("GoFunctionException")
                .hasStackTraceContaining("amount");
    }

    @Test
    void unknownFunctionsNameTheOnesThereAre() {
        assertThatThrownBy(() -> collect(env().fromData("{}").map(new GoJsonMap("clasify"))))
                .hasStackTraceContaining("no Go function clasify")
                .hasStackTraceContaining("classify");
        assertThatThrownBy(() -> collect(env().fromData("{}").map(new GoJsonMap("total"))))
                .hasStackTraceContaining("AGGREGATE");
    }
}
