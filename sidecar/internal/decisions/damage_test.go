package decisions

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// written makes a log of some sealed segments and an open one, and returns its files in order. Flush alone ends a block, so
// that where segments end does not depend on how busy the machine is.
func written(t *testing.T, codec string, decisions int) (dir string, files []segmentFile) {
	t.Helper()
	cfg := testConfig(t.TempDir())
	cfg.Compression, cfg.CommitEvery = codec, time.Hour
	l := start(t, cfg)
	for i := range decisions {
		l.append(sample(i))
		if i%10 == 0 {
			l.flush()
		}
	}
	l.flush()
	l.settle()
	l.stop()
	files, err := listSegments(cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	intact(t, cfg.Dir)
	return cfg.Dir, files
}

// copyOf makes a copy of a log to be spoilt.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever byte of a log is changed, Verify finds it, unless it changes nothing (a compressed block has bits that mean nothing).
func TestEveryByte(t *testing.T) {
	dir, files := written(t, "zstd", 400)
	if len(files) != 3 || !files[0].sealed || files[2].sealed {
		t.Fatalf("%+v", files)
	}
	head := parseHead(t, intact(t, dir).Head)
	want, harmless := collect(t, dir, Query{Notes: true}), 0
	for _, file := range files {
		step := int(file.size/70) + 1
		for at := 0; at < int(file.size); at += step {
			spoilt := copyOf(t, dir)
			rewrite(t, filepath.Join(spoilt, filepath.Base(file.path)), func(b []byte) []byte {
				b[at] ^= 0x40
				return b
			})
			if report := verify(t, spoilt, head); len(report.Problems) == 0 {
				harmless++
				if cmp.Equal(want, collect(t, spoilt, Query{Notes: true})) {
					continue
				}
				t.Fatalf("%s: byte %d of %d was changed: %+v", filepath.Base(file.path), at, file.size, report)
			}
		}
	}
	if harmless > 5 {
		t.Errorf("%d bytes mean nothing", harmless)
	}
}

func parseHead(t *testing.T, text string) segment.Head {
	t.Helper()
	h, err := segment.ParseHead(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// What somebody does who knows the format, and how it shows.
func TestTampered(t *testing.T) {
	dir, files := written(t, "none", 700)
	if len(files) < 5 {
		t.Fatalf("%+v", files)
	}
	head := parseHead(t, intact(t, dir).Head)
	name := func(i int) string { return filepath.Base(files[i].path) }
	tests := []struct {
		name   string
		tamper func(t *testing.T, dir string)
		expect segment.Head
		want   string
	}{
		{"a verdict is changed, with its checksum", func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, name(1)), func(b []byte) []byte { return forge(t, b, `"decision":"alert"`, `"decision":"pass_"`) })
		}, segment.Head{}, "one of them was changed"},
		{"a record of the last segment is changed", func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, name(len(files)-1)), func(b []byte) []byte { return forge(t, b, `"decision":"alert"`, `"decision":"pass_"`) })
		}, segment.Head{}, "one of them was changed"},
		{"a segment is removed", func(t *testing.T, dir string) { remove(t, dir, name(2)) }, segment.Head{}, "are missing, and no note"},
		{"the first segment is removed", func(t *testing.T, dir string) { remove(t, dir, name(0)) }, segment.Head{}, "records 1 to"},
		{"the last segment is removed", func(t *testing.T, dir string) { remove(t, dir, name(len(files)-1)) }, head, "its end is missing"},
		{"the end is cut off", func(t *testing.T, dir string) {
			path := filepath.Join(dir, name(len(files)-1))
			rewrite(t, path, func(b []byte) []byte { return b[:blockEnd(t, b)] })
		}, head, "its end is missing"},
		{"two segments are exchanged", func(t *testing.T, dir string) {
			a, b, c := filepath.Join(dir, name(1)), filepath.Join(dir, name(2)), filepath.Join(dir, "c")
			if err := errors.Join(os.Rename(a, c), os.Rename(b, a), os.Rename(c, b)); err != nil {
				t.Fatal(err)
			}
		}, segment.Head{}, "it was renamed"},
		{"a segment of another log is put in", func(t *testing.T, dir string) {
			other, theirs := written(t, "none", 700)
			b, err := os.ReadFile(filepath.Join(other, filepath.Base(theirs[2].path)))
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, filepath.Join(dir, name(2)), func([]byte) []byte { return b })
		}, segment.Head{}, "it does not follow the segment before it"},
		{"another log is put in its place", func(t *testing.T, dir string) {
			other, _ := written(t, "none", 700)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(dir, os.DirFS(other)); err != nil {
				t.Fatal(err)
			}
		}, head, "another hash than the one that was noted"},
		{"an index leads nowhere", func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, name(1)), func(b []byte) []byte {
				foot := b[len(b)-76:]
				clear(b[binary.LittleEndian.Uint64(foot):binary.LittleEndian.Uint64(foot[8:])])
				return b
			})
		}, segment.Head{}, "the index is not that of the records"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spoilt := copyOf(t, dir)
			test.tamper(t, spoilt)
			report := verify(t, spoilt, test.expect)
			if !slices.ContainsFunc(report.Problems, func(p Problem) bool { return strings.Contains(p.Message, test.want) }) {
				t.Errorf("%+v", report.Problems)
			}
			if len(report.Problems) > 5 { // two files that were exchanged are four, and the gap
				t.Errorf("one fault is reported %d times: %+v", len(report.Problems), report.Problems)
			}
		})
	}
	if report := verify(t, dir, head); len(report.Problems) > 0 {
		t.Fatalf("%+v", report)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// forge replaces a text by one as long in the first record that has it, and mends the record's checksum.
func forge(t *testing.T, b []byte, from, to string) []byte {
	t.Helper()
	at := bytes.Index(b, []byte(from))
	if at < 0 || len(from) != len(to) {
		t.Fatal("nothing to forge")
	}
	for start := at; start > 0; start-- { // the record's header is where the length and the checksum fit
		n := int(binary.LittleEndian.Uint32(b[start:]))
		if start+8+n <= len(b) && start+8+n > at {
			body := b[start+8 : start+8+n]
			table := crc32.MakeTable(crc32.Castagnoli)
			if crc32.Checksum(body, table) == binary.LittleEndian.Uint32(b[start+4:]) {
				copy(b[at:], to)
				binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, table))
				return b
			}
		}
	}
	t.Fatal("no record around it")
	return nil
}

