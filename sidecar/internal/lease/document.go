package lease

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// document is the object: JSON, at most maxDocument bytes. Unknown members are passed over.
type document struct {
	Version  int    `json:"version"`
	Owner    string `json:"owner"`              // for people
	Fence    uint64 `json:"fence"`              // from 1, higher with each holder
	TTL      int64  `json:"ttl_ms"`             // the holder's; it is respected for no less
	Holder   string `json:"holder"`             // by which a contender knows its own
	Nonce    string `json:"nonce"`              // makes each write another version, also to stores whose ETag is a hash
	Released bool   `json:"released,omitempty"` // its holder has ended: nobody needs to wait
}

const (
	documentVersion = 1
	maxDocument     = 64 << 10 // far more than one has
	maxTTL          = 24 * time.Hour
)

func (d document) ttl() time.Duration { return time.Duration(d.TTL) * time.Millisecond }

// parse refuses what no contender can have written, such as a TTL for which nobody would wait.
func parse(text []byte) (document, error) {
	if len(text) > maxDocument {
		return document{}, fmt.Errorf("more than %d bytes", maxDocument)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return document{}, err
	}
	switch {
	case d.Version != documentVersion:
		return document{}, fmt.Errorf("version %d", d.Version)
	case d.Fence == 0 || d.Fence > math.MaxInt64, d.Holder == "", d.Nonce == "":
		return document{}, errors.New("no fencing number, holder or nonce")
	case d.TTL < 0 || d.TTL > maxTTL.Milliseconds():
		return document{}, fmt.Errorf("a TTL of %d ms", d.TTL)
	}
	return d, nil
}

// held is a lease that was just written.
type held struct {
	document

	etag  string
	until time.Time // by this process's clock: from then on others may believe that it is free
}

// patience is how long one request may take. If its answer never comes, and none to reading it
// back, there is time for another attempt within the TTL.
func (l *Lease) patience() time.Duration { return l.config.TTL / 5 }

// write makes the object, if etag is empty, or replaces the version with that etag. A write that may have happened, or not, is
// read back.
func (l *Lease) write(ctx context.Context, d document, etag string) (held, error) {
	d.Version, d.Owner, d.TTL, d.Nonce = documentVersion, l.config.Owner, l.config.TTL.Milliseconds(), rand.Text()
	body, err := json.Marshal(d)
	if err != nil {
		return held{}, err
	}
	h := held{document: d, until: time.Now().Add(l.config.TTL)} // before it is sent: others see it later than that
	asking, cancel := context.WithTimeout(ctx, l.patience())
	defer cancel()
	var o snapshot.Object
	if etag == "" {
		o, err = l.store.Create(asking, l.key, bytes.NewReader(body), int64(len(body)))
	} else {
		o, err = l.store.Replace(asking, l.key, body, etag)
	}
	l.asked(err)
	h.etag = o.ETag
	if err != nil && ctx.Err() == nil && snapshot.Unsure(err) {
		if found, etag, readErr := l.read(ctx); readErr == nil && found.Nonce == d.Nonce {
			h.etag, err = etag, nil
		}
	}
	if err != nil {
		return held{}, err
	}
	return h, nil
}

// read answers with the object and its version.
func (l *Lease) read(ctx context.Context) (document, string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience())
	defer cancel()
	text, etag, err := l.fetch(ctx)
	l.asked(err)
	if err != nil {
		return document{}, "", err
	}
	d, err := parse(text)
	if err != nil {
		// No error of the store: waiting for it heals nothing.
		return document{}, "", &snapshot.Error{
			Op: "read", Where: "lease", Key: l.key, Kind: snapshot.ErrInvalid, Err: fmt.Errorf("it is no lease of this version of drey: %w", err),
			Hint: "name another object, or delete it if no other sidecar uses it",
		}
	}
	return d, etag, nil
}

func (l *Lease) fetch(ctx context.Context) ([]byte, string, error) {
	body, o, err := l.store.Open(ctx, l.key, snapshot.Whole())
	if err != nil {
		return nil, "", err
	}
	defer body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	return text, o.ETag, err
}
