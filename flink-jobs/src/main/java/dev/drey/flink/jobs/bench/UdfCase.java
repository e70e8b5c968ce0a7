package dev.drey.flink.jobs.bench;

import java.util.Locale;

/**
 * What {@code scripts/bench udf} compares: a query over generated numbers, and the function in it
 * under the names that it has in each language.
 */
enum UdfCase {
    BIGINT("plus_one", JavaFunctions.PlusOne.class),
    STRINGS("upper_concat", JavaFunctions.UpperConcat.class),
    JSON("process_json", JavaFunctions.ProcessJson.class),
    ROW("decide", JavaFunctions.Decide.class);

    /** Of the Go function and of the Python function. */
    private final String function;

    private final Class<?> java;

    UdfCase(String function, Class<?> java) {
        this.function = function;
        this.java = java;
    }

    static UdfCase of(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }

    /**
     * The table {@code numbers (x BIGINT NOT NULL)}.
     *
     * @param rows how many; 0 without end
     */
    static String numbers(long rows) {
        return "CREATE TEMPORARY TABLE numbers (x BIGINT NOT NULL) WITH ('connector'='datagen',"
                + " 'rows-per-second'='1000000000', 'fields.x.min'='0', 'fields.x.max'='999999'"
                + (rows > 0 ? ", 'number-of-rows'='" + rows + "'" : "")
                + ")";
    }

    /** What follows {@code CREATE FUNCTION f AS}. */
    String function(String mode) {
        switch (mode) {
            case "java":
                return "'" + java.getName() + "'";
            case "java-internal":
                return "'" + JavaFunctions.DecideInternal.class.getName() + "'";
            case "bare":
                return "'" + BareFunction.class.getName() + "'";
            case "go":
                return "'dev.drey.udf." + className(function) + "'";
            case "thread":
            case "process":
                return "'functions." + function + "' LANGUAGE PYTHON";
            default:
                throw new IllegalArgumentException("--mode " + mode);
        }
    }

    /** As the builder names the class of a function: PlusOne of plus_one. */
    private static String className(String function) {
        StringBuilder name = new StringBuilder();
        for (String word : function.split("_")) {
            name.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
        }
        return name.toString();
    }

    /** A query that calls a function once for each row of {@code numbers (x BIGINT NOT NULL)}. */
    String query(String function, int size) {
        return "SELECT " + function + "(" + arguments(size) + ") FROM numbers";
    }

    /** The same without the function: what the rest of the query costs. */
    String queryWithout(int size) {
        return "SELECT " + arguments(size) + " FROM numbers";
    }

    /** How many rows there are for which {@code f} and {@code g} do not say the same. */
    String differences(int size) {
        String f = "f(" + arguments(size) + ")";
        String g = "g(" + arguments(size) + ")";
        String[] parts;
        switch (this) {
            case JSON:
                // The texts may differ: Java and Go write some numbers in other words. And read as
                // numbers they must be texts again: Flink 2.3 compares what JSON_VALUE returns by
                // identity.
                parts = new String[] {"$.id' RETURNING STRING", "$.score' RETURNING DOUBLE"};
                for (int i = 0; i < parts.length; i++) {
                    parts[i] = differ(jsonValue(f, parts[i]), jsonValue(g, parts[i]));
                }
                break;
            case ROW:
                parts = new String[] {"id", "score", "decision", "limit"};
                for (int i = 0; i < parts.length; i++) {
                    parts[i] = differ(f + ".`" + parts[i] + "`", g + ".`" + parts[i] + "`");
                }
                break;
            default:
                parts = new String[] {differ(f, g)};
        }
        return "SELECT COUNT(*) FROM numbers WHERE " + String.join(" OR ", parts);
    }

    private static String jsonValue(String text, String what) {
        return "CAST(JSON_VALUE(" + text + ", '" + what + ") AS STRING)";
    }

    private static String differ(String a, String b) {
        return a + " IS DISTINCT FROM " + b;
    }

    private String arguments(int size) {
        switch (this) {
            case BIGINT:
                return "x";
            case STRINGS:
                return numbered(size / 2 - 6) + ", " + numbered(size / 2 - 6);
            case JSON:
                return event(size);
            default:
                // Quantities that move with the number, so that both branches are taken.
                return "ROW(x, x + 4711, CAST(x AS DOUBLE) / 100, CAST(x AS INT), CONCAT('C',"
                        + " CAST(x AS STRING)), x < 500000)";
        }
    }

    private static String numbered(int letters) {
        return "CONCAT(CAST(x AS STRING), '" + "a".repeat(letters) + "')";
    }

    /** An order of about {@code size} bytes: items of 46 bytes, and what is left as a note. */
    private static String event(int size) {
        String begin = "{\"id\":\"";
        StringBuilder rest = new StringBuilder("\",\"amount\":129.95,\"items\":[");
        String end = "],\"note\":\"\"}";
        int left = size - begin.length() - rest.length() - end.length() - 6;
        for (int i = 0; left >= 48; i++) {
            String item =
                    String.format(
                            Locale.ROOT,
                            "%s{\"sku\":\"A-%04d\",\"price\":%d.%02d,\"quantity\":%d}",
                            i == 0 ? "" : ",",
                            i,
                            1 + i * 7 % 90,
                            i * 37 % 100,
                            1 + i % 9);
            rest.append(item);
            left -= item.length();
        }
        rest.append("],\"note\":\"").append("n".repeat(Math.max(0, left))).append("\"}");
        return "CONCAT('" + begin + "', CAST(x AS STRING), '" + rest + "')";
    }
}
