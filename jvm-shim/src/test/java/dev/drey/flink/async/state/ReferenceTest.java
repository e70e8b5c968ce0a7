package dev.drey.flink.async.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;

class ReferenceTest {
    private static final Reference.Serializer SERIALIZER = Reference.Serializer.INSTANCE;

    private static byte[] written(Object reference) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(16);
        SERIALIZER.serialize(reference, out);
        return out.getCopyOfBuffer();
    }

    /** Flink copies at the barrier and writes the copy later. */
    @Test
    void aCopyIsKeptByTheTimeItIsWritten() throws IOException {
        CompletableFuture<String> promise = new CompletableFuture<>();
        Object copy = SERIALIZER.copy(promise);
        promise.complete("{\"key\":\"a\"}");
        assertThat(written(copy)).isEqualTo(written("{\"key\":\"a\"}"));
    }

    @Test
    void inTheCheckpointItIsAString() throws IOException {
        DataInputDeserializer in = new DataInputDeserializer(written("schön"));
        assertThat(StringSerializer.INSTANCE.deserialize(in)).isEqualTo("schön");
        assertThat(SERIALIZER.snapshotConfiguration().getClass())
                .isEqualTo(StringSerializer.INSTANCE.snapshotConfiguration().getClass());
    }

    @Test
    void whatWasNotKeptIsNotWritten() {
        assertThatThrownBy(() -> written(new CompletableFuture<String>()))
                .hasMessageContaining("not durable yet");
        CompletableFuture<String> broken = new CompletableFuture<>();
        broken.completeExceptionally(new IllegalStateException("no store"));
        assertThatThrownBy(() -> written(broken)).hasRootCauseMessage("no store");
    }
}
