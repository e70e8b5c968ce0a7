package snapshottest

import (
	"fmt"
	"syscall"
	"testing"
)

// SmallFS returns a folder in which only so many bytes find room: a real file system that fills up.
func SmallFS(t *testing.T, size int64) string {
	t.Helper()
	return mount(t, 0, fmt.Sprintf("size=%d", size))
}

// ReadOnly makes a folder of SmallFS read-only, for root too.
func ReadOnly(t *testing.T, folder string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

func mount(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, options); err != nil {
		t.Skipf("a file system of its own needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}
