package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// listen opens the listener of a section of the configuration: host:port or unix:/path. Its error names the key and what
// to do about it.
func listen(section, addr string) (net.Listener, error) {
	var l net.Listener
	var err error
	if path, unix := strings.CutPrefix(addr, "unix:"); unix {
		l, err = listenUnix(path)
	} else {
		l, err = net.Listen("tcp", addr)
	}
	if err == nil {
		return l, nil
	}
	var op *net.OpError
	cause := err
	if errors.As(err, &op) {
		cause = op.Err
	}
	return nil, fmt.Errorf("%s.addr %s: %w%s", section, addr, cause, advice(section, err))
}

func advice(section string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf(": end the program that listens there, or choose another address with --%s-addr (port 0 = any free port)", section)
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf(": choose an address that this user may use with --%s-addr", section)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf(": this machine has no such address; choose another with --%s-addr", section)
	default:
		return ""
	}
}

// listenUnix listens on a socket that only this user can reach. A socket that nobody listens on, left by a crash, is
// replaced; anything else that stands there is not ours to remove.
func listenUnix(path string) (net.Listener, error) {
	const longest = 107 // sun_path of Linux, less its final zero; the kernel only says "invalid argument"
	if len(path) > longest {
		return nil, fmt.Errorf("the path has %d bytes, the system allows %d: choose a shorter one", len(path), longest)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, errors.New("there is a file that is no socket: remove it or choose another path")
	default:
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			conn.Close()
			return nil, syscall.EADDRINUSE
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket of an earlier run: %w", err)
		}
	}
	// On Linux the mode of an unbound socket becomes that of its file, so there is no moment at which others could
	// connect. Elsewhere Chmod closes the gap.
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	l, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// address is a bound address as a caller writes it.
func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}
