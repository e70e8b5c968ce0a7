package dev.drey.flink.async.state;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What a checkpoint holds of the state in the sidecar: a JSON text, or the promise of one.
 *
 * <p>The text of checkpoint N is known only when the snapshot is in the store, and yet belongs into
 * checkpoint N. Flink copies a list state at the barrier, by {@link TypeSerializer#copy}, and
 * writes the copy later, in its asynchronous part: so the promise is what is copied, and it is kept
 * by the time it is written. What stands in the checkpoint is a list of plain strings, which
 * anybody can read.
 */
final class Reference {
    private Reference() {}

    /** Writes texts and promises of texts, reads texts. As far as Flink is told, a string. */
    static final class Serializer extends TypeSerializerSingleton<Object> {
        private static final long serialVersionUID = 1L;

        static final Serializer INSTANCE = new Serializer();

        @Override
        public void serialize(Object reference, DataOutputView target) throws IOException {
            StringSerializer.INSTANCE.serialize(text(reference), target);
        }

        private static String text(Object reference) throws IOException {
            if (!(reference instanceof CompletableFuture)) {
                return (String) reference;
            }
            CompletableFuture<?> promise = (CompletableFuture<?>) reference;
            if (!promise.isDone()) { // who writes has waited for it: see DurableSnapshot
                throw new IOException("the snapshot in the sidecar is not durable yet");
            }
            try {
                return (String) promise.get();
            } catch (InterruptedException | ExecutionException e) {
                throw new IOException("there is no snapshot in the sidecar", e.getCause());
            }
        }

        @Override
        public Object deserialize(DataInputView source) throws IOException {
            return StringSerializer.INSTANCE.deserialize(source);
        }

        @Override
        public Object deserialize(Object reuse, DataInputView source) throws IOException {
            return deserialize(source);
        }

        @Override
        public void copy(DataInputView source, DataOutputView target) throws IOException {
            StringSerializer.INSTANCE.copy(source, target);
        }

        @Override
        public Object copy(Object from) {
            return from; // both kinds are immutable in the eyes of this
        }

        @Override
        public Object copy(Object from, Object reuse) {
            return from;
        }

        @Override
        public boolean isImmutableType() {
            return true;
        }

        @Override
        public Object createInstance() {
            return "";
        }

        @Override
        public int getLength() {
            return -1;
        }

        // A class of ours in the checkpoint would have to be there for ever.
        @Override
        @SuppressWarnings({"unchecked", "rawtypes"})
        public TypeSerializerSnapshot<Object> snapshotConfiguration() {
            return (TypeSerializerSnapshot) StringSerializer.INSTANCE.snapshotConfiguration();
        }
    }
}
