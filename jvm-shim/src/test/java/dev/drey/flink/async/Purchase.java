package dev.drey.flink.async;

/** A record for tests; a Flink POJO. */
public class Purchase {
    public long n;
    public double amount;

    public Purchase() {}

    Purchase(long n, double amount) {
        this.n = n;
        this.amount = amount;
    }
}
