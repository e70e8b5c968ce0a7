package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A record of these tests is "id time job epoch", padded.
func testKey(body []byte) (Key, error) {
	parts := strings.Fields(string(body))
	if len(parts) < 4 {
		return Key{}, errors.New("not a test record")
	}
	k := Key{ID: []byte(parts[0]), Job: []byte(parts[2]), Note: parts[2] == "-"}
	_, err := fmt.Sscan(parts[1]+" "+parts[3], &k.Time, &k.Epoch)
	return k, err
}

func record(i int, job string) string {
	return fmt.Sprintf("id%d %d %s %d %s", i, 1000+i, job, i/10, strings.Repeat("x", i%300))
}

// openSegment is an open segment with blocks of some records each.
func openSegment(before Head, records []string, perBlock int) []byte {
	out := NewHeader(before, time.Unix(1, 2))
	chain := NewChain(before)
	for len(records) > 0 {
		n := min(perBlock, len(records))
		block := make([]byte, BlockHeaderSize)
		earliest, latest := int64(0), int64(0)
		for i, text := range records[:n] {
			start := len(block)
			block = FinishRecord(append(BeginRecord(block), text...), start)
			chain.Add([]byte(text))
			if k, err := testKey([]byte(text)); err == nil {
				if i == 0 {
					earliest = k.Time
				}
				latest = k.Time
			}
		}
		PutBlockHeader(block, len(block)-BlockHeaderSize, n, earliest, latest, chain.Head())
		out = append(out, block...)
		records = records[n:]
	}
	return out
}

