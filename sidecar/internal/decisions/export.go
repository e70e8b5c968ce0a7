package decisions

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Fields are the keys of an exported decision, in the order in which they are written.
var Fields = []string{
	"seq", "id", "time", "job", "operator", "subtask", "epoch", "fence", "function", "build", "input", "result", "error",
	"key", "version", "state", "state_unnamed", "rules", "replayed", "masked", "omitted",
}

// Export writes entries as JSON lines, one decision a line, until the entries or the writer end. Fields choose keys and their
// order; none is all that are not empty. "input.a.b" and "result.a.b" choose a part, under that key. A note is a line with the
// one key "note". The error is the first one of the entries or of the writer; what came before it is written.
func Export(to io.Writer, entries iter.Seq2[Entry, error], fields ...string) (err error) {
	x, err := NewExporter(fields...)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(to, 64<<10)
	defer func() { err = errors.Join(err, w.Flush()) }()
	var line []byte
	for e, err := range entries {
		if err != nil {
			return err
		}
		line = append(x.Append(line[:0], e), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// Exporter writes entries as Export does, one at a time. It is not safe for concurrent use.
type Exporter struct {
	fields []field // none: all that are not empty
	value  []byte
}

// field is a chosen key.
type field struct {
	key  string
	name string   // of Fields
	path []string // below it
}

// NewExporter chooses fields, as Export does.
func NewExporter(keys ...string) (*Exporter, error) {
	x := &Exporter{}
	for _, key := range keys {
		name, path, nested := strings.Cut(key, ".")
		if !slices.Contains(Fields, name) || nested && name != "input" && name != "result" {
			return nil, fmt.Errorf("field %q: there are %s, and parts of input and result as input.name", key, strings.Join(Fields, ", "))
		}
		f := field{key: key, name: name}
		if nested {
			f.path = strings.Split(path, ".")
		}
		x.fields = append(x.fields, f)
	}
	return x, nil
}

// Append appends an entry as a JSON object, without the end of the line.
func (x *Exporter) Append(b []byte, e Entry) []byte {
	if e.Note != nil {
		return appendNoteJSON(b, e)
	}
	b = append(b, '{')
	if len(x.fields) == 0 {
		for _, name := range Fields {
			if x.value = appendField(x.value[:0], e.Decision, name); len(x.value) > 0 {
				b = appendMember(b, name, x.value)
			}
		}
		return append(b, '}')
	}
	for _, f := range x.fields {
		x.value = appendField(x.value[:0], e.Decision, f.name)
		value := x.value
		if len(f.path) > 0 {
			value = at(value, f.path)
		}
		if len(value) == 0 {
			value = []byte("null")
		}
		b = appendMember(b, f.key, value)
	}
	return append(b, '}')
}

func appendMember(b []byte, key string, value []byte) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(append(appendString(b, key), ':'), value...)
}

func appendString(b []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(b, text)
	if err != nil { // not UTF-8: written with replacement characters
		quoted, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(text, "\uFFFD"))
	}
	return quoted
}

// appendField appends the value of a field, or nothing if it is empty.
func appendField(b []byte, d *Decision, name string) []byte {
	switch name {
	case "seq":
		return strconv.AppendUint(b, d.Seq, 10)
	case "id":
		return appendString(b, d.ID)
	case "time":
		return appendTimeJSON(b, d.Time)
	case "job":
		return appendSome(b, d.Job)
	case "operator":
		return appendSome(b, d.Operator)
	case "subtask":
		if d.Job != "" {
			return strconv.AppendInt(b, int64(d.Subtask), 10)
		}
	case "epoch":
		if d.Job != "" || d.Epoch > 0 {
			return strconv.AppendUint(b, d.Epoch, 10)
		}
	case "fence":
		if d.Fence > 0 {
			return strconv.AppendUint(b, d.Fence, 10)
		}
	case "function":
		return appendSome(b, d.Function)
	case "build":
		return appendSome(b, d.Build)
	case "input":
		return appendValueJSON(b, d.Input)
	case "result":
		return appendValueJSON(b, d.Result)
	case "error":
		if d.ErrorCode != "" || d.ErrorMessage != "" {
			b = appendString(append(b, `{"code":`...), d.ErrorCode)
			return append(appendString(append(b, `,"message":`...), d.ErrorMessage), '}')
		}
	case "key":
		return appendSome(b, d.Key)
	case "version":
		if d.Version > 0 {
			return strconv.AppendUint(b, d.Version, 10)
		}
	case "state":
		return appendStateJSON(b, d.State)
	case "state_unnamed":
		if d.StateUnnamed > 0 {
			return strconv.AppendInt(b, int64(d.StateUnnamed), 10)
		}
	case "rules":
		return appendList(b, d.Rules)
	case "replayed":
		if d.Replayed {
			return append(b, "true"...)
		}
	case "masked":
		return appendList(b, d.Masked.Names())
	case "omitted":
		return appendList(b, d.Omitted.Names())
	}
	return b
}

func appendSome(b []byte, text string) []byte {
	if text == "" {
		return b
	}
	return appendString(b, text)
}

func appendTimeJSON(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func appendList(b []byte, texts []string) []byte {
	if len(texts) == 0 {
		return b
	}
	for i, text := range texts {
		b = append(b, "[,"[min(i, 1)])
		b = appendString(b, text)
	}
	return append(b, ']')
}

func appendStateJSON(b []byte, reads []StateRead) []byte {
	if len(reads) == 0 {
		return b
	}
	for i, s := range reads {
		b = append(b, "[,"[min(i, 1)])
		b = appendString(append(b, `{"state":`...), s.State)
		b = appendString(append(b, `,"key":`...), s.Key)
		b = append(strconv.AppendUint(append(b, `,"version":`...), s.Version, 10), '}')
	}
	return append(b, ']')
}

// appendValueJSON appends a JSON value in one line, and what is none as a string.
func appendValueJSON(b, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	compact, err := jsontext.AppendFormat(b, value, jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(true))
	if err != nil {
		return appendString(b, string(value))
	}
	return compact
}

// at returns the value that a path leads to, by names and by indices from 0 on, or nothing.
func at(value []byte, path []string) []byte {
	dec := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	for _, step := range path {
		if !enter(dec, step) {
			return nil
		}
	}
	found, err := dec.ReadValue()
	if err != nil {
		return nil
	}
	return found
}

// enter goes to a member of the object or array that comes next.
func enter(dec *jsontext.Decoder, step string) bool {
	kind := dec.PeekKind()
	index, err := strconv.Atoi(step)
	if kind != '{' && (kind != '[' || err != nil) {
		return false
	}
	if _, err := dec.ReadToken(); err != nil {
		return false
	}
	for ; ; index-- {
		if end := dec.PeekKind(); end == '}' || end == ']' {
			return false
		}
		if kind == '{' {
			name, err := dec.ReadToken()
			if err != nil {
				return false
			}
			if name.String() == step {
				return true
			}
		} else if index == 0 {
			return true
		}
		if err := dec.SkipValue(); err != nil {
			return false
		}
	}
}

func appendNoteJSON(b []byte, e Entry) []byte {
	n := e.Note
	b = strconv.AppendUint(append(b, `{"note":{"seq":`...), e.Seq, 10)
	b = appendString(append(b, `,"kind":`...), string(n.Kind))
	b = appendTimeJSON(append(b, `,"time":`...), n.Time)
	if n.Decisions > 0 {
		b = strconv.AppendUint(append(b, `,"decisions":`...), n.Decisions, 10)
	}
	if n.Bytes > 0 {
		b = strconv.AppendUint(append(b, `,"bytes":`...), n.Bytes, 10)
	}
	if n.Reason != "" {
		b = appendString(append(b, `,"reason":`...), n.Reason)
	}
	if n.Head.Seq > 0 {
		b = appendString(append(b, `,"head":`...), n.Head.String())
	}
	if n.Build != "" {
		b = appendString(append(b, `,"build":`...), n.Build)
	}
	return append(b, "}}"...)
}
