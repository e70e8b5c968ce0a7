package dev.drey.flink.async;

import dev.drey.flink.async.client.AnswerReader;
import dev.drey.flink.async.client.BadAnswerException;
import dev.drey.flink.async.state.Place;
import java.io.IOException;
import javax.annotation.Nullable;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonGenerator;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.io.JsonEOFException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.util.ByteArrayBuilder;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonMappingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.SerializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;

/**
 * The JSON of {@code POST /evaluate}: {@code {"function", "id"?, "state"?, "event"}} there, {@code
 * {"id", "result", ...}} back. Flink's own Jackson, so that the job's is its own affair. Safe for
 * use by several threads.
 *
 * @param <OUT> what a result is read into
 */
public final class GoCodec<OUT> {
    private static final ObjectMapper MAPPER =
            JsonMapper.builder()
                    .addModules(new Jdk8Module(), new JavaTimeModule())
                    .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
                    .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
                    .disable(SerializationFeature.FLUSH_AFTER_WRITE_VALUE)
                    // A newer function may return more than an older job knows.
                    .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                    .build();

    private final String function;
    private final ObjectReader results;
    @Nullable private final String job;
    private final int subtask;

    /** A codec for one function. */
    public GoCodec(String function, Class<OUT> resultClass) {
        this(function, resultClass, null, 0);
    }

    /**
     * A codec for one function, whose requests without state say where they come from.
     *
     * @param job Flink's id of it
     */
    GoCodec(String function, Class<OUT> resultClass, @Nullable String job, int subtask) {
        this.function = function;
        this.job = job;
        this.subtask = subtask;
        this.results = MAPPER.readerFor(resultClass);
    }

    /**
     * A request.
     *
     * @param event anything that Jackson writes
     * @throws IOException the event cannot be written
     */
    public byte[] request(@Nullable String id, @Nullable Object event) throws IOException {
        return request(id, null, event);
    }

    /**
     * A request for the state of a key.
     *
     * @param place null for a request without state
     */
    byte[] request(@Nullable String id, @Nullable Place place, @Nullable Object event)
            throws IOException {
        try (ByteArrayBuilder out = new ByteArrayBuilder(512);
                JsonGenerator json = MAPPER.createGenerator(out)) {
            json.writeStartObject();
            json.writeStringField("function", function);
            if (id != null) {
                json.writeStringField("id", id);
            }
            if (place != null) {
                json.writeObjectFieldStart("state");
                json.writeStringField("session", place.session());
                json.writeNumberField("epoch", place.epoch());
                json.writeNumberField("key_group", place.keyGroup());
                json.writeStringField("key", place.key());
                if (place.watermark() != Long.MIN_VALUE) {
                    json.writeNumberField("watermark", place.watermark());
                    if (place.lowWatermark() != place.watermark()) {
                        json.writeNumberField("low_watermark", place.lowWatermark());
                    }
                }
                json.writeEndObject();
            }
            if (place == null && job != null) {
                json.writeObjectFieldStart("origin");
                json.writeStringField("job", job);
                json.writeNumberField("subtask", subtask);
                json.writeEndObject();
            }
            json.writeFieldName("event");
            MAPPER.writeValue(json, event);
            json.writeEndObject();
            json.flush();
            return out.toByteArray();
        }
    }

    /** Reads answers to a request with this id; null if it had none. */
    public AnswerReader<OUT> answerTo(@Nullable String id) {
        return body -> answer(body, id);
    }

    private OUT answer(byte[] body, @Nullable String expectedId) throws BadAnswerException {
        String id = null;
        OUT result = null;
        try (JsonParser in = MAPPER.createParser(body)) {
            if (in.nextToken() != JsonToken.START_OBJECT) {
                throw BadAnswerException.foreign("the answer is no JSON object", body);
            }
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                String name = in.currentName();
                JsonToken value = in.nextToken();
                if (name.equals("result") && value != JsonToken.VALUE_NULL) {
                    result = results.readValue(in);
                } else if (name.equals("id") && value == JsonToken.VALUE_STRING) {
                    id = in.getText();
                } else {
                    in.skipChildren();
                }
            }
            if (in.nextToken() != null) {
                throw BadAnswerException.foreign("the answer goes on after its JSON", body);
            }
        } catch (JsonEOFException e) {
            throw BadAnswerException.truncated();
        } catch (JsonMappingException e) {
            if (e.getCause() instanceof JsonEOFException) {
                throw BadAnswerException.truncated();
            }
            throw BadAnswerException.misfit("result: " + e.getOriginalMessage() + at(e));
        } catch (IOException e) {
            throw BadAnswerException.foreign("the answer is not JSON", body);
        }
        if (result == null) {
            throw BadAnswerException.foreign("the answer has no result", body);
        }
        if (expectedId != null && !expectedId.equals(id)) {
            throw BadAnswerException.foreign(
                    "the answer has the id " + id + ", asked was " + expectedId, body);
        }
        return result;
    }

    private static String at(JsonMappingException e) {
        StringBuilder path = new StringBuilder();
        for (JsonMappingException.Reference step : e.getPath()) {
            path.append(path.length() == 0 ? "" : ".")
                    .append(
                            step.getFieldName() == null
                                    ? "[" + step.getIndex() + "]"
                                    : step.getFieldName());
        }
        return path.length() == 0 ? "" : " (at " + path + ")";
    }
}
