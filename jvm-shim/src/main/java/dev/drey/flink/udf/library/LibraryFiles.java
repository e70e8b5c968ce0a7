package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoLibraryException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.EnumSet;
import java.util.Map;

/**
 * The folder with unpacked native libraries: {@code
 * <library-dir>/drey-<uid>/<sha256>/libgo_udf.so}. It belongs to this user alone, which is checked
 * each time, since the folder above it usually belongs to everybody. A library is published by a
 * rename, so that any number of processes may unpack at once and none sees half a file; it is never
 * deleted, since a running process may map it.
 */
final class LibraryFiles {
    static final String LIBRARY = "libgo_udf.so";

    private static final LinkOption[] NO_LINKS = {LinkOption.NOFOLLOW_LINKS};
    private static final int OTHERS = 077;
    private static final int OTHERS_WRITE = 022;
    private static final int BUFFER = 1 << 16;

    private final Path libraryDir;
    private final int uid;

    LibraryFiles(Path libraryDir, int uid) {
        this.libraryDir = libraryDir.toAbsolutePath();
        this.uid = uid;
    }

    /** The user of this process. */
    static int uid() {
        try {
            return (Integer) Files.getAttribute(Paths.get("/proc/self"), "unix:uid");
        } catch (IOException | UnsupportedOperationException e) {
            throw new GoLibraryException("cannot tell the user of this process; mount /proc", e);
        }
    }

    /** Where the library with that hash is, or will be. */
    Path library(String sha256) {
        return folder().resolve(sha256).resolve(LIBRARY);
    }

    /**
     * A name that no other process and no other class loader takes: they all have the clock in
     * common, and a file is only made if it is not there. Random names would be slower to start.
     */
    private static String ownName() {
        return ProcessHandle.current().pid() + "-" + System.nanoTime();
    }

    private Path folder() {
        return libraryDir.resolve("drey-" + uid);
    }

    /** A resource of a jar and the SHA-256 that the jar says it has. */
    static final class Resource {
        private final ClassLoader loader;
        private final String name;
        private final String sha256;

        Resource(ClassLoader loader, String name, String sha256) {
            this.loader = loader;
            this.name = name;
            this.sha256 = sha256;
        }

        String sha256() {
            return sha256;
        }

        private InputStream open() throws IOException {
            InputStream in = loader.getResourceAsStream(name);
            if (in == null) {
                throw new GoLibraryException(
                        "the jar has no "
                                + name
                                + " though its list of libraries names it; build it again with"
                                + " go-udf-builder build");
            }
            return in;
        }
    }

    /** Unpacks the Go library unless it is there, and checks it. */
    Path unpack(Resource resource) {
        Path library = library(resource.sha256());
        try {
            makeOwn(libraryDir, folder());
            makeOwn(folder(), library.getParent());
            if (Files.exists(library, NO_LINKS)) {
                check(library, resource.sha256());
            } else {
                Path temp = library.resolveSibling(LIBRARY + "." + ownName());
                try {
                    write(resource, temp);
                    Files.move(temp, library, StandardCopyOption.ATOMIC_MOVE);
                    sync(library);
                } finally {
                    Files.deleteIfExists(temp);
                }
            }
            return library;
        } catch (IOException e) {
            throw cannotWrite(e);
        }
    }

    /** Writes the shim under a name of its own, for one class loader. */
    Path unpackShim(Resource resource) {
        try {
            makeOwn(libraryDir, folder());
            Path shim = folder().resolve("libdrey_shim." + ownName() + ".so");
            try {
                write(resource, shim);
            } catch (IOException | RuntimeException e) {
                Files.deleteIfExists(shim);
                throw e;
            }
            return shim;
        } catch (IOException e) {
            throw cannotWrite(e);
        }
    }

    private GoLibraryException cannotWrite(IOException e) {
        return new GoLibraryException(
                "cannot unpack the Go library below "
                        + libraryDir
                        + " ("
                        + e
                        + "); let this process write there, or set drey.udf.library-dir to a folder"
                        + " where it may write and execute",
                e);
    }

