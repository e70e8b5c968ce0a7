package watch

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

const (
	minToken = 16
	maxToken = 4 << 10
)

// token is the shared secret of the webhook. The file is read each time: a new token needs no restart.
type token string

func (t token) read() (string, error) {
	file, err := os.Open(string(t))
	if err != nil {
		return "", fmt.Errorf("watch.notify_token_file: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("watch.notify_token_file: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < minToken || len(text) > maxToken {
		return "", fmt.Errorf("watch.notify_token_file: %s must hold one token of %d to %d characters, such as openssl rand -hex 32 writes", string(t), minToken, maxToken)
	}
	return secret, nil
}

// authorize refuses a caller that does not know the token, or all if there is none. It takes the same time for every wrong
// one.
func (t token) authorize(given string) error {
	if t == "" {
		return problem.New(problem.Forbidden, "the webhook is off; put a token into a file and name it with watch.notify_token_file")
	}
	secret, err := t.read()
	if err != nil {
		return err
	}
	want, got := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(given))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return problem.New(problem.Unauthenticated, "send the token of the sidecar's watch.notify_token_file as Authorization: Bearer TOKEN")
	}
	return nil
}
