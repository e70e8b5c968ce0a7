package dev.drey.flink.udf.manifest;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;

/** What a build's manifest says of one function. Immutable, safe for use by several threads. */
public final class FunctionManifest implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String name;
    private final FunctionKind kind;
    private final String doc;
    private final boolean deterministic;
    private final boolean nullOnNull;
    private final boolean retract;
    private final boolean merge;
    private final String signature;
    private final String className;
    private final List<Column> arguments;
    private final LogicalType result;
    private final Map<String, String> parameters;

    FunctionManifest(JsonNode json, ClassLoader loader) throws ManifestException {
        this.name = text(json, "name", "a function");
        String of = "function " + name;
        try {
            this.kind = FunctionKind.valueOf(text(json, "kind", of));
        } catch (IllegalArgumentException e) {
            throw new ManifestException(
                    of
                            + ": kind "
                            + json.get("kind")
                            + " is newer than these classes; build the jar with the go-udf-builder"
                            + " that belongs to its Drey version");
        }
        this.doc = json.path("doc").asText("");
        this.deterministic = json.path("deterministic").asBoolean(false);
        this.nullOnNull = json.path("null_on_null").asBoolean(false);
        this.retract = json.path("retract").asBoolean(false);
        this.merge = json.path("merge").asBoolean(false);
        this.signature = json.path("signature").asText("");
        this.className = text(json, "class", of);
        List<Column> columns = new ArrayList<>();
        for (JsonNode argument : json.path("arguments")) {
            String argumentName = text(argument, "name", of + ": an argument");
            columns.add(
                    new Column(
                            argumentName,
                            type(argument, of + ": argument " + argumentName, loader)));
        }
        this.arguments = Collections.unmodifiableList(columns);
        this.result = type(json.path("result"), of + ": result", loader);
        Map<String, String> defaults = new LinkedHashMap<>();
        for (JsonNode parameter : json.path("parameters")) {
            defaults.put(
                    text(parameter, "name", of + ": a parameter"),
                    parameter.path("default").asText(""));
        }
        this.parameters = Collections.unmodifiableMap(defaults);
    }

    private static String text(JsonNode json, String key, String of) throws ManifestException {
        String value = json.path(key).asText("");
        if (value.isEmpty()) {
            throw new ManifestException(of + " has no " + key + "; build the jar again");
        }
        return value;
    }

    private static LogicalType type(JsonNode json, String of, ClassLoader loader)
            throws ManifestException {
        String sql = text(json, "sql", of);
        try {
            LogicalType type = LogicalTypeParser.parse(sql, loader);
            if (!LogicalTypeChecks.hasNested(type, t -> t.is(LogicalTypeRoot.UNRESOLVED))) {
                return type;
            }
        } catch (ValidationException e) {
            throw new ManifestException(unknown(of, sql), e);
        }
        throw new ManifestException(unknown(of, sql));
    }

    private static String unknown(String of, String sql) {
        return of + ": Flink does not know the SQL type " + sql + "; build the jar again";
    }

    /** The name under which Go registered it. */
    public String name() {
        return name;
    }

    /** How it is called. */
    public FunctionKind kind() {
        return kind;
    }

    /** What it does, in the words of its author; may be empty. */
    public String doc() {
        return doc;
    }

    /** Whether the same arguments always give the same result. */
    public boolean deterministic() {
        return deterministic;
    }

    /** Whether Go is left alone when an argument that it declared NOT NULL is NULL. */
    public boolean nullOnNull() {
        return nullOnNull;
    }

    /** Whether an AGGREGATE can take a row out again. */
    public boolean retract() {
        return retract;
    }

    /** Whether an AGGREGATE can add up accumulators. */
    public boolean merge() {
        return merge;
    }

    /** The canonical text of name and types, which Go compares when the function is opened. */
    public String signature() {
        return signature;
    }

    /** The generated class that Flink calls. */
    public String className() {
        return className;
    }

    /** The arguments, as Go declared them. */
    public List<Column> arguments() {
        return arguments;
    }

    /** The result, as Go declared it; of a TABLE, one emitted row. */
    public LogicalType result() {
        return result;
    }

    /** The type of an argument in SQL: nullable if NULL never reaches Go. */
    public LogicalType sqlType(Column argument) {
        return nullOnNull ? argument.type().copy(true) : argument.type();
    }

    /** The type of the result in SQL: nullable too if NULL arguments make NULL. */
    public LogicalType sqlResult() {
        return nullOnNull && kind != FunctionKind.TABLE ? result.copy(true) : result;
    }

    /** The job parameters that it reads when it is opened, with their defaults. */
    public Map<String, String> parameters() {
        return parameters;
    }

    @Override
    public String toString() {
        return signature.isEmpty() ? name : signature;
    }
}
