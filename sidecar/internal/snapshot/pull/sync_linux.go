package pull

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// startWriting has the kernel begin to write a file to the disk, and does not wait. File systems that cannot are told by sync.
func startWriting(f *os.File) error {
	err := unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ESPIPE) {
		return nil
	}
	return err
}