    /** Makes a folder for this user alone, or checks that the one that is there is such a one. */
    private void makeOwn(Path parent, Path folder) throws IOException {
        try {
            FileAttribute<?> own =
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------"));
            Files.createDirectory(folder, own);
        } catch (FileAlreadyExistsException e) {
            Map<String, Object> is =
                    Files.readAttributes(folder, "unix:uid,mode,isDirectory", NO_LINKS);
            int mode = (Integer) is.get("mode");
            if (!(Boolean) is.get("isDirectory")
                    || (Integer) is.get("uid") != uid
                    || (mode & OTHERS) != 0) {
                throw new GoLibraryException(
                        folder
                                + " is not a folder of user "
                                + uid
                                + " alone (owner "
                                + is.get("uid")
                                + ", mode "
                                + Integer.toOctalString(mode)
                                + "): somebody else could put a library there; remove it, or set"
                                + " drey.udf.library-dir to another folder");
            }
        } catch (NoSuchFileException e) {
            throw new GoLibraryException(
                    "the folder "
                            + parent
                            + " does not exist; make it, or set drey.udf.library-dir to one that"
                            + " does",
                    e);
        }
    }

    /**
     * Puts a library on the disk, so that a power cut soon after leaves nothing under its name that
     * fails the check at the next start. Nobody waits for it: a disk that others write to as well
     * can take longer than all the rest of a load.
     */
    private static void sync(Path library) {
        Thread thread =
                new Thread("drey-sync-library") {
                    @Override
                    public void run() {
                        try (FileChannel channel =
                                FileChannel.open(library, StandardOpenOption.READ)) {
                            channel.force(false);
                        } catch (IOException e) {
                            // The operating system writes it a little later.
                        }
                    }
                };
        thread.setDaemon(true);
        thread.start();
    }

    private static void write(Resource resource, Path to) throws IOException {
        MessageDigest digest = sha256();
        FileAttribute<?> own =
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
        try (InputStream in = resource.open();
                FileChannel channel =
                        FileChannel.open(
                                to,
                                EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                                own);
                OutputStream out = Channels.newOutputStream(channel)) {
            byte[] buffer = new byte[BUFFER];
            int n;
            while ((n = in.read(buffer)) >= 0) {
                digest.update(buffer, 0, n);
                out.write(buffer, 0, n);
            }
        }
        String got = hex(digest.digest());
        if (!got.equals(resource.sha256)) {
            throw new GoLibraryException(
                    resource.name
                            + " in the jar has the SHA-256 "
                            + got
                            + ", and the jar says "
                            + resource.sha256
                            + ": the jar was changed after it was built; get it again, or build it"
                            + " with go-udf-builder build");
        }
    }

    private void check(Path library, String want) throws IOException {
        Map<String, Object> is =
                Files.readAttributes(library, "unix:uid,mode,isRegularFile", NO_LINKS);
        MessageDigest digest = sha256();
        String got = "none";
        if ((Boolean) is.get("isRegularFile")) {
            try (FileChannel in =
                    FileChannel.open(library, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)) {
                ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
                while (in.read(buffer.clear()) >= 0) {
                    digest.update(buffer.flip());
                }
            }
            got = hex(digest.digest());
        }
        if (!got.equals(want)
                || (Integer) is.get("uid") != uid
                || ((Integer) is.get("mode") & OTHERS_WRITE) != 0) {
            throw new GoLibraryException(
                    library
                            + " was changed after it was unpacked (SHA-256 "
                            + got
                            + ", mode "
                            + Integer.toOctalString((Integer) is.get("mode"))
                            + "): find out who could write there, then remove "
                            + library.getParent()
                            + " and start again; it is unpacked anew");
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder hex = new StringBuilder(2 * bytes.length);
        for (byte b : bytes) {
            hex.append(Character.forDigit((b >> 4) & 15, 16))
                    .append(Character.forDigit(b & 15, 16));
        }
        return hex.toString();
    }
}
