package segment

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// seed is a golden segment, taken to pieces.
type seed struct {
	data     []byte
	index    int64 // its offset
	sections []section
}

func seeds(f *testing.F) []seed {
	f.Helper()
	manifest, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	m, err := ParseManifest(manifest)
	if err != nil {
		f.Fatal(err)
	}
	var all []seed
	for i, name := range []string{"base.segment", "increment.segment"} {
		s := seed{index: m.Segments[i].IndexOffset}
		if s.data, err = os.ReadFile(filepath.Join("testdata", name)); err == nil {
			s.sections, err = readIndex(s.data[s.index:], m.KeyGroups, s.index)
		}
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func FuzzHeader(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s.data[:headerBytes])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := readHeader(data)
		if err == nil && !bytes.Equal(h.append(nil)[:18], data[:18]) && data[11] == 0 {
			t.Errorf("%x is read as %+v", data, h)
		}
	})
}

func FuzzIndex(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s.data[s.index:], s.index)
	}
	f.Fuzz(func(t *testing.T, data []byte, end int64) {
		keyGroups := statestore.Range{From: 1, To: 9}
		sections, err := readIndex(data, keyGroups, end)
		if err != nil {
			return
		}
		next := int64(headerBytes)
		for _, s := range sections {
			if s.offset != next || s.bytes < 0 || !keyGroups.Contains(s.keyGroup) {
				t.Errorf("a section %+v at %d", s, next)
			}
			next += s.bytes
		}
		if next != end {
			t.Errorf("the sections end at %d of %d", next, end)
		}
	})
}

// counter is a sink that looks at all it is given.
type counter struct{ records, bytes int }

func (c *counter) Put(key string, v statestore.Value) { c.records++; c.bytes += len(key) + len(v.Data) }
func (c *counter) Delete(key string)                  { c.records++; c.bytes += len(key) }
func (c *counter) Answer(a statestore.Answer)         { c.records++; c.bytes += len(a.ID) + len(a.Data) }

func FuzzSection(f *testing.F) {
	for _, s := range seeds(f) {
		for _, at := range s.sections {
			f.Add(s.data[at.offset:at.offset+at.bytes], at.records, at.answers)
		}
	}
	f.Add([]byte("\x06\x00\x00\x00\x06\x00\x00\x00\x01\x01k\x01\x01v"), uint32(1), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, records, answers uint32) {
		// The hash fits, so that the fuzzer comes to what is behind it.
		s := &section{records: records, answers: answers, bytes: int64(len(data)), sha256: sha256.Sum256(data)}
		var c counter
		if err := readSection(bytes.NewReader(data), s, &c); err == nil && c.records != int(records) {
			t.Errorf("%d records, want %d", c.records, records)
		}
	})
}

func FuzzManifest(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"max_parallelism":1,"segments":[{"of":{"from":3,"to":1}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		for _, s := range m.Segments {
			if _, ok := s.KeyGroups.Intersect(m.KeyGroups); !ok || s.Bytes-s.IndexOffset > 4+int64(s.written().Len())*sectionBytes {
				t.Errorf("segment %+v of %+v", s, m)
			}
		}
		again, err := json.Marshal(m)
		if err == nil {
			_, err = ParseManifest(again)
		}
		if err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}
