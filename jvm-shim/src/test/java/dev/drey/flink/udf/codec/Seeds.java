package dev.drey.flink.udf.codec;

/**
 * Seeds of random tests. A test fails with its seed in the text; {@code DREY_TEST_SEED} runs it
 * with another one, or with that one again.
 */
public final class Seeds {
    /** The environment variable. */
    public static final String VARIABLE = "DREY_TEST_SEED";

    private Seeds() {}

    /** The seed of the environment, or this one; printed. */
    public static long of(Class<?> test, long byDefault) {
        String given = System.getenv(VARIABLE);
        long seed = given == null || given.isEmpty() ? byDefault : Long.parseLong(given);
        System.out.println(test.getSimpleName() + ": " + VARIABLE + "=" + seed);
        return seed;
    }
}
