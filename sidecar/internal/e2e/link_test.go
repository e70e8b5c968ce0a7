package e2e

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// link is a network between a process and a server, which can be cut, with a word or in silence, and made slow.
type link struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	cut    bool
	silent chan struct{} // closed when bytes flow again; nil while they do
	delay  time.Duration // of each piece of an answer
	open   map[net.Conn]bool
	copies sync.WaitGroup
}

func newLink(t *testing.T, target string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, target: target, open: map[net.Conn]bool{}}
	l.copies.Go(l.accept)
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		l.set(true, 0)
		l.copies.Wait()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

// set cuts the link or heals it. A cut ends what is open, and who connects is hung up on.
func (l *link) set(cut bool, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.speak()
	l.cut, l.delay = cut, delay
	if cut {
		for conn := range l.open {
			_ = conn.Close() // it may be closed already
		}
	}
}

// silence stops all bytes in both directions, and tells nobody: as when a cable is pulled. set ends it, and what was on its way arrives.
func (l *link) silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent == nil {
		l.silent = make(chan struct{})
	}
}

// speak ends a silence. It is called with mu held.
func (l *link) speak() {
	if l.silent != nil {
		close(l.silent)
		l.silent = nil
	}
}

// quiet is what to wait for before bytes flow, nil if they do.
func (l *link) quiet() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.silent
}

func (l *link) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.DialTimeout("tcp", l.target, time.Second)
		l.mu.Lock()
		if err != nil || l.cut {
			l.mu.Unlock()
			_ = conn.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		l.open[conn], l.open[server] = true, true
		l.mu.Unlock()
		l.copies.Go(func() { l.carry(server, conn, false) })
		l.copies.Go(func() { l.carry(conn, server, true) })
	}
}

// carry copies until one of both ends.
func (l *link) carry(to, from net.Conn, slow bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		delay := l.delay
		l.mu.Unlock()
		if slow && delay > 0 {
			time.Sleep(delay)
		}
		if quiet := l.quiet(); quiet != nil {
			<-quiet // whoever closes its end is heard of later, too
		}
		if _, writeErr := to.Write(buffer[:n]); writeErr != nil || err != nil {
			if half, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) && writeErr == nil {
				_ = half.CloseWrite()
			} else {
				_ = to.Close()
				_ = from.Close()
			}
			break
		}
	}
	l.mu.Lock()
	delete(l.open, from)
	l.mu.Unlock()
}
