package cluster

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ports of one cluster, on the loopback address.
type ports struct{ rest, rpc, s3 int }

// choosePorts takes the usual ports where they are free and preferred, else any.
func choosePorts(preferUsual bool) (ports, error) {
	var p ports
	for _, want := range []struct {
		port  *int
		usual int
	}{{&p.rest, 8081}, {&p.rpc, 6123}, {&p.s3, 9000}} {
		port := 0
		if preferUsual {
			port = want.usual
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil && port != 0 {
			l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
		}
		if err != nil {
			return p, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all are held until all are chosen, so that no two are the same
		*want.port = l.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

const (
	host      = "127.0.0.1"
	accessKey = "drey-dev"
	secretKey = "drey-dev-secret"
	bucket    = "flink"
	region    = "us-east-1"
)

// flinkConfig is config.yaml of the cluster; extra keys win.
func flinkConfig(dir string, p ports, slots int, extra map[string]string) map[string]string {
	config := map[string]string{
		"jobmanager.rpc.address":                host,
		"jobmanager.rpc.port":                   strconv.Itoa(p.rpc),
		"jobmanager.bind-host":                  host,
		"taskmanager.host":                      host,
		"taskmanager.bind-host":                 host,
		"rest.address":                          host,
		"rest.bind-address":                     host,
		"rest.port":                             strconv.Itoa(p.rest),
		"web.upload.dir":                        filepath.Join(dir, "tmp"),
		"io.tmp.dirs":                           filepath.Join(dir, "tmp"),
		"web.refresh-interval":                  "500", // ms; Flink's cache of what REST shows, 3 s by default
		"metrics.fetcher.update-interval":       "500", // ms; and of metrics, 10 s by default
		"heartbeat.interval":                    "2000",
		"heartbeat.timeout":                     "10000",
		"state.backend.type":                    "hashmap",
		"restart-strategy.type":                 "fixed-delay",
		"restart-strategy.fixed-delay.attempts": "20",
		"restart-strategy.fixed-delay.delay":    "1 s",

		"taskmanager.numberOfTaskSlots":                             strconv.Itoa(slots),
		"execution.checkpointing.storage":                           "filesystem",
		"execution.checkpointing.dir":                               "s3://" + bucket + "/checkpoints",
		"execution.checkpointing.savepoint-dir":                     "s3://" + bucket + "/savepoints",
		"execution.checkpointing.num-retained":                      "3",
		"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
		"execution.checkpointing.tolerable-failed-checkpoints":      "1000",

		"s3.endpoint":          endpoint(p.s3),
		"s3.path-style-access": "true",
		"s3.region":            region,
		"s3.access-key":        accessKey,
		"s3.secret-key":        secretKey,
	}
	maps.Copy(config, extra)
	return config
}

func endpoint(port int) string {
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(port))}
	return u.String()
}

// log4j sends everything to standard output, which is the process's log file.
const log4j = `rootLogger.level = INFO
rootLogger.appenderRef.out.ref = Out
appender.out.name = Out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-50c{1.} %x - %m%n
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
`

// log4jClient is that of a program whose standard output is for its user.
const log4jClient = `rootLogger.level = INFO
rootLogger.appenderRef.file.ref = File
appender.file.name = File
appender.file.type = FILE
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-50c{1.} %x - %m%n
`

const log4jClientFile = "log4j-cli.properties"

// writeConfig makes the folder conf of a cluster.
func writeConfig(dir string, config map[string]string) error {
	conf := filepath.Join(dir, "conf")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		return err
	}
	var yaml strings.Builder
	for _, key := range slices.Sorted(maps.Keys(config)) {
		fmt.Fprintf(&yaml, "%s: %s\n", key, config[key])
	}
	// The file holds the key of the S3 server.
	if err := os.WriteFile(filepath.Join(conf, "config.yaml"), []byte(yaml.String()), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(conf, "log4j.properties"), []byte(log4j), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(conf, log4jClientFile), []byte(log4jClient), 0o644)
}

// JavaModuleFlags is what Flink 2.3 needs of the JDK's modules (env.java.opts.all of its own config.yaml).
func JavaModuleFlags() []string {
	var args []string
	for _, export := range []string{
		"java.rmi/sun.rmi.registry", "jdk.compiler/com.sun.tools.javac.api", "jdk.compiler/com.sun.tools.javac.file",
		"jdk.compiler/com.sun.tools.javac.parser", "jdk.compiler/com.sun.tools.javac.tree",
		"jdk.compiler/com.sun.tools.javac.util", "java.security.jgss/sun.security.krb5",
	} {
		args = append(args, "--add-exports="+export+"=ALL-UNNAMED")
	}
	for _, pkg := range []string{
		"java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text", "java.time",
		"java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
	} {
		args = append(args, "--add-opens=java.base/"+pkg+"=ALL-UNNAMED")
	}
	return args
}

// classPath is Flink's lib, and the cluster's own with the jars that its user put there.
func classPath(home, dir string) string {
	return filepath.Join(home, "lib") + "/*:" + filepath.Join(dir, "lib") + "/*"
}

func jvm(home, dir string, flags []string, class string, args ...string) []string {
	conf := filepath.Join(dir, "conf")
	command := append(flags, "-XX:+UseSerialGC")
	command = append(command, JavaModuleFlags()...)
	command = append(command,
		"-Dlog4j.configurationFile="+filepath.Join(conf, "log4j.properties"),
		"-cp", classPath(home, dir), class, "--configDir", conf)
	return append(command, args...)
}

func jobManager(home, dir string, flags []string) []string {
	flags = append([]string{"-Xmx512m", "-XX:MaxMetaspaceSize=256m"}, flags...)
	return jvm(home, dir, flags,
		"org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
		"--executionMode", "cluster", "-D", "jobmanager.memory.heap.size=512m")
}

// taskManager: Flink's scripts compute all of these from taskmanager.memory.process.size; a TaskManager that is started
// without the scripts must be given every one.
func taskManager(home, dir string, slots int, flags []string) []string {
	args := []string{}
	for _, d := range []string{
		fmt.Sprintf("taskmanager.cpu.cores=%d.0", slots),
		"taskmanager.memory.task.heap.size=512m",
		"taskmanager.memory.framework.heap.size=128m",
		"taskmanager.memory.managed.size=128m",
		"taskmanager.memory.network.min=64m",
		"taskmanager.memory.network.max=64m",
		"taskmanager.memory.task.off-heap.size=0",
		"taskmanager.memory.framework.off-heap.size=128m",
		"taskmanager.memory.jvm-metaspace.size=256m",
		"taskmanager.memory.jvm-overhead.min=192m",
		"taskmanager.memory.jvm-overhead.max=192m",
		"external-resources=none",
	} {
		args = append(args, "-D", d)
	}
	flags = append([]string{"-Xmx640m", "-Xms640m", "-XX:MaxDirectMemorySize=256m", "-XX:MaxMetaspaceSize=256m"}, flags...)
	return jvm(home, dir, flags,
		"org.apache.flink.runtime.taskexecutor.TaskManagerRunner", args...)
}
