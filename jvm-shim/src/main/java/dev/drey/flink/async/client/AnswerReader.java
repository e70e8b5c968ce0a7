package dev.drey.flink.async.client;

/**
 * Reads the body of an answer that is none of a failure; empty after a DELETE. Called on the
 * client's threads; must not block.
 *
 * @param <T> what it reads
 */
@FunctionalInterface
public interface AnswerReader<T> {
    /**
     * Reads one answer.
     *
     * @throws BadAnswerException it is not what was asked for
     */
    T read(byte[] body) throws BadAnswerException;
}
