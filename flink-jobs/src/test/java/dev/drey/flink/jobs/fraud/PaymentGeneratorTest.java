package dev.drey.flink.jobs.fraud;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.apache.flink.api.java.typeutils.TypeExtractor;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;

class PaymentGeneratorTest {
    private static final int MANY = 100_000;
    private static final ObjectMapper JSON = new ObjectMapper();

    private static String text(Payment payment) throws Exception {
        return payment.id + payment.label + JSON.writeValueAsString(payment);
    }

    @Test
    void theSameIndexIsTheSamePayment() throws Exception {
        PaymentGenerator once = new PaymentGenerator(7);
        PaymentGenerator again = new PaymentGenerator(7);
        for (long n : new long[] {0, 1, 63, 64, 12_345, 987_654_321L, 5}) {
            assertThat(text(once.map(n))).isEqualTo(text(again.map(n)));
        }
        assertThat(text(once.map(5L))).isNotEqualTo(text(new PaymentGenerator(8).map(5L)));
    }

    /** The payments themselves are a promise: stated precision and recall hold for them. */
    @Test
    void thePaymentsStayWhatTheyAre() throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        PaymentGenerator payments = new PaymentGenerator(42);
        for (long n = 0; n < 20_000; n++) {
            digest.update(text(payments.map(n)).getBytes(StandardCharsets.UTF_8));
        }
        StringBuilder hex = new StringBuilder();
        for (byte b : digest.digest()) {
            hex.append(String.format("%02x", b));
        }
        assertThat(hex.toString())
                .isEqualTo("ae18983f266796675bfe4dfe98afad2d0d84b563d5717cc441db3e6d5e81e251");
    }

    @Test
    void timeNeverGoesBack() {
        PaymentGenerator payments = new PaymentGenerator(42);
        long before = 0;
        for (long n = 0; n < 10_000; n++) {
            long now = payments.payment(n).timestamp;
            assertThat(now).isGreaterThan(before);
            before = now;
        }
    }

    @Test
    void aboutOneInAHundredIsFraud() {
        for (long seed : new long[] {1, 42, 99}) {
            PaymentGenerator payments = new PaymentGenerator(seed);
            int fraud = 0;
            for (long n = 0; n < MANY; n++) {
                fraud += payments.payment(n).label ? 1 : 0;
            }
            assertThat(fraud / (double) MANY).isBetween(0.008, 0.012);
        }
    }

    @Test
    void plantsWhatItSays() {
        PaymentGenerator payments = new PaymentGenerator(42);
        Map<Long, Payment> previous = new HashMap<>();
        Map<String, Set<Long>> ringUsers = new HashMap<>();
        int fraudPairs = 0;
        int honestPairs = 0;
        int quietFraud = 0;
        int large = 0;
        for (long n = 0; n < MANY; n++) {
            Payment payment = payments.payment(n);
            Payment before = previous.put(payment.accountId, payment);
            if (payment.amount < 0.01
                    || payment.accountId < 1
                    || payment.accountId
                            > PaymentGenerator
                                    .ACCOUNTS) { // AssertJ would take longer than the rest
                throw new AssertionError(payment);
            }
            boolean pair =
                    before != null
                            && before.amount < 1
                            && payment.amount > 500
                            && payment.timestamp - before.timestamp < 60_000;
            fraudPairs += pair && payment.label ? 1 : 0;
            honestPairs += pair && !payment.label ? 1 : 0;
            large += payment.amount > 500 && !payment.label ? 1 : 0;
            if (payment.label) {
                ringUsers
                        .computeIfAbsent(payment.device, d -> new HashSet<>())
                        .add(payment.accountId);
                quietFraud += payment.amount < 100 && payment.amount >= 1 ? 1 : 0;
            }
        }
        int blocks = MANY / PaymentGenerator.BLOCK;
        assertThat(fraudPairs / (double) blocks).isBetween(0.08, 0.12);
        assertThat(honestPairs / (double) blocks).isBetween(0.004, 0.02);
        assertThat(quietFraud).isPositive();
        assertThat(large).isPositive();
        assertThat(ringUsers.values().stream().filter(users -> users.size() > 20).count())
                .isGreaterThan(4);
    }

    @Test
    void aPaymentIsAPojoForFlink() {
        assertThat(TypeExtractor.createTypeInfo(Payment.class)).isInstanceOf(PojoTypeInfo.class);
        PojoTypeInfo<?> type = (PojoTypeInfo<?>) TypeExtractor.createTypeInfo(Payment.class);
        assertThat(type.getArity()).isEqualTo(13);
        for (int i = 0; i < type.getArity(); i++) {
            assertThat(type.getTypeAt(i).isBasicType()).isTrue();
        }
    }

    @Test
    void theKeyFollowsTheEvent() {
        Payment payment = new PaymentGenerator(1).payment(3);
        Payment other = payment.copy();
        assertThat(other.idempotencyKey()).isEqualTo(payment.idempotencyKey()).startsWith("g1-3-");
        other.accountsOnDevice = 4L;
        assertThat(other.idempotencyKey()).isNotEqualTo(payment.idempotencyKey());
    }
}