// blockEnd is where the first block of an open segment ends.
func blockEnd(t *testing.T, b []byte) int {
	t.Helper()
	return segment.HeaderSize + segment.BlockHeaderSize + int(binary.LittleEndian.Uint32(b[segment.HeaderSize+4:]))
}

// Damage in the middle costs the block that has it: all others are found, and every reader says what is missing.
func TestDamagedBlock(t *testing.T) {
	dir, files := written(t, "s2", 700)
	for _, i := range []int{1, len(files) - 1} {
		t.Run(filepath.Ext(files[i].path), func(t *testing.T) {
			spoilt := copyOf(t, dir)
			rewrite(t, filepath.Join(spoilt, filepath.Base(files[i].path)), func(b []byte) []byte {
				b[segment.HeaderSize+segment.BlockHeaderSize+20] ^= 1
				return b
			})
			var damage error
			have := map[string]bool{}
			for e, err := range NewReader(spoilt).Range(t.Context(), Query{}) {
				if err != nil {
					damage = errors.Join(damage, err)
					continue
				}
				have[e.Decision.ID] = true
			}
			if !errors.Is(damage, segment.ErrDamaged) || !strings.Contains(damage.Error(), "drey decisions verify") {
				t.Fatal(damage)
			}
			lost := 0
			for i := range 700 {
				found, err := NewReader(spoilt).Lookup(t.Context(), sample(i).ID)
				if have[sample(i).ID] != (len(found) == 1) {
					t.Fatalf("%d: %v %v", i, found, err)
				}
				if len(found) == 0 {
					lost++
					if !errors.Is(err, segment.ErrDamaged) {
						t.Fatal("a decision that cannot be read is said not to be there")
					}
				}
			}
			if lost == 0 || lost > 150 {
				t.Fatalf("%d decisions were lost with one block", lost)
			}
		})
	}
}

// A damaged index costs time, no decisions.
func TestDamagedIndex(t *testing.T) {
	dir, files := written(t, "zstd", 700)
	for _, back := range []int64{10, 100, files[1].size / 20} { // footer, directory, its beginning
		t.Run(fmt.Sprint(back), func(t *testing.T) {
			spoilt := copyOf(t, dir)
			rewrite(t, filepath.Join(spoilt, filepath.Base(files[1].path)), func(b []byte) []byte {
				b[len(b)-int(back)] ^= 1
				return b
			})
			for i := range 700 {
				found, err := NewReader(spoilt).Lookup(t.Context(), sample(i).ID)
				if err != nil || len(found) != 1 {
					t.Fatal(i, found, err)
				}
			}
			if n := len(collect(t, spoilt, Query{})); n != 700 {
				t.Fatalf("%d decisions", n)
			}
			if report := verify(t, spoilt, segment.Head{}); len(report.Problems) == 0 {
				t.Fatal("not found")
			}
		})
	}
}

// The writer goes on after damage in the middle of its last segment and does not touch it.
func TestWriterGoesOnAfterDamage(t *testing.T) {
	dir, files := written(t, "none", 20)
	last := filepath.Join(dir, filepath.Base(files[0].path))
	rewrite(t, last, func(b []byte) []byte {
		b[blockEnd(t, b)+segment.BlockHeaderSize+30] ^= 1
		return b
	})
	was, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	l := start(t, testConfig(dir))
	for i := range 300 { // enough for it to be completed
		l.append(sample(1000 + i))
	}
	l.flush()
	if err := l.keep.round(t.Context()); err != nil && !errors.Is(err, segment.ErrDamaged) {
		t.Fatal(err)
	}
	l.stop()
	is, err := os.ReadFile(last)
	if err != nil || !bytes.HasPrefix(is, was) {
		t.Fatal("it was changed", err)
	}
	report := verify(t, dir, segment.Head{})
	if len(report.Problems) != 1 && len(report.Problems) != 2 {
		t.Fatalf("%+v", report.Problems)
	}
	if found, err := NewReader(dir).Lookup(t.Context(), sample(1299).ID); len(found) != 1 {
		t.Fatal(found, err)
	}
}

// A last segment whose header cannot be read is put aside.
func TestWriterWithoutHeader(t *testing.T) {
	dir, files := written(t, "none", 150)
	last := files[len(files)-1]
	rewrite(t, last.path, func(b []byte) []byte {
		b[0] = 'x'
		return b
	})
	l := start(t, testConfig(dir))
	l.append(sample(1000))
	l.stop()
	if _, err := os.Stat(filepath.Join(dir, segmentName(last.first, suffixDamaged))); err != nil {
		t.Fatal(err)
	}
	all := collect(t, dir, Query{Notes: true})
	if told := notes(all, NoteCut); len(told) != 1 || told[0].Bytes != uint64(last.size) || !strings.Contains(told[0].Reason, suffixDamaged) {
		t.Fatalf("%+v", told)
	}
	intact(t, dir)
}
