package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
)

// known is what a StateJob of two subtasks holds: the formulas of the package dev.drey.flink.jobs.state, written again.
type known struct {
	events, keys int64
	large        int
	all          bool // all records are in the checkpoint, none is in flight
}

const knownSubtasks = 2

func pattern(subtask, entry, length int) []byte {
	b := make([]byte, length)
	for j := range b {
		b[j] = byte((101*subtask + 31*entry + j) % 251)
	}
	return b
}

func noise(subtask, length int) []byte {
	b, x := make([]byte, length), uint32(subtask)
	for j := range b {
		x = 1103515245*x + 12345
		b[j] = byte(x >> 16)
	}
	return b
}

func (k known) entries(subtask int) [][]byte {
	var all [][]byte
	for entry, length := range []int{0, 1, 17, 300, k.large} {
		all = append(all, pattern(subtask, entry, length))
	}
	return append(all, noise(subtask, k.large))
}

func longs(values ...int64) [][]byte {
	all := make([][]byte, len(values))
	for i, v := range values {
		all[i] = binary.BigEndian.AppendUint64(nil, uint64(v))
	}
	return all
}

// text is a string as Flink's StringSerializer writes it: one more than its length, and its UTF-16 units, in groups of seven bits.
func text(s string) []byte {
	units := utf16.Encode([]rune(s))
	b := binary.AppendUvarint(nil, uint64(len(units)+1))
	for _, unit := range units {
		b = binary.AppendUvarint(b, uint64(unit))
	}
	return b
}

// short is bytes for a message: all of them if they are few, else what tells them from others.
func short(b []byte) string {
	if len(b) <= 64 {
		return fmt.Sprintf("%x", b)
	}
	return fmt.Sprintf("%d bytes, SHA-256 %x", len(b), sha256.Sum256(b))
}

// checkLists compares the operator state of one operator, entry by entry, with what each of its subtasks holds.
func (k known) checkLists(t *testing.T, c *contents.Checkpoint, operator string, union bool, subtasks ...int) {
	t.Helper()
	want := map[string][]string{}
	add := func(state string, subtask int, entries ...[]byte) {
		for i, entry := range entries {
			want[state] = append(want[state], fmt.Sprintf("%d/%d %s", subtask, i, short(entry)))
		}
	}
	for _, s := range subtasks {
		add("bytes", s, k.entries(s)...)
		add("longs", s, longs(math.MinInt64, -1, 0, int64(s), math.MaxInt64)...)
		add("texts", s, text(""), text("a"), text("\x00"), text("größer 数 😀"), text(strings.Repeat("x", 1000)))
		add("none", s)
		if union {
			add("union", s, k.entries(s)...)
		}
	}
	for _, state := range []string{"bytes", "longs", "texts", "none", "union"} {
		if state == "union" && !union {
			continue
		}
		var got []string
		for _, e := range dump(t, c, operator, state) {
			got = append(got, fmt.Sprintf("%d/%d %s", e.Subtask, e.Index, short(e.Value)))
		}
		if diff := cmp.Diff(want[state], got); diff != "" {
			t.Errorf("%s/%s (-want +got):\n%s", operator, state, diff)
		}
	}
	k.checkBroadcast(t, c, operator, subtasks)
	if seen := k.seen(t, c, operator, len(subtasks)); k.all && operator == "lists" && seen != k.events {
		t.Errorf("%s has seen %d records, want %d", operator, seen, k.events)
	}
}

// seen sums up the one entry that each subtask has.
func (k known) seen(t *testing.T, c *contents.Checkpoint, operator string, subtasks int) int64 {
	t.Helper()
	entries, total := dump(t, c, operator, "seen"), int64(0)
	if len(entries) != subtasks {
		t.Errorf("%s/seen has %d entries, want %d", operator, len(entries), subtasks)
	}
	for _, e := range entries {
		total += int64(binary.BigEndian.Uint64(e.Value))
	}
	return total
}

func (k known) checkBroadcast(t *testing.T, c *contents.Checkpoint, operator string, subtasks []int) {
	t.Helper()
	for state, want := range map[string]map[string]string{
		"names": {
			short(text("")): "", short(text("one")): short(pattern(0, 1, 1)), short(text("large")): short(pattern(0, 2, k.large)),
		},
		"blobs": {short(pattern(0, 0, 17)): short(pattern(0, 0, 300))},
	} {
		got := map[int]map[string]string{}
		for _, e := range dump(t, c, operator, state) {
			if got[int(e.Subtask)] == nil {
				got[int(e.Subtask)] = map[string]string{}
			}
			got[int(e.Subtask)][short(e.Key)] = short(e.Value)
		}
		all := map[int]map[string]string{}
		for _, s := range subtasks {
			all[s] = want
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("%s/%s (-want +got):\n%s", operator, state, diff)
		}
	}
}

// timers is the name of Flink's state for timers of processing time that a user's function has set.
const timers = "_timer_state/processing_user-timers"

// never is when the timer of key 0 is due.
const never = 4_102_444_800_000

