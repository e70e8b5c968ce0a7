package dev.drey.flink.udf.library.nativetest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Many class loaders in one process, one after the other, as a session cluster has them. */
public final class ClassLoaderScenarios {
    private static final int LOADERS = 140;

    /** What class loaders leave behind grows in every round of so many. */
    private static final int ROUND = 50;

    /** What the JVM compiles, and what Go gathers before it collects, stops growing before that. */
    private static final int MOST_ROUNDS = 12;

    private static final long FLAT_KILOBYTES = 8 << 10;

    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final Path temp;
    private final URL otherBuild;
    private final URL[] classPath;

    private ClassLoaderScenarios(Path temp, Path otherBuild, List<Path> classPath)
            throws IOException {
        this.temp = temp;
        this.otherBuild = otherBuild.toUri().toURL();
        List<URL> urls = new ArrayList<>();
        for (Path entry : classPath) {
            urls.add(entry.toUri().toURL());
        }
        this.classPath = urls.toArray(new URL[0]);
    }

    /** Results, a folder, another build of the library, and the class path of the guests. */
    public static void main(String[] args) throws Exception {
        List<Path> classPath = Stream.of(args).skip(3).map(Paths::get).collect(Collectors.toList());
        ClassLoaderScenarios s =
                new ClassLoaderScenarios(Paths.get(args[1]), Paths.get(args[2]), classPath);
        new Scenarios()
                .add("class loaders in turn", s::inTurn)
                .add("class loaders at once", s::atOnce)
                .add("another library folder", s::anotherFolder)
                .add("the library's file is gone", s::fileGone)
                .add("jobs that share Drey's classes", s::sharedClasses)
                .add("another build in classes that are shared", s::anotherBuildInSharedClasses)
                .run(Scenarios.resultsFile(args));
    }

    /** Runs a guest in a class loader that is closed afterwards, as Flink does. */
    private WeakReference<ClassLoader> visit(Path libraryDir, long wantCount) throws Exception {
        try (URLClassLoader loader =
                new URLClassLoader(classPath, ClassLoader.getPlatformClassLoader())) {
            stats = run(loader, libraryDir);
            assertThat(counted("calls_so_far", "calls"))
                    .as("guests that Go counts: %s", stats)
                    .isEqualTo(wantCount);
            return new WeakReference<>(loader);
        }
    }

    @SuppressWarnings("unchecked")
    private static String run(ClassLoader loader, Path libraryDir) throws Exception {
        Callable<String> guest =
                (Callable<String>)
                        loader.loadClass(Guest.class.getName())
                                .getConstructor(Path.class)
                                .newInstance(libraryDir);
        return guest.call();
    }

    private long count;
    private String stats;

    /** What the library says of a function. */
    private long counted(String function, String what) {
        Matcher m =
                Pattern.compile("\"" + function + "\":\\{[^}]*\"" + what + "\":([0-9]+)")
                        .matcher(stats);
        assertThat(m.find()).as(stats).isTrue();
        return Long.parseLong(m.group(1));
    }

    private void inTurn() throws Exception {
        round();
        int threads;
        long grown;
        int rounds = 0;
        do {
            threads = threads();
            grown = -residentKilobytes();
            round();
            grown += residentKilobytes();
        } while (grown >= FLAT_KILOBYTES && ++rounds < MOST_ROUNDS);
        assertThat(grown)
                .as("kB more after %d class loaders, in each of %d rounds", ROUND, rounds)
                .isLessThan(FLAT_KILOBYTES);
        assertThat(threads()).as("threads of the process").isLessThanOrEqualTo(threads + 3);
        assertThat(mapped("libgo_udf.so")).as("Go runtimes").hasSize(1);
        assertThat(mapped("libdrey_shim")).as("shims of class loaders that are gone").isEmpty();
        assertThat(shimFiles()).as("files of shims").isEmpty();
        visit(temp, ++count);
        assertThat(counted("greeting", "open"))
                .as("functions that nobody closed, but for this guest's: %s", stats)
                .isEqualTo(1);
        assertThat(counted("process_json", "open"))
                .as("functions of processJson that are open, all of them this guest's: %s", stats)
                .isBetween(1L, (long) Guest.THREADS);
    }

    private void round() throws Exception {
        List<WeakReference<ClassLoader>> visited = new ArrayList<>();
        for (int i = 0; i < ROUND; i++) {
            visited.add(visit(temp, ++count));
        }
        collect(visited);
    }

