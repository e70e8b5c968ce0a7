package dev.drey.flink.jobs.velocity;

import dev.drey.flink.jobs.fraud.Payment;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonIgnore;

/** A payment, and which one it is of its account. A Flink POJO; as JSON the event of the rules. */
public final class Counted {
    @JsonIgnore public Payment payment;

    /** From 1 on. */
    public long count;

    /** For Flink's serializer. */
    public Counted() {}

    /** A payment that was counted. */
    public Counted(Payment payment, long count) {
        this.payment = payment;
        this.count = count;
    }

    /** The account. */
    public long getAccountId() {
        return payment.accountId;
    }

    /** What was paid. */
    public double getAmount() {
        return payment.amount;
    }
}
