package statefile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/metadata"
)

// golden is what the jobs of the captures wrote into a log of their own about the state they stored.
type golden struct {
	MetadataKey string `json:"metadata_key"`
	State       struct {
		List      map[string]entries           `json:"list"`
		Union     map[string]entries           `json:"union"`
		Broadcast map[string]map[string]string `json:"broadcast"`
	} `json:"state"`
	TouchedKeys map[string]map[string]int64 `json:"touched_keys"`
}

// entries is a list of strings, or the pattern of one.
type entries []string

func (e *entries) UnmarshalJSON(data []byte) error {
	var pattern struct {
		Pattern string
		From, N int
	}
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(e))
	}
	if err := json.Unmarshal(data, &pattern); err != nil {
		return err
	}
	for i := range pattern.N {
		*e = append(*e, fmt.Sprintf(pattern.Pattern, pattern.From+i))
	}
	return nil
}

type capture struct {
	golden
	meta *metadata.Metadata
	dir  string
}

func readCapture(t testing.TB, name string) capture {
	t.Helper()
	c := capture{dir: filepath.Join("..", "testdata", name)}
	data, err := os.ReadFile(filepath.Join(c.dir, "_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	if c.meta, err = metadata.Parse(data); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.dir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c.golden); err != nil {
		t.Fatal(err)
	}
	return c
}

// open opens the stream of a handle, or answers nil if the file is not among the few that testdata has.
func (c *capture) open(t testing.TB, stream metadata.StreamHandle) *io.SectionReader {
	t.Helper()
	var file *bytes.Reader
	var name string
	switch handle := stream.(type) {
	case *metadata.RelativeHandle:
		name = handle.Path
	case *metadata.SegmentHandle:
		name = path.Join("taskowned", path.Base(handle.Path))
	}
	if name != "" {
		data, err := os.ReadFile(filepath.Join(c.dir, name))
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		file = bytes.NewReader(data)
	} else {
		file = bytes.NewReader(nil)
	}
	section, err := Section(stream, file, file.Size())
	if err != nil {
		t.Fatal(err)
	}
	return section
}

func (c *capture) operator(t testing.TB, uid string) *metadata.Operator {
	t.Helper()
	operator, _ := c.meta.FindOperator(uid)
	if operator == nil {
		t.Fatalf("no operator %s", uid)
	}
	return operator
}

// TestOperatorStateOfCaptures: every list, union and broadcast entry that the job says it stored, and no other.
func TestOperatorStateOfCaptures(t *testing.T) {
	for name, subtasks := range map[string]int{ // how many subtasks' files testdata has
		"inline": 2, "compressed": 2, "files": 1, "rocksdb": 2, "suspended": 2, "v4": 2,
	} {
		t.Run(name, func(t *testing.T) {
			c := readCapture(t, name)
			checked := 0
			for _, subtask := range c.operator(t, "go-udf-state").Subtasks {
				stream := c.open(t, subtask.ManagedOperator.Stream)
				if stream == nil {
					continue
				}
				checked++
				state, err := OpenOperator(stream, stream.Size(), Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if err := state.Header().Stopped; err != nil {
					t.Errorf("subtask %d: the header is not understood: %v", subtask.Index, err)
				}
				index := strconv.Itoa(int(subtask.Index))
				for stateName, want := range map[string]entries{"go-udf-list": c.State.List[index], "go-udf-union": c.State.Union[index]} {
					partitioned, ok := subtask.ManagedOperator.State(stateName)
					if !ok {
						t.Fatalf("subtask %d has no state %s", subtask.Index, stateName)
					}
					var got entries
					for entry, err := range state.ByteEntries(partitioned) {
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, string(entry))
					}
					if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
						t.Errorf("subtask %d: %s (-want +got):\n%s", subtask.Index, stateName, diff)
					}
				}
				if want := c.State.Broadcast[index]; want != nil {
					partitioned, _ := subtask.ManagedOperator.State("go-udf-broadcast")
					got := map[string]string{}
					for entry, err := range state.BroadcastEntries(partitioned) {
						if err != nil {
							t.Fatal(err)
						}
						// The key is a string: its length plus one, then its characters, one byte each here.
						got[string(entry.Key[1:])] = string(entry.Value)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("subtask %d: broadcast (-want +got):\n%s", subtask.Index, diff)
					}
				}
			}
			if checked != subtasks {
				t.Errorf("%d subtasks were checked, want %d", checked, subtasks)
			}
		})
	}
}

