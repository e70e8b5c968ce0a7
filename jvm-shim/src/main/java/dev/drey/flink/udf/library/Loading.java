package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoLibraryException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** One build on its way into this process: the checks and steps of a load, in their order. */
final class Loading {
    /**
     * Guards what is of the process and not of a class loader: which Go libraries are mapped, and
     * how many. An interned string is the one object that all class loaders share.
     */
    private static final Object PROCESS = "dev.drey.flink.udf.library.Loading".intern();

    /** Whether the class loader of this class has its shim; guarded by PROCESS. */
    private static boolean shimLoaded;

    private final ClassLoader loader;
    private final String build;
    private final LibrarySettings settings;

    Loading(ClassLoader loader, String build, LibrarySettings settings) {
        this.loader = loader;
        this.build = build;
        this.settings = settings;
    }

    GoLibrary run() {
        synchronized (PROCESS) {
            Machine machine = Machine.current();
            machine.check();
            LibraryList list = new LibraryList(loader, build);
            list.checkAbi();
            LibraryFiles files = new LibraryFiles(settings.libraryDir(), LibraryFiles.uid());
            String platform = machine.platform();
            LibraryFiles.Resource resource = list.library(platform);
            LibraryFiles.Resource shim = list.shim(platform);

            Path path = mapped(machine, resource.sha256());
            if (path == null) {
                checkLimit(machine);
                path = files.unpack(resource);
                Elf.check(path, platform);
            }
            loadShim(files, shim);
            if (Native.isDefined(terminated("JVM_begin_signal_setting"))) {
                throw Machine.signalChaining("its functions are in this process");
            }
            long library = load(path);
            checkAbi(library);
            return GoLibrary.start(library, build, request());
        }
    }

    /**
     * Where the library is already mapped, perhaps from another library folder, or null. Its file
     * may be gone: the dynamic linker knows it by this name.
     */
    private static Path mapped(Machine machine, String sha256) {
        for (Path path : machine.mapped(LibraryFiles.LIBRARY)) {
            if (path.getParent().endsWith(sha256)) {
                return path;
            }
        }
        return null;
    }

    private void checkLimit(Machine machine) {
        Set<Path> runtimes = machine.mapped(LibraryFiles.LIBRARY);
        if (runtimes.size() >= settings.maxRuntimes()) {
            throw new GoLibraryException(
                    "this process already holds "
                            + runtimes.size()
                            + " Go libraries, as many as drey.udf.max-runtimes allows, and Go cannot"
                            + " be unloaded; restart the TaskManager to free them, build the"
                            + " functions of several jars into one, or raise drey.udf.max-runtimes");
        }
    }

    private static void loadShim(LibraryFiles files, LibraryFiles.Resource resource) {
        if (shimLoaded) {
            return;
        }
        Path shim = files.unpackShim(resource);
        try {
            System.load(shim.toString());
            shimLoaded = true;
        } catch (UnsatisfiedLinkError | NoSuchMethodError e) {
            throw explained(shim, e);
        } finally {
            shim.toFile().delete(); // it stays mapped; if it cannot be deleted it is only litter
        }
    }

    private static long load(Path path) {
        try {
            return Native.load(terminated(path.toString()));
        } catch (UnsatisfiedLinkError e) {
            throw explained(path, e);
        }
    }

    private static byte[] terminated(String text) {
        return (text + '\0').getBytes(StandardCharsets.UTF_8);
    }

    private static GoLibraryException explained(Path path, LinkageError e) {
        String words = String.valueOf(e.getMessage());
        String advice = "see the cause";
        if (words.contains("failed to map segment")) {
            advice =
                    "the file system is probably mounted noexec; set drey.udf.library-dir to a"
                            + " folder on another one";
        } else if (words.contains("static TLS")) {
            advice =
                    "too many native libraries in this process; restart the TaskManager, or start it"
                            + " with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=8192";
        } else if (words.contains("GLIBC_")) {
            advice =
                    "this machine's glibc is older than the one it was built with; build the jar on"
                            + " an older distribution, or "
                            + Machine.USE_THE_SIDECAR;
        } else if (words.contains("protocol") || e instanceof NoSuchMethodError) {
            advice = "two versions of Drey are on the class path; leave one of them";
        }
        return new GoLibraryException("cannot load " + path + ": " + words + "; " + advice, e);
    }

    private void checkAbi(long library) {
        int abi = Native.abi(library);
        if (abi >>> 16 != Native.ABI_MAJOR) {
            throw LibraryList.otherAbi(build, (abi >>> 16) + "." + (abi & 0xffff));
        }
    }

    private Map<String, String> request() {
        Map<String, String> request = new LinkedHashMap<>();
        if (settings.gomaxprocs() > 0) {
            request.put("gomaxprocs", Integer.toString(settings.gomaxprocs()));
        }
        if (settings.memoryLimit() > 0) {
            request.put("memory_limit", Long.toString(settings.memoryLimit()));
        }
        if (settings.gogc() != null) {
            request.put("gogc", settings.gogc());
        }
        // Only a process that dies leaves its file. The JVM keeps the name, and nothing of this
        // class.
        if (settings.crashDir() != null) {
            request.put("crash_file", crashFile(settings.crashDir()));
        } else if (settings.logDir() != null && Files.isDirectory(settings.logDir())) {
            request.put("crash_file_if_possible", crashFile(settings.logDir()));
        }
        return request;
    }

    private String crashFile(Path folder) {
        String name = "drey-crash-" + ProcessHandle.current().pid() + "-" + build + ".log";
        Path file = folder.resolve(name).toAbsolutePath();
        file.toFile().deleteOnExit();
        return file.toString();
    }
}