    private void atOnce() throws Exception {
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failed = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 8; i++) {
            Thread thread =
                    new Thread(
                            () -> {
                                try (URLClassLoader loader =
                                        new URLClassLoader(
                                                classPath, ClassLoader.getPlatformClassLoader())) {
                                    run(loader, temp);
                                } catch (Throwable e) {
                                    failed.add(e);
                                }
                            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        count += threads.size();
        assertThat(failed).isEmpty();
        assertThat(mapped("libgo_udf.so")).hasSize(1);
    }

    private void anotherFolder() throws Exception {
        Path other = Files.createDirectory(temp.resolve("other"));
        visit(other, ++count);
        assertThat(mapped("libgo_udf.so")).as("the build is loaded already").hasSize(1);
        assertThat(filesBelow(other)).noneMatch(name -> name.endsWith("libgo_udf.so"));
    }

    /** As when something cleans up the temporary folder of a TaskManager that runs for weeks. */
    private void fileGone() throws Exception {
        for (Path file : paths(temp)) {
            if (file.endsWith("libgo_udf.so")) {
                Files.delete(file);
            }
        }
        visit(temp, ++count);
        assertThat(mapped("libgo_udf.so")).hasSize(1);
    }

    /** A job whose GoUDFProxy is its own, and whose classes of Drey are those of its parent. */
    private static final class Proxy extends URLClassLoader {
        Proxy(ClassLoader parent, URL... own) {
            super(own, parent);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.equals("GoUDFProxy") || findLoadedClass(name) != null) {
                return super.loadClass(name, resolve);
            }
            try (InputStream in = getResourceAsStream(name + ".class")) {
                byte[] code = in.readAllBytes();
                return defineClass(name, code, 0, code.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }

        @Override
        public URL getResource(String name) {
            URL own = findResource(name);
            return own != null ? own : super.getResource(name);
        }

        String processJson(String event) throws Exception {
            Method method = loadClass("GoUDFProxy").getMethod("processJson", String.class);
            return (String) method.invoke(null, event);
        }
    }

    /** As with {@code dev.drey.} among the parent-first patterns and the jar in {@code lib/}. */
    private void sharedClasses() throws Exception {
        System.setProperty("drey.udf.library-dir", temp.toString());
        try (URLClassLoader parent =
                        new URLClassLoader(classPath, ClassLoader.getPlatformClassLoader());
                Proxy first = new Proxy(parent)) {
            assertThat(first.processJson("[1]")).isEqualTo("[1]");
            List<Throwable> failed = Collections.synchronizedList(new ArrayList<>());
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                Thread thread =
                        new Thread(
                                () -> {
                                    try {
                                        for (int i = 0; i < 500; i++) {
                                            assertThat(first.processJson("[1]")).isEqualTo("[1]");
                                        }
                                    } catch (Throwable e) {
                                        failed.add(e);
                                    }
                                });
                threads.add(thread);
                thread.start();
            }
            for (int i = 0; i < LOADERS; i++) {
                try (Proxy other = new Proxy(parent)) {
                    assertThat(other.processJson("[2]")).isEqualTo("[2]");
                }
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failed).isEmpty();
        } finally {
            System.clearProperty("drey.udf.library-dir");
        }
    }

    private void anotherBuildInSharedClasses() throws Exception {
        System.setProperty("drey.udf.library-dir", temp.toString());
        try (URLClassLoader parent =
                        new URLClassLoader(classPath, ClassLoader.getPlatformClassLoader());
                Proxy first = new Proxy(parent);
                Proxy second = new Proxy(parent, otherBuild)) {
            assertThat(first.processJson("[1]")).isEqualTo("[1]");
            assertThatThrownBy(() -> second.processJson("[1]"))
                    .hasStackTraceContaining("GoLibraryException")
                    .hasStackTraceContaining("dev.drey.;GoUDFProxy");
            assertThat(first.processJson("[3]")).isEqualTo("[3]");
        } finally {
            System.clearProperty("drey.udf.library-dir");
        }
    }

    /**
     * Waits until nothing holds the class loaders; what the JVM is compiling holds one until it is
     * done.
     */
    private static void collect(List<WeakReference<ClassLoader>> visited) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (held(visited) > 0 && System.nanoTime() < deadline) {
            System.gc();
            System.runFinalization();
        }
        assertThat(held(visited)).as("class loaders that something holds").isZero();
        // The JVM unmaps a shim in a thread of its own, some time after its class loader went.
        while (!mapped("libdrey_shim").isEmpty() && System.nanoTime() < deadline) {
            Thread.yield();
        }
    }

    private static long held(List<WeakReference<ClassLoader>> visited) {
        return visited.stream().filter(loader -> loader.get() != null).count();
    }

    private static List<String> mapped(String name) throws IOException {
        return Files.readAllLines(Paths.get("/proc/self/maps")).stream()
                .filter(line -> line.contains(name))
                .map(line -> line.substring(line.indexOf('/')))
                .distinct()
                .collect(Collectors.toList());
    }

    private static int threads() throws IOException {
        try (Stream<Path> tasks = Files.list(Paths.get("/proc/self/task"))) {
            return (int) tasks.count();
        }
    }

    private static long residentKilobytes() throws IOException {
        return Files.readAllLines(Paths.get("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .sum();
    }

    private List<String> shimFiles() throws IOException {
        return filesBelow(temp).stream()
                .filter(name -> name.contains("libdrey_shim"))
                .collect(Collectors.toList());
    }

    private static List<String> filesBelow(Path folder) throws IOException {
        return paths(folder).stream().map(Path::toString).collect(Collectors.toList());
    }

    private static List<Path> paths(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).collect(Collectors.toList());
        }
    }
}