// TestSegment reads the state that begins in the midst of a file that several share.
func TestSegment(t *testing.T) {
	c := readCapture(t, "merged")
	checked := 0
	for _, subtask := range c.operator(t, "lab-source").Subtasks {
		handle := subtask.ManagedOperator.Stream.(*metadata.SegmentHandle)
		stream := c.open(t, handle)
		if stream == nil || handle.Start == 0 {
			continue
		}
		checked++
		state, err := OpenOperator(stream, stream.Size(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		partitioned, _ := subtask.ManagedOperator.State("SourceReaderState")
		for entry, err := range state.ByteEntries(partitioned) {
			// SourceOperator keeps splits as byte[]: an i32 version of the serializer, then its bytes.
			if err != nil || len(entry) < 4 {
				t.Errorf("subtask %d: entry %x, %v", subtask.Index, entry, err)
			}
		}
	}
	if checked != 2 {
		t.Errorf("%d subtasks were checked, want 2", checked)
	}
}

// TestKeyedStateOfCaptures: the count of every key that the job says it touched, and no other key; and a pad for each.
func TestKeyedStateOfCaptures(t *testing.T) {
	for name, subtasks := range map[string]int{"inline": 2, "compressed": 2, "merged": 1, "savepoint": 1, "v4": 2} {
		t.Run(name, func(t *testing.T) {
			c := readCapture(t, name)
			operator := c.operator(t, "keyed-count")
			checked := 0
			for _, subtask := range operator.Subtasks {
				handle := subtask.ManagedKeyed.(*metadata.KeyGroupsHandle)
				stream := c.open(t, handle.Stream)
				if stream == nil {
					continue
				}
				checked++
				state, err := OpenKeyed(handle, operator.MaxParallelism, stream, stream.Size(), Limits{})
				if err != nil {
					t.Fatal(err)
				}
				counts, pads, timers := map[string]int64{}, map[string]int{}, 0
				for entry, err := range state.Entries() {
					if err != nil {
						t.Fatal(err)
					}
					key := strconv.FormatInt(int64(binary.BigEndian.Uint64(entry.Key)), 10)
					if !bytes.Equal(entry.Namespace, []byte{0}) {
						t.Errorf("key %s has the namespace %x", key, entry.Namespace)
					}
					switch entry.State.Name {
					case "keyed-count-value":
						counts[key] = int64(binary.BigEndian.Uint64(entry.Value))
					case "keyed-pad":
						if pads[key] = len(entry.Value); pads[key] != 300 {
							t.Errorf("key %s has a pad of %d bytes", key, pads[key])
						}
					case "_timer_state/processing_user-timers":
						// The job sets a timer for each key, for a day that the capture would never see.
						if due := time.UnixMilli(entry.Time).UTC(); due != time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) || entry.Value != nil {
							t.Errorf("key %s has a timer due at %v with the value %x", key, due, entry.Value)
						}
						timers++
					default:
						t.Errorf("an entry of %s", entry.State.Name)
					}
				}
				want := c.TouchedKeys[strconv.Itoa(int(subtask.Index))]
				if diff := cmp.Diff(want, counts); diff != "" || len(counts) == 0 {
					t.Errorf("subtask %d: counts (-want +got):\n%s", subtask.Index, diff)
				}
				// Some of the jobs also keep a pad of 300 bytes for each key.
				keys, padded := slices.Sorted(maps.Keys(counts)), slices.Sorted(maps.Keys(pads))
				if hasPads := name == "merged" || name == "savepoint"; hasPads != (len(pads) > 0) || hasPads && !slices.Equal(keys, padded) {
					t.Errorf("subtask %d: %d keys have counts, %d pads", subtask.Index, len(keys), len(padded))
				}
				if timers != len(counts) {
					t.Errorf("subtask %d: %d keys have %d timers", subtask.Index, len(counts), timers)
				}
			}
			if checked != subtasks {
				t.Errorf("%d subtasks were checked, want %d", checked, subtasks)
			}
		})
	}
}

func TestKeyedHeaderOfCapture(t *testing.T) {
	c := readCapture(t, "inline")
	operator := c.operator(t, "keyed-count")
	handle := operator.Subtasks[0].ManagedKeyed.(*metadata.KeyGroupsHandle)
	stream := c.open(t, handle.Stream)
	state, err := OpenKeyed(handle, operator.MaxParallelism, stream, stream.Size(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	header := state.Header()
	var got []string
	for _, s := range header.States {
		got = append(got, fmt.Sprintf("%s %d %v %v %v", s.Name, s.Kind, s.Options, s.Namespace, s.Value))
	}
	want := []string{
		"keyed-count-value 0 map[KEYED_STATE_TYPE:VALUE] void-namespace long",
		"keyed-pad 0 map[KEYED_STATE_TYPE:VALUE] void-namespace bytes",
		"_timer_state/processing_user-timers 3 map[] unknown timer(long, void-namespace)",
		"_timer_state/event_user-timers 3 map[] unknown timer(long, void-namespace)",
	}
	if diff := cmp.Diff(want, got); diff != "" || header.Key.String() != "long" || header.Version != 6 || header.Compressed {
		t.Errorf("header %+v (-want +got):\n%s", header, diff)
	}
}
