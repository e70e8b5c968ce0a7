package dev.drey.flink.async.state;

import dev.drey.flink.async.client.AnswerReader;
import dev.drey.flink.async.client.BadAnswerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonGenerator;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.util.ByteArrayBuilder;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** The JSON of the routes below {@code /v1/state/sessions}; the sidecar's OpenAPI says the same. */
final class SessionDocuments {
    private static final ObjectMapper JSON = new ObjectMapper();

    private SessionDocuments() {}

    private interface Body {
        void write(JsonGenerator json) throws IOException;
    }

    private static byte[] write(Body body) {
        try (ByteArrayBuilder out = new ByteArrayBuilder(512);
                JsonGenerator json = JSON.getFactory().createGenerator(out)) {
            json.writeStartObject();
            body.write(json);
            json.writeEndObject();
            json.flush();
            return out.toByteArray();
        } catch (IOException e) { // memory
            throw new UncheckedIOException(e);
        }
    }

    static byte[] open(SessionSpec spec, boolean restored) {
        return write(
                json -> {
                    json.writeStringField("job", spec.job);
                    json.writeStringField("operator", spec.operator);
                    json.writeNumberField("subtask", spec.subtask);
                    json.writeNumberField("max_parallelism", spec.maxParallelism);
                    json.writeArrayFieldStart("key_groups");
                    json.writeNumber(spec.firstKeyGroup);
                    json.writeNumber(spec.lastKeyGroup);
                    json.writeEndArray();
                    json.writeBooleanField("restored", restored);
                });
    }

    static byte[] restore(List<String> references) {
        return write(
                json -> {
                    json.writeArrayFieldStart("references");
                    for (String reference : references) {
                        json.writeRawValue(reference);
                    }
                    json.writeEndArray();
                });
    }

    static byte[] mark(Mark mark) {
        return write(
                json -> {
                    json.writeNumberField("epoch", mark.checkpoint);
                    json.writeArrayFieldStart("in_flight");
                    for (int i = 0; i < mark.ids.size(); i++) {
                        json.writeStartObject();
                        json.writeStringField("id", mark.ids.get(i));
                        json.writeNumberField("key_group", mark.keyGroups.get(i));
                        json.writeEndObject();
                    }
                    json.writeEndArray();
                    json.writeBooleanField("full", mark.full);
                    if (mark.savepoint) { // older sidecars do not know it
                        json.writeBooleanField("savepoint", true);
                    }
                });
    }

    /** Reads the name of a session. */
    static String session(byte[] body) throws BadAnswerException {
        String name = parse(body).path("session").textValue();
        if (name == null || name.isEmpty()) {
            throw BadAnswerException.foreign("the answer names no session", body);
        }
        return name;
    }

    /** Reads a reference as it is; null if there is none yet. */
    @Nullable
    static String reference(byte[] body) throws BadAnswerException {
        JsonNode reference = parse(body).path("reference");
        return reference.isObject() ? reference.toString() : null;
    }

    private static JsonNode parse(byte[] body) throws BadAnswerException {
        try {
            JsonNode document = JSON.readTree(body);
            if (document != null && document.isObject()) {
                return document;
            }
        } catch (IOException e) {
            // Said below.
        }
        throw BadAnswerException.foreign("the answer is no JSON object", body);
    }

    /** An answer of which only the status counts. */
    static final AnswerReader<Void> NOTHING = body -> null;
}
