package metadata

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// captures are _metadata files of real jobs: Flink 2.3.0, but for v4, which is of Flink 1.20.1. Beside each lies golden.json: the
// description made by an independent reader of the format, what Flink's REST interface said of the checkpoint, and what the
// job itself wrote into a log of its own about the state it stored.
var captures = []string{"inline", "files", "compressed", "merged", "inflight", "rocksdb", "changelog", "savepoint", "suspended", "v4"}

// written are files that testdata/flink/Handles.java made, with handles that the captures lack.
var written = []string{"flink/v3", "flink/v4", "flink/v5", "flink/v6"}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name, "_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, data []byte) *Metadata {
	t.Helper()
	m, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type golden struct {
	MetadataKey   string          `json:"metadata_key"`
	Description   json.RawMessage `json:"description"`
	RestStateSize *int64          `json:"rest_state_size"`
	RestSavepoint bool            `json:"rest_savepoint"`
	RestFormat    string          `json:"rest_format"`
}

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func directory(t *testing.T, g golden) Location {
	t.Helper()
	location, err := ParseLocation("s3://flink/" + g.MetadataKey)
	if err != nil {
		t.Fatal(err)
	}
	return location.Dir()
}

func TestDescribeCaptures(t *testing.T) {
	for _, name := range captures {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			m := parse(t, read(t, name))
			d, err := Describe(m, directory(t, g))
			if err != nil {
				t.Fatal(err)
			}
			if d.Snapshot == nil || d.Snapshot.Savepoint != g.RestSavepoint || d.Snapshot.Format != g.RestFormat {
				t.Errorf("snapshot %+v, REST says savepoint %v, format %q", d.Snapshot, g.RestSavepoint, g.RestFormat)
			}
			if g.RestStateSize != nil {
				coordinators := int64(0) // REST counts what subtasks acknowledged
				for _, operator := range d.Operators {
					coordinators += operator.CoordinatorBytes
				}
				if got := d.TotalSize - coordinators; got != *g.RestStateSize {
					t.Errorf("state of %d bytes, REST says %d", got, *g.RestStateSize)
				}
			}
			d.Snapshot = nil // not part of the other reader's description
			text, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(g.Description, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("description (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWriteAgain: nothing of a file is lost or changed in the model.
func TestWriteAgain(t *testing.T) {
	for _, name := range append(captures, written...) {
		data := read(t, name)
		if again := encode(parse(t, data)); !bytes.Equal(again, data) {
			at := 0
			for at < min(len(again), len(data)) && again[at] == data[at] {
				at++
			}
			t.Errorf("%s: written again it has %d bytes, not %d, and differs from byte %d on", name, len(again), len(data), at)
		}
	}
}

func TestHeader(t *testing.T) {
	version, id, err := Header(read(t, "merged")[:16])
	if version != 6 || id != 6 || err != nil {
		t.Errorf("Header = %d, %d, %v; want 6, 6, nil", version, id, err)
	}
}

func TestFindOperator(t *testing.T) {
	for _, test := range []struct{ file, key, want string }{
		{"inline", "go-udf-state", "ba422401a82d0a8049b339f7707e68a9"},
		{"inline", "Go UDF state", "ba422401a82d0a8049b339f7707e68a9"},
		{"inline", "BA422401A82D0A8049B339F7707E68A9", "ba422401a82d0a8049b339f7707e68a9"},
		{"v4", "go-udf-state", "ba422401a82d0a8049b339f7707e68a9"}, // by hash: version 4 holds no uids
		{"inline", "nobody", ""},
		{"v4", "", ""},
	} {
		operator, ambiguous := parse(t, read(t, test.file)).FindOperator(test.key)
		switch {
		case ambiguous:
			t.Errorf("%s: %q is ambiguous", test.file, test.key)
		case operator == nil && test.want != "", operator != nil && operator.ID.String() != test.want:
			t.Errorf("%s: FindOperator(%q) = %v, want id %q", test.file, test.key, operator, test.want)
		}
	}
	m := &Metadata{Operators: []Operator{{Name: "map"}, {Name: "map", ID: OperatorID{1}}}}
	if operator, ambiguous := m.FindOperator("map"); !ambiguous || operator != &m.Operators[0] {
		t.Errorf("FindOperator of a name twice = %v, %v", operator, ambiguous)
	}
}

func TestRanges(t *testing.T) {
	handle := &OperatorHandle{
		States: []PartitionedState{{Name: "a", Offsets: []int64{10, 30}}, {Name: "b", Offsets: []int64{20}}, {Name: "none"}},
		Stream: &InlineHandle{Data: make([]byte, 40)},
	}
	if diff := cmp.Diff([]Range{{10, 10}, {30, 10}}, handle.Ranges("a")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Range{{20, 10}}, handle.Ranges("b")); diff != "" {
		t.Error(diff)
	}
	if got := handle.Ranges("none"); len(got) != 0 {
		t.Errorf("a state without entries has the ranges %v", got)
	}
	if got := handle.Ranges("unknown"); got != nil {
		t.Errorf("an unknown state has the ranges %v", got)
	}
	handle.Stream = &FileHandle{Size: -1}
	if diff := cmp.Diff([]Range{{10, 10}, {30, -1}}, handle.Ranges("a")); diff != "" {
		t.Error(diff)
	}
}
