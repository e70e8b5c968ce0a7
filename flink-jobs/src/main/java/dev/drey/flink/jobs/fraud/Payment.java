package dev.drey.flink.jobs.fraud;

import java.util.Objects;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonIgnore;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonInclude;
import org.apache.flink.walkthrough.common.entity.Transaction;

/**
 * One payment, and what Flink's keyed state remembers of those before it. A Flink POJO; as JSON it
 * is the event that the Go function gets, nulls left out.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public class Payment {
    /** Stable over restores: input, seed and index. Not part of the event. */
    @JsonIgnore public String id;

    /** Whether it is fraud; null when nobody knows. Travels to the output, never to Go. */
    @JsonIgnore public Boolean label;

    public long accountId;
    public long timestamp; // event time, ms
    public double amount;

    // Null where the input has none (the walkthrough).
    public String device;
    public String ip;
    public String region;

    // What is remembered; null when nothing is.
    public Double previousAmount;
    public Long previousTimestamp; // ms
    public Boolean newDevice;
    public Boolean newRegion;
    public Long accountsOnDevice; // this one included

    /** For Flink. */
    public Payment() {}

    /** Between two transactions of the walkthrough, in ms of event time. */
    private static final long WALKTHROUGH_STEP_MS = 360_000;

    /**
     * A transaction of Flink's fraud-detection walkthrough, with a minute of its event time made a
     * second.
     *
     * <p>The walkthrough looks for a small amount and a large one within a minute of
     * <i>processing</i> time, at ten records a second; in its event time such a pair is half an
     * hour apart. Here time is event time, so that a restored job decides the same again: the data
     * are brought closer together instead.
     */
    public static Payment of(long index, Transaction transaction) {
        Payment payment = new Payment();
        payment.id = "w-" + index;
        payment.accountId = transaction.getAccountId();
        payment.timestamp =
                transaction.getTimestamp()
                        - index * (WALKTHROUGH_STEP_MS - WALKTHROUGH_STEP_MS / 60);
        payment.amount = transaction.getAmount();
        return payment;
    }

    /** The same again, to add to: records that Flink hands over are not to be changed. */
    public Payment copy() {
        Payment copy = new Payment();
        copy.id = id;
        copy.label = label;
        copy.accountId = accountId;
        copy.timestamp = timestamp;
        copy.amount = amount;
        copy.device = device;
        copy.ip = ip;
        copy.region = region;
        copy.previousAmount = previousAmount;
        copy.previousTimestamp = previousTimestamp;
        copy.newDevice = newDevice;
        copy.newRegion = newRegion;
        copy.accountsOnDevice = accountsOnDevice;
        return copy;
    }

    /** Key of what is remembered of devices; a payment without one is alone. */
    public String deviceKey() {
        return device != null ? device : "account " + accountId;
    }

    /**
     * The key under which the sidecar remembers its answer. Not the id alone: after a restore at a
     * parallelism above 1, payments of several accounts may reach their device in another order, so
     * the event may carry another count. That is another question and deserves another answer, not
     * a refusal.
     */
    public String idempotencyKey() {
        return id + '-' + Integer.toHexString(eventHash());
    }

    private int eventHash() {
        return Objects.hash(
                accountId,
                timestamp,
                amount,
                device,
                ip,
                region,
                previousAmount,
                previousTimestamp,
                newDevice,
                newRegion,
                accountsOnDevice);
    }

    @Override
    public String toString() {
        return "Payment{" + id + ", account " + accountId + ", " + amount + '}';
    }
}
