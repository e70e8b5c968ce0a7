package dev.drey.flink.async.state;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class MomentsTest {
    @Test
    void theOldestThatWaitsHoldsTheOthersBack() {
        Moments moments = new Moments();
        assertThat(moments.low(3)).isEqualTo(3);
        Runnable a = moments.begin("a", 3);
        Runnable b = moments.begin("b", 3);
        Runnable c = moments.begin("c", 5);
        assertThat(moments.low(7)).isEqualTo(3);
        assertThat(moments.all()).isEqualTo(Map.of("a", 3L, "b", 3L, "c", 5L));
        a.run();
        assertThat(moments.low(7)).isEqualTo(3);
        b.run();
        assertThat(moments.low(7)).isEqualTo(5);
        // After a restore event time begins anew.
        Runnable d = moments.begin("d", Long.MIN_VALUE);
        assertThat(moments.low(Long.MIN_VALUE)).isEqualTo(Long.MIN_VALUE);
        d.run();
        c.run();
        assertThat(moments.low(7)).isEqualTo(7);
        assertThat(moments.all()).isEmpty();
    }
}
