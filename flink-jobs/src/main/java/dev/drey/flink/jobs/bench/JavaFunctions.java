package dev.drey.flink.jobs.bench;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectWriter;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;
import org.apache.flink.types.Row;

/**
 * What the Go functions of the benchmark do, as a Java user of Flink SQL would write it. Results
 * are NOT NULL as Go's are: if only one were, Flink would check the rows of one job and not of the
 * other (its ConstraintEnforcer before a sink).
 */
public final class JavaFunctions {
    private JavaFunctions() {}

    private static final String ORDER =
            "ROW<id BIGINT NOT NULL, account BIGINT NOT NULL, amount DOUBLE NOT NULL, items INT NOT"
                    + " NULL, country STRING NOT NULL, known BOOLEAN NOT NULL> NOT NULL";
    private static final String DECISION =
            "ROW<id BIGINT NOT NULL, score DOUBLE NOT NULL, decision STRING NOT NULL, `limit`"
                    + " BIGINT NOT NULL> NOT NULL";

    /** BIGINT to BIGINT. */
    public static final class PlusOne extends ScalarFunction {
        private static final long serialVersionUID = 1L;

        /** The next number. */
        public long eval(long n) {
            return n + 1;
        }
    }

    /** Two strings to one. */
    public static final class UpperConcat extends ScalarFunction {
        private static final long serialVersionUID = 1L;

        /** The first text in capitals, and the second. */
        @DataTypeHint("STRING NOT NULL")
        public String eval(String first, String second) {
            return first.toUpperCase(Locale.ROOT).concat(second);
        }
    }

    /** JSON to JSON by Jackson's data binding with its defaults, reader and writer prepared. */
    public static final class ProcessJson extends ScalarFunction {
        private static final long serialVersionUID = 1L;

        private transient ObjectReader reader;
        private transient ObjectWriter writer;

        @Override
        public void open(FunctionContext context) {
            ObjectMapper mapper =
                    new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
            reader = mapper.readerFor(Event.class);
            writer = mapper.writerFor(Scored.class);
        }

        /** Scores how far the amount of an order is from what its items cost. */
        @DataTypeHint("STRING NOT NULL")
        public String eval(String event) throws IOException {
            Event order = reader.readValue(event);
            double total = 0;
            for (Item item : order.items) {
                total += item.price * item.quantity;
            }
            double off = Math.abs(order.amount - total);
            Scored scored = new Scored();
            scored.id = order.id;
            scored.score = off / (off + total + 1);
            scored.items = order.items.size();
            return writer.writeValueAsString(scored);
        }
    }

    /** An order as a shop sends it. */
    public static final class Event {
        public String id;
        public double amount;
        public List<Item> items;
        public String note;
    }

    /** A line of an order. */
    public static final class Item {
        public String sku;
        public double price;
        public long quantity;
    }

    /** The answer. */
    public static final class Scored {
        public String id;
        public double score;
        public long items;
    }

    /** ROW of 6 to ROW of 4, with Flink's row for users. */
    public static final class Decide extends ScalarFunction {
        private static final long serialVersionUID = 1L;

        /** What to do about an order. */
        @FunctionHint(input = @DataTypeHint(ORDER), output = @DataTypeHint(DECISION))
        public Row eval(Row order) {
            double amount = (double) order.getField(2);
            double score = amount / (amount + 1000);
            if (!(boolean) order.getField(5)) {
                score += (1 - score) / 2;
            }
            return score > 0.8
                    ? Row.of(
                            order.getField(0),
                            score,
                            "review " + order.getField(4),
                            (long) order.getField(1) % 1000)
                    : Row.of(order.getField(0), score, "pass", 100L * (int) order.getField(3));
        }
    }

    /** The same on Flink's internal row: the fastest that Java can do, which few users write. */
    public static final class DecideInternal extends ScalarFunction {
        private static final long serialVersionUID = 1L;
        private static final StringData PASS = StringData.fromString("pass");

        /** What to do about an order. */
        @FunctionHint(
                input = @DataTypeHint(value = ORDER, bridgedTo = RowData.class),
                output = @DataTypeHint(value = DECISION, bridgedTo = RowData.class))
        public RowData eval(RowData order) {
            double amount = order.getDouble(2);
            double score = amount / (amount + 1000);
            if (!order.getBoolean(5)) {
                score += (1 - score) / 2;
            }
            return score > 0.8
                    ? GenericRowData.of(
                            order.getLong(0),
                            score,
                            StringData.fromString("review " + order.getString(4)),
                            order.getLong(1) % 1000)
                    : GenericRowData.of(order.getLong(0), score, PASS, 100L * order.getInt(3));
        }
    }
}