// checkKeys compares the keyed state of one operator with that of every key. canonical tells the layout of collections.
func (k known) checkKeys(t *testing.T, c *contents.Checkpoint, operator string, canonical bool) {
	t.Helper()
	o, err := c.Operator(operator)
	if err != nil {
		t.Error(err)
		return
	}
	keys := map[string]int64{}
	want := map[string]map[int64]string{"visits": {}, "payload": {}, "fields": {}, "history": {}, timers: {}}
	for key := range k.keys {
		encoded, hash := longs(key)[0], int32(key^key>>32)
		if operator == "by-text" {
			name := fmt.Sprintf("key-%d", key)
			encoded, hash = text(name), 0
			for i := range len(name) {
				hash = 31*hash + int32(name[i])
			}
		}
		keys[string(encoded)] = key
		group := fmt.Sprintf("group %d: ", murmur(hash)%o.MaxParallelism)
		want["visits"][key] = group + short(longs((k.events - key + k.keys - 1) / k.keys)[0])
		want["payload"][key] = group + short(pattern(0, int(key), int(key%40)))
		want[timers][key] = group + fmt.Sprint(never+key)
		var fields, history []string
		for i := range key%3 + 1 {
			fields = append(fields, fmt.Sprintf("field-%d=%d", i, 10*key+i))
		}
		for i := range key%4 + 1 {
			history = append(history, short(pattern(int(key), int(i), int(i))))
		}
		want["fields"][key] = group + strings.Join(fields, " ")
		want["history"][key] = group + strings.Join(history, " ")
	}
	for state := range want {
		got := map[int64]string{}
		for _, e := range dump(t, c, operator, state) {
			key, ok := keys[string(e.Key)]
			if !ok || !slices.Equal(e.Namespace, []byte{0}) || e.KeyGroup == nil {
				t.Fatalf("%s/%s: an entry of key %x, namespace %x", operator, state, e.Key, e.Namespace)
			}
			value := ""
			switch {
			case state == timers && e.Time != nil:
				value = fmt.Sprint(*e.Time)
			case state == "fields":
				value = fields(t, e, canonical)
			case state == "history":
				value = history(t, e.Value, canonical)
			default:
				value = short(e.Value)
			}
			group := fmt.Sprintf("group %d: ", *e.KeyGroup)
			if before, twice := got[key]; twice && state == "fields" && canonical {
				// An entry of the map is an entry of the state, in no order.
				all := append(strings.Fields(strings.TrimPrefix(before, group)), value)
				slices.Sort(all)
				value = strings.Join(all, " ")
			} else if twice {
				t.Errorf("%s/%s: key %d stands there twice", operator, state, key)
			}
			got[key] = group + value
		}
		if diff := cmp.Diff(want[state], got); diff != "" {
			t.Errorf("%s/%s (-want +got):\n%s", operator, state, diff)
		}
	}
}

// fields reads a map of String to Long: the whole in a heap state, one entry of it in a canonical savepoint.
func fields(t *testing.T, e contents.Entry, canonical bool) string {
	t.Helper()
	all := map[string]int64{}
	one := func(key, value []byte) {
		n, size := binary.Uvarint(key)
		if size != 1 || len(key) != int(n) || len(value) != 9 || value[0] != 0 {
			t.Fatalf("a map entry of %x to %x", key, value)
		}
		all[string(key[1:])] = int64(binary.BigEndian.Uint64(value[1:])) // ASCII: a byte a unit
	}
	if canonical {
		one(e.UserKey, e.Value)
	} else {
		rest := e.Value[4:]
		for range binary.BigEndian.Uint32(e.Value) {
			n := int(rest[0])
			one(rest[:n], rest[n:n+9])
			rest = rest[n+9:]
		}
		if len(rest) > 0 {
			t.Fatalf("%d bytes after a map", len(rest))
		}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, fmt.Sprintf("%s=%d", key, all[key]))
	}
	return strings.Join(lines, " ")
}

// history reads a list of byte[]: with a count in front in a heap state, with commas between in a canonical savepoint.
func history(t *testing.T, value []byte, canonical bool) string {
	t.Helper()
	var all []string
	rest := value
	if !canonical {
		rest = value[4:]
	}
	for len(rest) > 0 {
		n := int(binary.BigEndian.Uint32(rest))
		all = append(all, short(rest[4:4+n]))
		if rest = rest[4+n:]; canonical && len(rest) > 0 {
			if rest[0] != ',' {
				t.Fatalf("a list goes on with %x", rest)
			}
			rest = rest[1:]
		}
	}
	if n := len(all); !canonical && int(binary.BigEndian.Uint32(value)) != n {
		t.Fatalf("a list says that it has %d elements and has %d", binary.BigEndian.Uint32(value), n)
	}
	return strings.Join(all, " ")
}

// murmur is org.apache.flink.util.MathUtils.murmurHash, which assigns the hash codes of keys to key groups.
func murmur(hash int32) int32 {
	h := bits.RotateLeft32(uint32(hash)*0xcc9e2d51, 15) * 0x1b873593
	h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	h ^= 4
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	h ^= h >> 16
	switch signed := int32(h); {
	case signed >= 0:
		return signed
	case signed != math.MinInt32:
		return -signed
	}
	return 0
}

func dump(t *testing.T, c *contents.Checkpoint, operator, state string) (all []contents.Entry) {
	t.Helper()
	err := c.DumpState(context.Background(), operator, state, func(e contents.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Errorf("%s/%s: %v", operator, state, err)
	}
	return all
}
