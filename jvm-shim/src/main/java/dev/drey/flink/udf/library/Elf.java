package dev.drey.flink.udf.library;

import dev.drey.flink.udf.GoLibraryException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Looks at the header of a shared library: the dynamic linker's own words name no architecture. */
final class Elf {
    private static final int HEADER = 20;
    private static final int MACHINE = 18; // e_machine, a u16 in the byte order of the file
    private static final int AMD64 = 62;
    private static final int ARM64 = 183;

    private Elf() {}

    /**
     * @throws GoLibraryException the file is no library for that platform
     */
    static void check(Path library, String platform) {
        byte[] header;
        try (InputStream in = Files.newInputStream(library)) {
            header = in.readNBytes(HEADER);
        } catch (IOException e) {
            throw new GoLibraryException("cannot read " + library, e);
        }
        String is = "no ELF file";
        if (header.length == HEADER && header[0] == 0x7f && header[1] == 'E' && header[2] == 'L') {
            int machine = (header[MACHINE] & 0xff) | (header[MACHINE + 1] & 0xff) << 8;
            is =
                    machine == AMD64
                            ? "linux-amd64"
                            : machine == ARM64 ? "linux-arm64" : "for ELF machine " + machine;
        }
        if (!is.equals(platform)) {
            throw new GoLibraryException(
                    "the Go library that the jar has for "
                            + platform
                            + " is "
                            + is
                            + "; build the jar again with go-udf-builder build --platform "
                            + platform.replace('-', '/')
                            + ", or "
                            + Machine.USE_THE_SIDECAR);
        }
    }
}
