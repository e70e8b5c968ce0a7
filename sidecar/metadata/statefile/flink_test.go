package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/metadata"
)

// statesOfFlink is what testdata/flink/States.java made Flink's backends write, by the name of the operator.
func statesOfFlink(t testing.TB) map[string]*metadata.Operator {
	t.Helper()
	data, err := os.ReadFile("../testdata/flink/states/_metadata")
	if err != nil {
		t.Fatal(err)
	}
	m, err := metadata.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	operators := map[string]*metadata.Operator{}
	for i := range m.Operators {
		operators[m.Operators[i].Name] = &m.Operators[i]
	}
	return operators
}

func repeated(text string, length int) []byte {
	return bytes.Repeat([]byte(text), length/len(text)+1)[:length]
}

// noise is the generator of States.java.
func noise(length int) []byte {
	data, x := make([]byte, length), uint32(1)
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return data
}

func openOperator(t testing.TB, handle *metadata.OperatorHandle, limits Limits) *Operator {
	t.Helper()
	data := handle.Stream.(*metadata.InlineHandle).Data
	state, err := OpenOperator(bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestOperatorStateOfFlink(t *testing.T) {
	operators := statesOfFlink(t)
	for _, compressed := range []bool{false, true} {
		name, list, large := "operator plain", [][]byte{{}, []byte("one"), []byte("last")}, 3
		if compressed {
			name, large = "operator compressed", 100000
			list = slices.Insert(list, 2, repeated("go-udf-state ", 200000), noise(70000))
		}
		handle := operators[name].Subtasks[0].ManagedOperator
		state := openOperator(t, handle, Limits{})
		if state.Header().Compressed != compressed || state.Header().Stopped != nil {
			t.Errorf("%s: header %+v", name, state.Header())
		}
		for stateName, want := range map[string][][]byte{"list": list, "union": {[]byte("union")}} {
			partitioned, _ := handle.State(stateName)
			for range 2 { // again: the offsets are gone back to
				var got [][]byte
				for entry, err := range state.ByteEntries(partitioned) {
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					got = append(got, entry)
				}
				if !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("%s: %s has %d entries, or others than the %d that were stored", name, stateName, len(got), len(want))
				}
			}
		}
		// One entry alone, in the midst of the framed stream.
		partitioned, _ := handle.State("list")
		last := &metadata.PartitionedState{Name: "list", Offsets: partitioned.Offsets[len(partitioned.Offsets)-1:]}
		for entry, err := range state.ByteEntries(last) {
			if err != nil || string(entry) != "last" {
				t.Errorf("%s: the last entry alone is %q, %v", name, entry, err)
			}
		}
		partitioned, _ = handle.State("broadcast")
		got := map[string]string{}
		for entry, err := range state.BroadcastEntries(partitioned) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got[string(entry.Key)] = string(entry.Value)
		}
		if len(got) != 2 || got["key"] != "value" || got[""] != string(repeated("x", large)) {
			t.Errorf("%s: the broadcast map has %d entries, or others than were stored", name, len(got))
		}
		// A state of strings is not mistaken for one of bytes.
		partitioned, _ = handle.State("strings")
		for _, err := range state.ByteEntries(partitioned) {
			if err == nil || !strings.Contains(err.Error(), "of type string") {
				t.Errorf("%s: strings read as byte[]: %v", name, err)
			}
		}
		for entry, err := range state.Entries(partitioned, Text()) {
			// Nine UTF-16 units and the length plus one; each above 0x7f takes more than a byte.
			if err != nil || len(entry) == 0 || entry[0] != 10 || string(entry[1:2]) != "z" {
				t.Errorf("%s: the string is %x, %v", name, entry, err)
			}
		}
	}
}

