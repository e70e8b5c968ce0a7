package dev.drey.flink.table;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;

/**
 * A JVM of its own that plans and then runs a query, and says after each step whether a Go library
 * is mapped into it.
 */
final class PlannerProcess {
    private PlannerProcess() {}

    /** The jar, then the query. */
    public static void main(String[] args) {
        try {
            run(args);
            System.exit(0); // the cluster has threads of its own
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String[] args) throws Exception {
        SqlSession sql = SqlSession.streaming(Paths.get(args[0]));
        sql.tables.listFunctions();
        sql.tables.explainSql(args[1]);
        sql.tables.sqlQuery(args[1]).getResolvedSchema();
        System.out.println("planned: " + (mapped() ? "Go is loaded" : "no Go"));
        sql.query(args[1]);
        System.out.println("run: " + (mapped() ? "Go is loaded" : "no Go"));
    }

    private static boolean mapped() throws IOException {
        return Files.readString(Paths.get("/proc/self/maps")).contains("libgo_udf");
    }
}
