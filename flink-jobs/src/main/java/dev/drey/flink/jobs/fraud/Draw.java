package dev.drey.flink.jobs.fraud;

/**
 * Random numbers that are a function of their keys: SplitMix64 (Steele, Lea, Flood: "Fast
 * Splittable Pseudorandom Number Generators", 2014). Written out here, because the numbers must
 * stay the same over JDKs.
 */
final class Draw {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private long state;

    /** A sequence for each list of keys. */
    Draw(long... keys) {
        state = hash(keys);
    }

    static long hash(long... keys) {
        long h = GOLDEN;
        for (long key : keys) {
            h = mix(h + GOLDEN ^ mix(key));
        }
        return h;
    }

    private static long mix(long z) {
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    private long next() {
        state += GOLDEN;
        return mix(state);
    }

    /** Uniform in [0, 1). */
    double uniform() {
        return (next() >>> 11) * 0x1.0p-53;
    }

    /** Uniform in [0, n). */
    int below(int n) {
        return (int) (uniform() * n);
    }

    boolean chance(double probability) {
        return uniform() < probability;
    }

    /** Standard normal (Box and Muller), by StrictMath: the same bits everywhere. */
    double gaussian() {
        double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - uniform()));
        return radius * StrictMath.cos(2 * StrictMath.PI * uniform());
    }

    /** Between two amounts, each order of magnitude as likely. */
    double logUniform(double from, double to) {
        return from * StrictMath.exp(uniform() * StrictMath.log(to / from));
    }
}
