package problem_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

func TestTableIsComplete(t *testing.T) {
	for _, c := range problem.Codes() {
		if c.Title() == "" || c.HTTP() < 400 || c.GRPC() == codes.OK {
			t.Errorf("%s: title %q, http %d, grpc %s", c, c.Title(), c.HTTP(), c.GRPC())
		}
		if c.HTTP() == http.StatusTooManyRequests {
			t.Errorf("%s: 429 makes Flink's stock connector fail the job", c)
		}
		if stock := c.HTTP() == 503 || c.HTTP() == 504; stock != c.Retryable() && c != problem.Internal {
			t.Errorf("%s: Flink's stock connector retries %d, the table says retryable=%v", c, c.HTTP(), c.Retryable())
		}
	}
}

func TestFrom(t *testing.T) {
	mine := problem.New(problem.Overloaded, "queue is full")
	for _, tc := range []struct {
		err  error
		want problem.Code
	}{
		{fmt.Errorf("evaluate: %w", mine), problem.Overloaded},
		{fmt.Errorf("call: %w", context.DeadlineExceeded), problem.DeadlineExceeded},
		{context.Canceled, problem.Canceled},
		{errors.New("secret path /etc/x"), problem.Internal},
	} {
		got := problem.From(tc.err)
		if got.Code != tc.want {
			t.Errorf("%v: got %s, want %s", tc.err, got.Code, tc.want)
		}
	}
	if got := problem.From(errors.New("secret path /etc/x")); got.Detail == "" || got.Document().Detail == "secret path /etc/x" {
		t.Errorf("an unknown error must not reach the caller: %q", got.Document().Detail)
	}
	if problem.From(nil) != nil {
		t.Error("nil is no problem")
	}
}

// The table that people read is the one that the code holds.
func TestDocumentedTable(t *testing.T) {
	text, err := os.ReadFile("../../../docs/sidecar.md")
	if err != nil {
		t.Fatal(err)
	}
	yesNo := map[bool]string{true: "yes", false: "no"}
	for _, c := range problem.Codes() {
		row := fmt.Sprintf("| `%s` | %d | %s | %s | %s |", c, c.HTTP(), c.GRPC(), yesNo[c.Retryable()], c.Title())
		if !strings.Contains(string(text), row+"\n") {
			t.Errorf("docs/sidecar.md lacks %s", row)
		}
	}
}
