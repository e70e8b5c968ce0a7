package dev.drey.flink.jobs.fraud;

import java.util.List;
import org.apache.flink.connector.datagen.source.GeneratorFunction;

/**
 * Labelled payments: payment N of a seed is always the same, however often and wherever it is made.
 * One payment a second from 2025-01-01 on, of 5,000 accounts, each about 17 a day.
 *
 * <p><b>Habits of honest accounts.</b> A home region and its time of day (awake from 7 to 23). One
 * phone, replaced every 200 days. Amounts log-normal around the account's own median (of these the
 * median is 25). In some weeks (4 %) the account travels. 5 % of payments come from a device that
 * three accounts of a family share.
 *
 * <p><b>Fraud</b>, by blocks of 64 payments, together 1 % of all:
 *
 * <table>
 * <caption>what is planted</caption>
 * <tr><th>episode</th><th>in so many blocks</th><th>what it is</th><th>to be seen?</th></tr>
 * <tr><td>card test</td><td>10 %</td><td>an amount below 1, then within seconds one of 500 to 3,000</td>
 *     <td>the small one not: nothing went before it. The large one yes</td></tr>
 * <tr><td>takeover</td><td>8 %</td><td>one to three payments from a foreign region on a new device</td>
 *     <td>the first, once the account has a history</td></tr>
 * <tr><td>ring</td><td>5 %</td><td>four payments of four of the ring's 60 accounts through its one device; the next ring takes
 *     over after 256 blocks</td><td>not before several accounts were seen on the device</td></tr>
 * <tr><td>quiet theft</td><td>6 %</td><td>a payment like any other of the account</td><td>no</td></tr>
 * </table>
 *
 * <p><b>Honest and odd</b>: a small amount followed by a large one within seconds (1 % of blocks);
 * 20 public devices, each used by 40 accounts (3 of 10,000 payments); journeys and new phones, as
 * above. So no function of the event can reach a precision or a recall of 1.
 */
public final class PaymentGenerator implements GeneratorFunction<Long, Payment> {
    private static final long serialVersionUID = 1L;

    static final long START_MS = 1_735_689_600_000L; // 2025-01-01T00:00:00Z
    static final long STEP_MS = 1_000;
    static final int BLOCK = 64;
    static final int ACCOUNTS = 5_000;

    private static final int RING_ACCOUNTS = 60;
    private static final int RING_BLOCKS = 256;
    private static final int FAMILY = 3;
    private static final int PUBLIC_DEVICES = 20;
    private static final int PUBLIC_ACCOUNTS = 40;
    private static final long DAY_MS = 86_400_000L;

    /** Regions with their offset from UTC in hours. */
    private static final List<String> REGIONS =
            List.of("DE", "FR", "ES", "GB", "PL", "US-NY", "US-CA", "BR", "IN", "JP", "AU", "ZA");

    private static final int[] UTC_OFFSET = {1, 1, 1, 0, 1, -5, -8, -3, 5, 9, 10, 2};

    // What a random number is for: each purpose has a sequence of its own.
    private static final int PAYMENT = 1;
    private static final int EPISODE = 2;
    private static final int ACCOUNT = 3;
    private static final int JOURNEY = 4;
    private static final int DEVICE = 5;

    private final long seed;

    /** Other seeds, other payments; the same habits and episodes in the same shares. */
    public PaymentGenerator(long seed) {
        this.seed = seed;
    }

    @Override
    public Payment map(Long index) {
        return payment(index);
    }

    Payment payment(long index) {
        Draw draw = new Draw(seed, PAYMENT, index);
        Payment payment = new Payment();
        payment.id = "g" + seed + '-' + index;
        payment.label = false;
        payment.timestamp = START_MS + index * STEP_MS + draw.below((int) STEP_MS);
        if (!episode(payment, index, draw)) {
            honest(payment, awake(payment.timestamp, draw), draw);
        }
        payment.amount = Math.max(1, Math.round(payment.amount * 100)) / 100.0;
        return payment;
    }

    // Each kind of episode has its own sixteen (or eight) places in a block, so none takes
    // another's.
    private boolean episode(Payment payment, long index, Draw draw) {
        long block = index / BLOCK;
        int place = (int) (index % BLOCK);
        int kind = place < 48 ? place / 16 : 3 + (place - 48) / 8;
        Draw plan = new Draw(seed, EPISODE, block, kind);
        switch (kind) {
            case 0:
                return plan.chance(0.10)
                        && pair(payment, place, plan, draw, 0.01, 500, 3_000, true);
            case 1:
                return plan.chance(0.08) && takeover(payment, place - 16, plan, draw);
            case 2:
                return plan.chance(0.05) && ring(payment, block, place - 32, plan, draw);
            case 3:
                return plan.chance(0.01)
                        && pair(payment, place - 48, plan, draw, 0.2, 510, 900, false);
            default:
                return plan.chance(0.06) && quiet(payment, place - 56, plan, draw);
        }
    }

