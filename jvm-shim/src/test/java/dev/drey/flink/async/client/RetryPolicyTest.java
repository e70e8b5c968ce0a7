package dev.drey.flink.async.client;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RetryPolicyTest {
    private static final double NEARLY_ONE = Math.nextDown(1.0);
    private final RetryPolicy policy = new RetryPolicy(5_000, 60_000, 50, 2_000);

    @ParameterizedTest
    @CsvSource({"1, 49", "2, 99", "3, 199", "6, 1599", "7, 1999", "50, 1999", "2147483647, 1999"})
    void theBoundOfTheWaitDoublesUpToAMaximum(int attempts, long longest) {
        assertThat(policy.delayNanos(attempts, 0, 0, NEARLY_ONE)).isEqualTo(longest);
        assertThat(policy.delayNanos(attempts, 0, 0, 0)).isZero();
    }

    @Test
    void whatTheSidecarAsksForComesFirst() {
        assertThat(policy.delayNanos(1, 0, 10_000, 0)).isEqualTo(10_000);
        assertThat(policy.delayNanos(1, 0, 10_000, NEARLY_ONE)).isEqualTo(10_049);
    }

    @Test
    void noWaitReachesTheEndOfTheBudget() {
        assertThat(policy.delayNanos(9, 58_001, 0, NEARLY_ONE)).isEqualTo(RetryPolicy.GIVE_UP);
        assertThat(policy.delayNanos(9, 58_000, 0, NEARLY_ONE)).isEqualTo(1_999);
        assertThat(policy.delayNanos(1, 60_000, 0, 0)).isEqualTo(RetryPolicy.GIVE_UP);
        assertThat(policy.delayNanos(1, 0, Long.MAX_VALUE, NEARLY_ONE))
                .isEqualTo(RetryPolicy.GIVE_UP);
    }

    @Test
    void anAttemptIsClippedToWhatIsLeft() {
        assertThat(policy.attemptNanos(0)).isEqualTo(5_000);
        assertThat(policy.attemptNanos(57_000)).isEqualTo(3_000);
        assertThat(policy.attemptNanos(61_000)).isZero();
    }

    @Test
    void hugeBackoffsDoNotOverflow() {
        RetryPolicy huge =
                new RetryPolicy(1, Long.MAX_VALUE, Long.MAX_VALUE / 2, Long.MAX_VALUE - 1);
        assertThat(huge.delayNanos(64, 0, 0, NEARLY_ONE)).isPositive();
    }
}
