package stateful

import (
	"reflect"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

func FuzzStored(f *testing.F) {
	full := stored{
		version: 7, at: time.UnixMilli(-5), watermark: -3, epoch: 9, unnamed: 2, reads: []decisions.StateRead{{State: "a", Key: "k", Version: 7}, {Key: "k"}}, result: []byte(`{}`),
	}
	placed := full.append(nil)
	setPlace(placed, statestore.Place{Version: 8, Writes: 2})
	f.Add(placed)
	f.Add([]byte("\x01\x07\x09{}"))
	f.Add([]byte{storedPlaced})
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := readStored(data, "k")
		if err != nil {
			return
		}
		s := stored{version: a.Version, at: a.Time, watermark: a.Watermark, epoch: a.Epoch, unnamed: a.Unnamed, reads: a.Reads, result: a.Result}
		written := s.append(nil)
		setPlace(written, a.Place)
		if again, err := readStored(written, "k"); err != nil || !reflect.DeepEqual(again, a) {
			t.Errorf("%+v, then %+v, %v", a, again, err)
		}
	})
}

// What an older version of this program has stored is read.
func TestStoredOfBefore(t *testing.T) {
	a, err := readStored([]byte("\x01\x07\x09{}"), "k")
	if err != nil || a.Version != 7 || a.Time.UnixMilli() != -5 || string(a.Result) != "{}" || a.Place != (statestore.Place{}) {
		t.Errorf("%+v %v", a, err)
	}
}

// Each code of a session is a code of the table, with the status of the contract with Flink's operators.
func TestProblems(t *testing.T) {
	for code, status := range map[session.Code]int{
		session.CodeUnknownSession: 404, session.CodeFenced: 409, session.CodeNotRestored: 409, session.CodeConflict: 409,
		session.CodeKeyGroup: 422, session.CodeStale: 409, session.CodeLate: 409, session.CodeNoSnapshot: 409, session.CodeLimit: 422,
		session.CodeRestore: 422, session.CodeInvalid: 400,
	} {
		p := problem.From(Problem(&session.Error{Code: code, Err: errStored}))
		if p.Code.HTTP() != status || p.Code.Retryable() || p.RetryAfter != 0 {
			t.Errorf("%s: %d %v", code, p.Code.HTTP(), p)
		}
	}
	for _, code := range []session.Code{session.CodeLog, session.CodeRestore, session.CodeAnswers} {
		p := problem.From(Problem(&session.Error{Code: code, Retryable: true, Err: errStored}))
		if p.Code.HTTP() != 503 || !p.Code.Retryable() || p.RetryAfter == 0 {
			t.Errorf("%s: %d %v", code, p.Code.HTTP(), p)
		}
	}
	if Problem(nil) != nil || Problem(errStored) != errStored {
		t.Error("other errors are changed")
	}
}

func TestConfig(t *testing.T) {
	if c := DefaultConfig(); c.Validate() != nil {
		t.Error(c.Validate())
	}
	for _, c := range []struct{ store, path, prefix string }{
		{"s3://b", "/", ""}, {"s3://b/", "/", ""}, {"s3://b/a/b/", "/a/b", "a/b/"}, {"file:///x/y", "/x/y", ""}, {"/x", "/x", ""},
	} {
		config := DefaultConfig()
		config.Enabled, config.Store = true, c.store
		at, err := config.Place()
		if err != nil || at.Path != c.path || config.Sessions().Prefix != c.prefix || config.Validate() != nil {
			t.Errorf("%s: %+v %v, prefix %q, %v", c.store, at, err, config.Sessions().Prefix, config.Validate())
		}
	}
	for _, store := range []string{"b", "hdfs://b/x", "s3://", "file://host/../x"} {
		config := DefaultConfig()
		config.Enabled, config.Store = true, store
		if config.Validate() == nil {
			t.Errorf("%s is taken", store)
		}
	}
	config := Config{Store: "s3://b", IdleTimeout: -1}
	if err := config.Validate(); err == nil || len(err.(interface{ Unwrap() []error }).Unwrap()) != 6 {
		t.Errorf("got %v", err)
	}
}
