// Package webhook tells others of what has happened: a document is posted to each URL, again until it is taken, for a while.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Config says who is told.
type Config struct {
	URLs       []string // http or https
	SecretFile string   // read each time; empty = not signed
	Attempts   int      // at most, for each URL
	FirstWait  time.Duration
	Queue      int // documents that wait, at most; more are dropped and counted
}

// DefaultConfig tries for about half an hour.
func DefaultConfig() Config { return Config{Attempts: 12, FirstWait: time.Second, Queue: 1000} }

// Validate says what is wrong with the URLs.
func (c Config) Validate() error {
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("webhooks: %q, must be like https://host/path", text)
		}
	}
	return nil
}

// Sender delivers documents in the order in which they were given, at least once each. It is safe for concurrent use.
type Sender struct {
	config  Config
	log     *slog.Logger
	client  *http.Client
	queue   chan document
	dropped atomic.Int64
}

type document struct {
	id   string
	body []byte
	done func()
}

// New returns a sender; Run does the work.
func New(c Config, log *slog.Logger) *Sender {
	return &Sender{config: c, log: log, queue: make(chan document, c.Queue), client: &http.Client{
		Timeout: 10 * time.Second,
		// Where it leads is somebody else's choice.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send gives it a document; done is called when it was taken by all, or given up. The id is the same if it is given again after a crash:
// receivers should take each once. It never waits.
func (s *Sender) Send(id string, body []byte, done func()) {
	if len(s.config.URLs) == 0 {
		done()
		return
	}
	select {
	case s.queue <- document{id, body, done}:
	default:
		s.dropped.Add(1)
		s.log.Error("too many webhooks wait, one was dropped", "id", id)
	}
}

// Dropped is how many did not find room.
func (s *Sender) Dropped() int64 { return s.dropped.Load() }

// Run delivers until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-s.queue:
			for _, to := range s.config.URLs {
				s.deliver(ctx, to, d)
			}
			if ctx.Err() == nil {
				d.done()
			}
		}
	}
}

func (s *Sender) deliver(ctx context.Context, to string, d document) {
	wait := s.config.FirstWait
	for attempt := 1; ; attempt++ {
		again, err := s.post(ctx, to, d)
		if err == nil || ctx.Err() != nil {
			return
		}
		if !again || attempt == s.config.Attempts {
			s.log.Error("a webhook was not taken", "url", to, "id", d.id, "attempts", attempt, "error", err)
			return
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, 5*time.Minute)
	}
}

// post sends it once; again says whether another try may help.
func (s *Sender) post(ctx context.Context, to string, d document) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Drey-Event", d.id)
	if s.config.SecretFile != "" {
		secret, err := os.ReadFile(s.config.SecretFile)
		if err != nil {
			return true, err
		}
		now := strconv.FormatInt(time.Now().Unix(), 10)
		request.Header.Set("X-Drey-Timestamp", now)
		request.Header.Set("X-Drey-Signature", Sign(strings.TrimSpace(string(secret)), now, d.body))
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return true, err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 == 2 {
		return false, nil
	}
	again = answer.StatusCode/100 == 5 || answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout
	return again, fmt.Errorf("answered %s", answer.Status)
}

// Sign is what X-Drey-Signature holds: HMAC-SHA256, in hex, of the timestamp, a dot and the body.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
