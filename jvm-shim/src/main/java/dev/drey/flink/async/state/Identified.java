package dev.drey.flink.async.state;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * A record and the id it was given before it entered the operator: in flight at a barrier, it is in
 * the checkpoint with its id, and is sent again with the same one. A Flink POJO.
 *
 * @param <IN> the record
 */
public final class Identified<IN> {
    private IN record;
    @Nullable private String id;

    /** For Flink's serializer. */
    public Identified() {}

    /**
     * @param id null if none could be made: the call will fail and say why
     */
    public Identified(IN record, @Nullable String id) {
        this.record = record;
        this.id = id;
    }

    /** The type of an identified record of this type. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    public static <IN> TypeInformation<Identified<IN>> type(TypeInformation<IN> record) {
        Map<String, TypeInformation<?>> fields = new HashMap<>();
        fields.put("record", record);
        fields.put("id", Types.STRING);
        return (TypeInformation) Types.POJO(Identified.class, fields);
    }

    /** The record. */
    public IN getRecord() {
        return record;
    }

    /** For Flink's serializer. */
    public void setRecord(IN record) {
        this.record = record;
    }

    /** The id. */
    @Nullable
    public String getId() {
        return id;
    }

    /** For Flink's serializer. */
    public void setId(@Nullable String id) {
        this.id = id;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Identified
                && Objects.equals(record, ((Identified<?>) other).record)
                && Objects.equals(id, ((Identified<?>) other).id);
    }

    @Override
    public int hashCode() {
        return Objects.hash(record, id);
    }
}