    private boolean pair(
            Payment payment,
            int place,
            Draw plan,
            Draw draw,
            double small,
            double from,
            double to,
            boolean fraud) {
        int account = plan.below(ACCOUNTS);
        int first = plan.below(3);
        int second = 3 + plan.below(5);
        if (place != first && place != second) {
            return false;
        }
        honest(payment, account, draw);
        payment.amount = place == first ? draw.logUniform(small, 0.99) : draw.logUniform(from, to);
        payment.label = fraud;
        return true;
    }

    private boolean takeover(Payment payment, int place, Draw plan, Draw draw) {
        int account = plan.below(ACCOUNTS);
        int payments = 1 + plan.below(3);
        int region = other(home(account), plan);
        String device = device(DEVICE, 1, plan.below(Integer.MAX_VALUE));
        if (place % 5 != 0 || place / 5 >= payments) {
            return false;
        }
        fill(payment, account, device, region, draw);
        payment.amount = draw.logUniform(100, 2_000);
        payment.label = true;
        return true;
    }

    private boolean ring(Payment payment, long block, int place, Draw plan, Draw draw) {
        long ring = block / RING_BLOCKS;
        int first = plan.below(RING_ACCOUNTS);
        if (place % 4 != 0) {
            return false;
        }
        int member = (first + place / 4) % RING_ACCOUNTS;
        int account = new Draw(seed, ACCOUNT, ring, member, 1).below(ACCOUNTS);
        fill(payment, account, device(DEVICE, 2, ring), home(account), draw);
        payment.ip = ip(2, ring, home(account));
        payment.amount = draw.logUniform(80, 900);
        payment.label = true;
        return true;
    }

    private boolean quiet(Payment payment, int place, Draw plan, Draw draw) {
        int account = plan.below(ACCOUNTS);
        if (place != plan.below(8)) {
            return false;
        }
        honest(payment, account, draw);
        payment.label = true;
        return true;
    }

    private void honest(Payment payment, int account, Draw draw) {
        int region = home(account);
        Draw week = new Draw(seed, JOURNEY, account, (payment.timestamp - START_MS) / (7 * DAY_MS));
        if (week.chance(0.04)) {
            region = other(region, week);
        }
        double where = draw.uniform();
        String device;
        if (where < 0.0003) {
            int which = draw.below(PUBLIC_DEVICES);
            account = (which * PUBLIC_ACCOUNTS + draw.below(PUBLIC_ACCOUNTS)) % ACCOUNTS;
            region = home(account);
            device = device(DEVICE, 3, which);
        } else if (where < 0.05) {
            device = device(DEVICE, 4, account / FAMILY);
        } else {
            long age =
                    (payment.timestamp - START_MS) / DAY_MS
                            + new Draw(seed, ACCOUNT, account, 2).below(200);
            device = device(DEVICE, 5, account, age / 200);
        }
        fill(payment, account, device, region, draw);
        double median = 3.2 + 0.6 * new Draw(seed, ACCOUNT, account, 3).gaussian();
        payment.amount = StrictMath.exp(median + 0.8 * draw.gaussian());
    }

    private void fill(Payment payment, int account, String device, int region, Draw draw) {
        payment.accountId = account + 1;
        payment.device = device;
        payment.region = REGIONS.get(region);
        payment.ip = ip(1, draw.chance(0.8) ? account : draw.below(1 << 20), region);
    }

    /** An account that is awake at this time, if one of three tries is. */
    private int awake(long timestamp, Draw draw) {
        int account = draw.below(ACCOUNTS);
        for (int i = 0; i < 2; i++) {
            int hour = (int) Math.floorMod(timestamp / 3_600_000 + UTC_OFFSET[home(account)], 24L);
            if (hour >= 7 && hour < 23) {
                break;
            }
            account = draw.below(ACCOUNTS);
        }
        return account;
    }

    private int home(int account) {
        return new Draw(seed, ACCOUNT, account, 4).below(REGIONS.size());
    }

    private static int other(int region, Draw draw) {
        return (region + 1 + draw.below(REGIONS.size() - 1)) % REGIONS.size();
    }

    // Hashed: a function must not be able to tell a ring's device by its name.
    private String device(long... keys) {
        long[] all = new long[keys.length + 1];
        all[0] = seed;
        System.arraycopy(keys, 0, all, 1, keys.length);
        return String.format("dev-%012x", Draw.hash(all) >>> 16);
    }

    private String ip(long kind, long number, int region) {
        long h = Draw.hash(seed, kind, number, region);
        return "100." + (64 + region) + '.' + (h >>> 8 & 255) + '.' + (h & 255);
    }
}
