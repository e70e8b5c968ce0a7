package snapshottest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// Always has every request fail.
func Always(fault Fault) Script { return func(int, *http.Request) Fault { return fault } }

// First has the first n requests of a method fail.
func First(n int32, method string, fault Fault) Script {
	var seen atomic.Int32
	return func(_ int, r *http.Request) Fault {
		if r.Method == method && seen.Add(1) <= n {
			return fault
		}
		return nil
	}
}

// Pass changes nothing.
func Pass(p *Proxy, w http.ResponseWriter, r *http.Request) { p.pass(w, r, same, equal) }

// Refuse answers with one of S3's errors.
func Refuse(status int, code string) Fault {
	return func(_ *Proxy, w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // not asked for
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>by script</Message></Error>`, code) //nolint:errcheck // a test
		}
	}
}

// Reset ends the connection with an RST after so many bytes of the body. Those arrived, or not.
func Reset(after int64) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		from := p.forward(r)
		defer from.Body.Close() //nolint:errcheck // read as far as it goes
		head(w, from, from.ContentLength)
		n, _ := io.CopyN(w, from.Body, after) //nolint:errcheck // shorter bodies are cut at their end
		p.count(n)
		control := http.NewResponseController(w)
		control.Flush() //nolint:errcheck // the connection ends anyway
		conn, _, err := control.Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) //nolint:errcheck // an RST instead of a FIN
		}
		conn.Close() //nolint:errcheck // that is the fault
	}
}

// Cut ends the connection after so many bytes of the body, all of which arrive.
func Cut(after int64) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		from := p.forward(r)
		defer from.Body.Close() //nolint:errcheck // read as far as it goes
		head(w, from, from.ContentLength)
		n, _ := io.CopyN(w, from.Body, after) //nolint:errcheck // shorter bodies are cut at their end
		p.count(n)
		http.NewResponseController(w).Flush() //nolint:errcheck // the connection ends anyway
		panic(http.ErrAbortHandler)
	}
}

// Lose lets the server do it and ends the connection before the answer.
func Lose(p *Proxy, _ http.ResponseWriter, r *http.Request) {
	from := p.forward(r)
	io.Copy(io.Discard, from.Body) //nolint:errcheck // nobody gets it
	from.Body.Close()              //nolint:errcheck // likewise
	panic(http.ErrAbortHandler)
}

// Truncate answers with so many bytes and says that this is all.
func Truncate(to int64) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		p.pass(w, r, func(r io.Reader) io.Reader { return io.LimitReader(r, to) }, func(n int64) int64 { return min(n, to) })
	}
}

// Stall sends so many bytes and then nothing until the client gives up.
func Stall(after int64) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		p.pass(w, r, func(body io.Reader) io.Reader {
			return io.MultiReader(io.LimitReader(body, after), waiting{p, w, r})
		}, equal)
	}
}

type waiting struct {
	p *Proxy
	w http.ResponseWriter
	r *http.Request
}

func (s waiting) Read([]byte) (int, error) {
	http.NewResponseController(s.w).Flush() //nolint:errcheck // then the client is gone
	select {
	case <-s.r.Context().Done():
	case <-s.p.ended: // net/http does not always see that the client is gone
	}
	return 0, io.ErrUnexpectedEOF
}

// Corrupt changes one byte.
func Corrupt(at int64) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		p.pass(w, r, func(body io.Reader) io.Reader {
			data, err := io.ReadAll(body)
			if err != nil || at >= int64(len(data)) {
				return bytes.NewReader(data)
			}
			data[at] ^= 1
			return bytes.NewReader(data)
		}, equal)
	}
}

// Redirect sends the client elsewhere.
func Redirect(status int, to string) Fault {
	return func(_ *Proxy, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.Header().Set("x-amz-bucket-region", "us-west-2")
		w.WriteHeader(status)
	}
}

// Do runs f, then passes the request.
func Do(f func()) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request) {
		f()
		Pass(p, w, r)
	}
}