// TestKeyedStateOfFlink reads what the heap backend wrote, natively and as a canonical savepoint, with keys of one and of two
// bytes of key group.
func TestKeyedStateOfFlink(t *testing.T) {
	operators := statesOfFlink(t)
	for _, compressed := range []string{"plain", "compressed"} {
		for _, kind := range []string{"heap", "savepoint"} {
			for _, maxParallelism := range []int{128, 300} {
				name := fmt.Sprintf("%s %d %s", kind, maxParallelism, compressed)
				operator := operators[name]
				want := map[string]string{}
				for i := range 20 {
					key := fmt.Sprintf("key-%d", i)
					want[key+" value"] = fmt.Sprintf("value-%d", i)
					if i%2 == 0 {
						text := fmt.Sprintf("text-%d", i)
						want[key+" text"] = string(rune(len(text)+1)) + text
					}
					if i%5 == 0 {
						value := fmt.Sprintf("user-value-%d", i)
						element := func(text string) string { return "\x00\x00\x00" + string(rune(len(text))) + text }
						if kind == "heap" {
							want[key+" list"] = "\x00\x00\x00\x02" + element("first") + element("")
							want[key+" map"] = "\x00\x00\x00\x01" + element("user-key") + "\x00" + element(value)
						} else {
							want[key+" list"] = element("first") + "," + element("")
							want[key+" map["+element("user-key")+"]"] = "\x00" + element(value)
						}
					}
				}
				if compressed == "compressed" {
					want["large value"] = string(repeated("large ", 150000))
				}
				got := map[string]string{}
				for entry, err := range keyedEntries(t, operator, Limits{}) {
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					label := string(entry.Key) + " " + entry.State.Name
					if entry.UserKey != nil {
						label += "[" + string(entry.UserKey) + "]"
					}
					if _, twice := got[label]; twice || !bytes.Equal(entry.Namespace, []byte{0}) {
						t.Errorf("%s: %s appears twice or has the namespace %x", name, label, entry.Namespace)
					}
					got[label] = string(entry.Value)
				}
				for label, value := range want {
					if got[label] != value {
						t.Errorf("%s: %s is %.60q, want %.60q", name, label, got[label], value)
					}
				}
				if len(got) != len(want) {
					t.Errorf("%s: %d entries, want %d", name, len(got), len(want))
				}
			}
		}
	}
}

// keyedEntries reads all of an operator of one subtask whose keyed state is inline.
func keyedEntries(t testing.TB, operator *metadata.Operator, limits Limits) func(func(KeyedEntry, error) bool) {
	t.Helper()
	handle := operator.Subtasks[0].ManagedKeyed.(*metadata.KeyGroupsHandle)
	data := handle.Stream.(*metadata.InlineHandle).Data
	state, err := OpenKeyed(handle, operator.MaxParallelism, bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		t.Fatal(err)
	}
	return state.Entries()
}

func TestLimits(t *testing.T) {
	operators := statesOfFlink(t)
	handle := operators["operator compressed"].Subtasks[0].ManagedOperator
	partitioned, _ := handle.State("list")
	read := 0
	var failed error
	for _, err := range openOperator(t, handle, Limits{MaxEntry: 100000}).ByteEntries(partitioned) {
		if failed = err; err == nil {
			read++
		}
	}
	if read != 2 || !errors.Is(failed, ErrTooLarge) || !strings.Contains(failed.Error(), "entry 2 of 5") {
		t.Errorf("%d entries below the limit, then %v", read, failed)
	}
	for _, name := range []string{"heap 128 compressed", "savepoint 128 compressed"} {
		failed = nil
		for _, err := range keyedEntries(t, operators[name], Limits{MaxEntry: 100000}) {
			if err != nil {
				failed = err
			}
		}
		if !errors.Is(failed, ErrTooLarge) {
			t.Errorf("%s: %v", name, failed)
		}
	}
}

func TestWrongKindOfState(t *testing.T) {
	handle := statesOfFlink(t)["operator plain"].Subtasks[0].ManagedOperator
	state := openOperator(t, handle, Limits{})
	list, _ := handle.State("list")
	broadcast, _ := handle.State("broadcast")
	for _, err := range state.BroadcastEntries(list) {
		if err == nil || !strings.Contains(err.Error(), "SPLIT") {
			t.Errorf("a list read as a broadcast map: %v", err)
		}
	}
	for _, err := range state.Entries(broadcast, Bytes()) {
		if err == nil || !strings.Contains(err.Error(), "broadcast state") {
			t.Errorf("a broadcast map read as a list: %v", err)
		}
	}
}
