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
	"sync"
	"sync/atomic"
	"time"
)

// Config says who is told.
type Config struct {
	URLs       []string // http or https
	SecretFile string   // read each time; empty = not signed
	Attempts   int      // at most, for each URL
	FirstWait  time.Duration
	Queue      int // documents that wait for each URL, at most; more are dropped and counted
}

// DefaultConfig tries for about a quarter of an hour.
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

// Sender delivers documents to each URL in the order in which they were given, at least once each; URLs do not wait for one another.
// It is safe for concurrent use.
type Sender struct {
	config  Config
	log     *slog.Logger
	client  *http.Client
	queues  []chan *document // of the URLs
	dropped atomic.Int64
}

type document struct {
	id   string
	body []byte
	left atomic.Int64 // URLs that have not taken it
	done func()
}

// settle notes that a URL has taken it, or will never.
func (d *document) settle() {
	if d.left.Add(-1) == 0 {
		d.done()
	}
}

// New returns a sender; Run does the work.
func New(c Config, log *slog.Logger) *Sender {
	s := &Sender{config: c, log: log, client: &http.Client{
		Timeout: 10 * time.Second,
		// Where it leads is somebody else's choice.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for range c.URLs {
		s.queues = append(s.queues, make(chan *document, c.Queue))
	}
	return s
}

// Send gives it a document; done is called when every URL has taken it, or refused it for good (4xx). It is not called if one was given up or
// dropped: give it again at the next start. The id is the same then: receivers should take each once. Send never waits.
func (s *Sender) Send(id string, body []byte, done func()) {
	if len(s.queues) == 0 {
		done()
		return
	}
	d := &document{id: id, body: body, done: done}
	d.left.Store(int64(len(s.queues)))
	for i, queue := range s.queues {
		select {
		case queue <- d:
		default:
			s.dropped.Add(1)
			s.log.Error("too many webhooks wait, one was dropped", "id", id, "url", s.config.URLs[i])
		}
	}
}

// Dropped is how many did not find room.
func (s *Sender) Dropped() int64 { return s.dropped.Load() }

// Run delivers until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	var urls sync.WaitGroup
	for i, queue := range s.queues {
		urls.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case d := <-queue:
					if s.deliver(ctx, s.config.URLs[i], d) {
						d.settle()
					}
				}
			}
		})
	}
	urls.Wait()
}

// deliver says whether nobody has to send it there any more.
func (s *Sender) deliver(ctx context.Context, to string, d *document) (settled bool) {
	wait := s.config.FirstWait
	for attempt := 1; ; attempt++ {
		refused, again, err := s.post(ctx, to, d)
		if err == nil || ctx.Err() != nil {
			return err == nil
		}
		if !again || attempt == s.config.Attempts {
			s.log.Error("a webhook was not taken", "url", to, "id", d.id, "attempts", attempt, "error", err)
			return refused
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		case <-ctx.Done():
			return false
		}
		wait = min(2*wait, 5*time.Minute)
	}
}

// post sends it once; refused says that the receiver does not want it, again whether another try may help.
func (s *Sender) post(ctx context.Context, to string, d *document) (refused, again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.body))
	if err != nil {
		return false, false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Drey-Event", d.id)
	if s.config.SecretFile != "" {
		secret, err := os.ReadFile(s.config.SecretFile)
		if err != nil {
			return false, true, err
		}
		now := strconv.FormatInt(time.Now().Unix(), 10)
		request.Header.Set("X-Drey-Timestamp", now)
		request.Header.Set("X-Drey-Signature", Sign(strings.TrimSpace(string(secret)), now, d.body))
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return false, true, err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 == 2 {
		return false, false, nil
	}
	again = answer.StatusCode/100 == 5 || answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout
	return answer.StatusCode/100 == 4 && !again, again, fmt.Errorf("answered %s", answer.Status)
}

// Sign is what X-Drey-Signature holds: HMAC-SHA256, in hex, of the timestamp, a dot and the body.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
