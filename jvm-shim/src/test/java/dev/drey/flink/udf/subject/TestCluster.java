package dev.drey.flink.udf.subject;

import java.net.URI;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/**
 * A session cluster in this JVM, started by its first user and ended with the JVM: jobs come and go
 * in it with their class loaders, as in a TaskManager that lives long.
 */
public final class TestCluster {
    private static MiniCluster cluster;

    private TestCluster() {}

    /** What a program needs to submit jobs to it. */
    public static synchronized Configuration client() {
        try {
            if (cluster == null) {
                cluster = start();
            }
            URI rest = cluster.getRestAddress().get();
            Configuration config = new Configuration();
            config.setString("execution.target", "remote");
            config.setString("execution.attached", "true");
            config.setString("rest.address", rest.getHost());
            config.setString("rest.port", Integer.toString(rest.getPort()));
            config.setString("restart-strategy.type", "none");
            return config;
        } catch (Exception e) {
            throw new IllegalStateException("start a cluster", e);
        }
    }

    private static MiniCluster start() throws Exception {
        Configuration config = new Configuration();
        config.setString("rest.bind-port", "0");
        config.setString("rest.address", "localhost");
        config.setString("taskmanager.memory.network.min", "16m");
        config.setString("taskmanager.memory.network.max", "16m");
        config.setString("taskmanager.memory.managed.size", "128m");
        MiniCluster started =
                new MiniCluster(
                        new MiniClusterConfiguration.Builder()
                                .setConfiguration(config)
                                .setNumTaskManagers(1)
                                .setNumSlotsPerTaskManager(4)
                                .build());
        started.start();
        // Waited for: or its folders stay.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> started.closeAsync().join()));
        return started;
    }
}