func reopen(t *testing.T, b []byte) *File {
	t.Helper()
	f, err := new(Reader).From(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func scanAll(t *testing.T, f *File) (all []string) {
	t.Helper()
	for scan := f.Scan(); ; {
		b, err := scan.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for seq, body := range b.Records() {
			if seq != f.Header.Before.Seq+uint64(len(all))+1 {
				t.Fatalf("number %d after %d records", seq, len(all))
			}
			all = append(all, string(body))
		}
	}
}

func check(t *testing.T, f *File) (Checked, []string) {
	t.Helper()
	var problems []string
	checked, err := f.Check(t.Context(), testKey, func(Head, []byte) {}, func(err error) { problems = append(problems, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	return checked, problems
}

// The same records, whatever the codec and the blocks, and the same chain; every id is found, and every job with its epochs.
func TestSeal(t *testing.T) {
	before := Head{Seq: 41, Hash: [32]byte{9}}
	var records []string
	for i := range 3000 {
		job := fmt.Sprint("job", i%3)
		if i%100 == 0 {
			job = "-"
		}
		records = append(records, record(i, job))
	}
	raw := openSegment(before, records, 7)
	open := reopen(t, raw)
	if diff := cmp.Diff(records, scanAll(t, open)); diff != "" {
		t.Fatal(diff)
	}
	whole, problems := check(t, open)
	if len(problems) > 0 || whole.Records != 3000 || whole.Last.Seq != 3041 {
		t.Fatal(whole, problems)
	}
	for codec := None; codec <= Zstd; codec++ {
		t.Run(codec.String(), func(t *testing.T) {
			var out bytes.Buffer
			sealed, err := Seal(t.Context(), open, &out, codec, testKey)
			if err != nil {
				t.Fatal(err)
			}
			if sealed.Last != whole.Last || sealed.Records != 3000 || sealed.Bytes != int64(out.Len()) {
				t.Fatalf("%+v, %d bytes", sealed, out.Len())
			}
			f := reopen(t, out.Bytes())
			if last, ok := f.Last(); !ok || last != whole.Last || !f.Sealed() || f.Header.Before != before || !f.Header.Created.Equal(time.Unix(1, 2)) {
				t.Fatalf("%+v %v", f.Header, last)
			}
			if diff := cmp.Diff(records, scanAll(t, f)); diff != "" {
				t.Fatal(diff)
			}
			if checked, problems := check(t, f); len(problems) > 0 || checked != whole {
				t.Fatal(checked, problems)
			}
			dir, err := f.Directory()
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]Span{"job0": {0, 299}, "job1": {0, 299}, "job2": {0, 299}}
			if diff := cmp.Diff(want, dir.Jobs); diff != "" || dir.Decisions != 2970 || len(dir.Blocks) < 5 {
				t.Fatal(diff, dir.Decisions, len(dir.Blocks))
			}
			inVain := 0
			for i := range 6000 {
				blocks, err := f.Candidates(dir, fmt.Sprint("id", i))
				if err != nil {
					t.Fatal(err)
				}
				found := false
				for _, n := range blocks {
					b, err := f.Block(dir.Blocks[n])
					if err != nil {
						t.Fatal(err)
					}
					here := false
					for _, body := range b.Records() {
						here = here || strings.HasPrefix(string(body), fmt.Sprintf("id%d ", i))
					}
					if !here {
						inVain++
					}
					found = found || here
				}
				if found != (i < 3000) {
					t.Fatalf("id%d found: %t", i, found)
				}
			}
			if inVain > 30 {
				t.Errorf("%d of 6000 searches read a block in vain", inVain)
			}
			// The same records give the same bytes, whatever blocks they came in.
			var again bytes.Buffer
			if _, err := Seal(t.Context(), reopen(t, openSegment(before, records, 100)), &again, codec, testKey); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
				t.Error("sealed differently", err)
			}
		})
	}
}

func TestSealEmptyAndMany(t *testing.T) {
	var out bytes.Buffer
	sealed, err := Seal(t.Context(), reopen(t, openSegment(Head{}, nil, 1)), &out, Zstd, testKey)
	if err != nil || sealed.Records != 0 {
		t.Fatal(sealed, err)
	}
	f := reopen(t, out.Bytes())
	dir, err := f.Directory()
	if err != nil || len(dir.Blocks) != 0 {
		t.Fatal(dir, err)
	}
	if found, err := f.Candidates(dir, "id1"); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
	if _, problems := check(t, f); len(problems) > 0 {
		t.Fatal(problems)
	}
	var records []string
	for i := range maxJobs + 1 {
		records = append(records, record(i, fmt.Sprint("job", i)))
	}
	out.Reset()
	if _, err := Seal(t.Context(), reopen(t, openSegment(Head{}, records, 50)), &out, S2, testKey); err != nil {
		t.Fatal(err)
	}
	f = reopen(t, out.Bytes())
	if dir, err = f.Directory(); err != nil || dir.Jobs != nil || dir.Decisions != maxJobs+1 {
		t.Fatalf("%d jobs %v", len(dir.Jobs), err)
	}
	if _, problems := check(t, f); len(problems) > 0 {
		t.Fatal(problems)
	}
}

func TestSealRefuses(t *testing.T) {
	var records []string
	for i := range 50 {
		records = append(records, record(i, "job"))
	}
	whole := openSegment(Head{}, records, 5)
	spoil := func(change func(b []byte) []byte) []byte { return change(bytes.Clone(whole)) }
	tests := map[string][]byte{
		"a flipped bit":  spoil(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		"an unfinished":  whole[:len(whole)-3],
		"a foreign body": openSegment(Head{}, []string{"what?"}, 1),
		"a wrong hash":   append(NewHeader(Head{Hash: [32]byte{1}}, time.Time{}), whole[HeaderSize:]...),
		"a wrong number": append(NewHeader(Head{Seq: 1}, time.Time{}), whole[HeaderSize:]...),
	}
	for name, b := range tests {
		if _, err := Seal(t.Context(), reopen(t, b), io.Discard, None, testKey); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Seal(t.Context(), reopen(t, whole), refusing{}, None, testKey); !errors.Is(err, errRefused) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Seal(ctx, reopen(t, whole), io.Discard, None, testKey); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

var errRefused = errors.New("refused")

type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, errRefused }

// A scanner at the end of a file that grows: half a block is nothing, the other half makes it whole.
func TestScanGrowing(t *testing.T) {
	whole := openSegment(Head{}, []string{record(1, "j"), record(2, "j"), record(3, "j")}, 1)
	path := filepath.Join(t.TempDir(), "s")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(whole[:HeaderSize]); err != nil {
		t.Fatal(err)
	}
	f, err := new(Reader).Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scan := f.Scan()
	seen := 0
	for at := HeaderSize; at < len(whole); at++ {
		b, err := scan.Next()
		switch {
		case err == nil:
			seen += b.Count
		case !errors.Is(err, io.EOF) && !errors.Is(err, ErrUnfinished):
			t.Fatal(at, err)
		}
		if _, err := file.Write(whole[at : at+1]); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := scan.Next(); err != nil || seen != 2 || b.First != 3 {
		t.Fatal(seen, b, err)
	}
	if _, err := scan.Next(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestHeads(t *testing.T) {
	h := Head{Seq: 12, Hash: [32]byte{1, 2, 255}}
	if back, err := ParseHead(h.String()); err != nil || back != h {
		t.Fatal(back, err)
	}
	for _, text := range []string{"", "12", "12:", "x:" + h.String()[3:], h.String() + "00"} {
		if _, err := ParseHead(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestOtherVersion(t *testing.T) {
	b := NewHeader(Head{}, time.Time{})
	b[8] = 2
	if _, err := new(Reader).From(bytes.NewReader(b), int64(len(b))); err == nil || !strings.Contains(err.Error(), "format 2; this drey reads format 1") {
		t.Fatal(err)
	}
	if _, err := ParseCodec("lzma"); err == nil {
		t.Fatal("lzma")
	}
}

// FuzzReader: whatever bytes stand in a file, reading them ends, panics nowhere and takes no more memory than there is reason
// for; a block that is read is one that could have been written.
func FuzzReader(f *testing.F) {
	var records []string
	for i := range 60 {
		records = append(records, record(i, fmt.Sprint("job", i%2)))
	}
	raw := openSegment(Head{Seq: 3}, records, 20)
	f.Add(raw)
	for codec := None; codec <= Zstd; codec++ {
		var out bytes.Buffer
		file, err := new(Reader).From(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			f.Fatal(err)
		}
		if _, err := Seal(context.Background(), file, &out, codec, testKey); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	var reader Reader
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		mend(b)
		file, err := reader.From(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for scan, n := file.Scan(), 0; n < 1000; n++ {
			block, err := scan.Next()
			if err == nil {
				count := 0
				for seq, body := range block.Records() {
					if seq != block.First+uint64(count) || len(body) > MaxBlock {
						t.Fatal(seq, len(body))
					}
					count++
				}
				if count != block.Count {
					t.Fatal(count, block.Count)
				}
				continue
			}
			if more, err := scan.Resync(); err != nil || !more {
				break
			}
		}
		if dir, err := file.Directory(); err == nil {
			for _, id := range []string{"", "id1", "id59", "no"} {
				blocks, err := file.Candidates(dir, id)
				if err != nil {
					continue
				}
				for _, n := range blocks {
					_, _ = file.Block(dir.Blocks[n]) // an error is as good
				}
			}
		}
		if _, err := file.Check(t.Context(), testKey, func(Head, []byte) {}, func(error) {}); err != nil {
			t.Fatal(err)
		}
	})
}

// mend makes the checksums of what the fuzzer changed fit, where it is known what they are of: else it would never get past them.
func mend(b []byte) {
	sum := func(from, to, at int) {
		if from >= 0 && from <= to && at+4 <= len(b) && to <= len(b) {
			order.PutUint32(b[at:], checksum(b[from:to]))
		}
	}
	sum(0, 64, 64)
	for at := HeaderSize; at+BlockHeaderSize <= len(b) && bytes.Equal(b[at:at+4], blockMagic); {
		sum(at, at+72, at+72)
		stored := int(order.Uint32(b[at+4:]))
		end := at + BlockHeaderSize + stored
		if stored > len(b) || end > len(b) {
			break
		}
		if b[11] == byte(None) {
			for r := at + BlockHeaderSize; r+recordHeader <= end; {
				n := int(order.Uint32(b[r:]))
				if n > end-r-recordHeader {
					break
				}
				sum(r+recordHeader, r+recordHeader+n, r+4)
				r += recordHeader + n
			}
		}
		at = end
	}
	if foot := len(b) - footerSize; foot >= HeaderSize {
		if dir := order.Uint64(b[foot+8:]); dir < uint64(foot) {
			sum(int(dir), foot, foot+20)
		}
		sum(foot, foot+64, foot+64)
	}
}
