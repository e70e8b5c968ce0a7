package decisions

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestMask(t *testing.T) {
	m := newMasks([]string{"iban", "Card", "größe"})
	tests := []struct {
		in, want string
		masked   int
	}{
		{`{"iban":"DE02","amount":3}`, `{"iban":"***","amount":3}`, 1},
		{`{"a":{"IBAN" : "DE02", "b":[{"card":{"n":1,"iban":2}},{"card":[1,{"x":"]"}]}]}}`, `{"a":{"IBAN" : "***", "b":[{"card":"***"},{"card":"***"}]}}`, 3},
		{`{"card":null,"x":"card","y":["iban"]}`, `{"card":"***","x":"card","y":["iban"]}`, 1},
		{`{"iba\u006e":"\"quoted\"","größe":1,"GRÖSSE":2,"GRÖßE":3}`, `{"iba\u006e":"***","größe":"***","GRÖSSE":2,"GRÖßE":"***"}`, 3},
		{`{"iban":1,"iban":2}`, `{"iban":"***","iban":"***"}`, 2},
		{`{"a":"\\","iban":"\\\""}`, `{"a":"\\","iban":"***"}`, 1},
		{` [ ] `, ` [ ] `, 0},
		{`{}`, `{}`, 0},
		{`-1.5E+3`, `-1.5E+3`, 0},
		{`"iban"`, `"iban"`, 0},
		// What is no JSON: nobody can say where the field is.
		{`{"iban":"DE02"`, `"***"`, 1},
		{`{"iban"`, `"***"`, 1},
		{`{"iban":}`, `"***"`, 1},
		{`{"a":1}{"iban":2}`, `"***"`, 1},
		{`{iban:2}`, `"***"`, 1},
		{``, `"***"`, 1},
		{`{"a\x":1}`, `{"a\x":"***"}`, 1},
		{strings.Repeat("[", 600) + strings.Repeat("]", 600), `"***"`, 1},
	}
	for _, test := range tests {
		got, n := m.append([]byte("before"), []byte(test.in))
		if string(got) != "before"+test.want || n != test.masked {
			t.Errorf("%s:\n got %s, %d\nwant %s, %d", test.in, got[6:], n, test.want, test.masked)
		}
	}
}

// FuzzMask compares with the slow way, token by token.
func FuzzMask(f *testing.F) {
	f.Add([]byte(`{"a":{"IBAN" : "DE02", "b":[{"card":{"n":1,"iban":2}},{"card":[1,{"x":"]"}]}]}}`))
	f.Add([]byte(`{"iba\u006e":"\"","größe":1,"\ud834\udd1e":[true,null,1e5]}`))
	m := newMasks([]string{"iban", "card", "größe"})
	f.Fuzz(func(t *testing.T, value []byte) {
		got, _ := m.append(nil, value)
		if !jsontext.Value(value).IsValid(jsontext.AllowDuplicateNames(true)) || strings.Count(string(value), "[")+strings.Count(string(value), "{") >= maxMaskDepth {
			return
		}
		want, err := maskSlowly(value, &m)
		if err != nil {
			t.Fatal(err)
		}
		compact, err := jsontext.AppendFormat(nil, got, jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(true))
		if err != nil || !bytes.Equal(compact, want) {
			t.Fatalf("%s\n got %s %v\nwant %s", value, compact, err, want)
		}
	})
}

func maskSlowly(value []byte, m *masks) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	var out bytes.Buffer
	enc := jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(true))
	for {
		kind := dec.PeekKind()
		inObject, index := dec.StackIndex(dec.StackDepth())
		switch {
		case kind == '{' || kind == '[' || kind == '}' || kind == ']':
			token, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			if err := enc.WriteToken(token); err != nil {
				return nil, err
			}
		default:
			raw, err := dec.ReadValue()
			if err != nil {
				return nil, err
			}
			if err := enc.WriteValue(raw.Clone()); err != nil {
				return nil, err
			}
			if inObject == '{' && index%2 == 0 {
				name, err := jsontext.AppendUnquote(nil, raw)
				if err != nil {
					return nil, err
				}
				if m.has(string(name)) {
					if err := dec.SkipValue(); err != nil {
						return nil, err
					}
					if err := enc.WriteToken(jsontext.String(maskText)); err != nil {
						return nil, err
					}
				}
			}
		}
		if dec.StackDepth() == 0 {
			return bytes.TrimSpace(out.Bytes()), nil
		}
	}
}

// What is masked stands nowhere: not in a file of the log, sealed or not, and not in its memory.
func TestMaskedNowhere(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Mask, cfg.Compression = []string{"iban", "reasons", "profile", "error"}, "none"
	l := start(t, cfg)
	const secret = "DE02120300000000202051"
	for i := range 400 {
		d := sample(i)
		d.Input = []byte(`{"account":{"IBAN":"` + secret + `"},"n":[{"iban":{"deep":"` + secret + `"}}]}`)
		d.Result = []byte(`{"score":1,"reasons":["` + secret + ` is new"]}`)
		d.State[0].Key = secret
		d.ErrorMessage = "no account " + secret
		l.append(d)
	}
	l.q.mu.Lock()
	queued := bytes.Contains(l.q.buf, []byte(secret))
	l.q.mu.Unlock()
	if queued {
		t.Error("in the queue")
	}
	l.flush()
	l.settle()
	l.stop()
	names, err := filepath.Glob(filepath.Join(cfg.Dir, "*"))
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("in %s", name)
		}
	}
	found, err := NewReader(cfg.Dir).Lookup(t.Context(), sample(7).ID)
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	d := found[0]
	if string(d.Input) != `{"account":{"IBAN":"***"},"n":[{"iban":"***"}]}` || string(d.Result) != `{"score":1,"reasons":"***"}` ||
		d.State[0].Key != "***" || d.ErrorMessage != "***" || d.Masked != InInput|InResult|InState|InError {
		t.Fatalf("%+v", d)
	}
	if names := d.Masked.Names(); strings.Join(names, " ") != "input result state error" {
		t.Fatal(names)
	}
}
