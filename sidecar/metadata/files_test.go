package metadata

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLocation(t *testing.T) {
	for text, want := range map[string]Location{
		"s3://bucket/ck/chk-1":      {"s3", "bucket", "/ck/chk-1"},
		"S3A://bucket/key":          {"s3a", "bucket", "/key"},
		"s3p://b/a%20b?c#d":         {"s3p", "b", "/a%20b?c#d"},
		"file:/tmp/chk-1":           {"file", "", "/tmp/chk-1"},
		"file:///tmp/chk-1":         {"file", "", "/tmp/chk-1"},
		"/tmp/with:colon":           {"", "", "/tmp/with:colon"},
		"hdfs://namenode:8020/ck/x": {"hdfs", "namenode:8020", "/ck/x"},
	} {
		got, err := ParseLocation(text)
		if err != nil || got != want {
			t.Errorf("ParseLocation(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"":                         "not absolute",
		"relative":                 "not absolute",
		"s3://bucket":              "not absolute",
		"s3:/key":                  "no bucket",
		"s3:///key":                "no bucket",
		"s3://bucket/":             "empty element",
		"s3://bucket/a/../b":       "..",
		"s3://bucket/a/./b":        ".",
		"s3://bucket/a//b":         "empty element",
		"s3://bucket/a/":           "empty element",
		"/tmp/../etc/passwd":       "..",
		"/":                        "empty element",
		"//host/x":                 "no scheme",
		"s3://bucket/a\x00b":       "NUL",
		"3s://bucket/a":            "not a scheme",
		"a b:/x":                   "not a scheme",
		"file:tmp":                 "not absolute",
		"file:///../../etc/passwd": "..",
	} {
		if got, err := ParseLocation(text); !errors.Is(err, ErrLocation) || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseLocation(%q) = %+v, %v; want an error that says %q", text, got, err, says)
		}
	}
}

func TestResolve(t *testing.T) {
	dir := Location{"s3", "bucket", "/ck/chk-1"}
	for relative, want := range map[string]string{
		"3096ddf9-33af": "s3://bucket/ck/chk-1/3096ddf9-33af",
		"shared/x":      "s3://bucket/ck/chk-1/shared/x",
	} {
		if got, err := dir.Resolve(relative); err != nil || got.String() != want {
			t.Errorf("Resolve(%q) = %v, %v; want %s", relative, got, err, want)
		}
	}
	for _, relative := range []string{"", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", `\x`, "a//b", "a/", "s3://other/x", "a:b", "x\x00"} {
		if got, err := dir.Resolve(relative); !errors.Is(err, ErrLocation) {
			t.Errorf("Resolve(%q) = %v, %v; want it refused", relative, got, err)
		}
	}
	if got, err := (Location{"s3", "bucket", "/_metadata"}).Dir().Resolve("x"); err != nil || got.String() != "s3://bucket/x" {
		t.Errorf("beside a _metadata at the root: %v, %v", got, err)
	}
	if got, err := (Location{"file", "", "/ck/chk-1/_metadata"}).Dir().Resolve("x"); err != nil || got.String() != "file:/ck/chk-1/x" {
		t.Errorf("beside a local file: %v, %v", got, err)
	}
}

// referencing is a model in which one operator refers to the streams given.
func referencing(streams ...StreamHandle) *Metadata {
	operator := Operator{ID: FromUID("x"), Parallelism: int32(len(streams)), MaxParallelism: 128}
	for i, stream := range streams {
		operator.Subtasks = append(operator.Subtasks, Subtask{Index: int32(i), SubtaskState: &SubtaskState{
			ManagedOperator: &OperatorHandle{Type: 4, Stream: stream}}})
	}
	return &Metadata{Version: 6, Operators: []Operator{operator}}
}

func TestFiles(t *testing.T) {
	dir := Location{"s3", "bucket", "/ck/chk-1"}
	m := referencing(
		&InlineHandle{Data: []byte("x")}, nil, EmptySegmentHandle{},
		&RelativeHandle{Path: "b", Size: 10},
		&FileHandle{Path: "s3a://bucket/ck/chk-1/b", Size: 10}, // the same file by another plugin
		&FileHandle{Path: "s3://bucket/ck/chk-1/a", Size: -1},
		&SegmentHandle{Path: "s3p://bucket/merged", Start: 50, Size: 10},
		&SegmentHandle{Path: "s3p://bucket/merged", Start: 10, Size: 10},
		&SegmentHandle{Path: "s3p://bucket/merged", Start: 15, Size: 15},
		&SegmentHandle{Path: "s3p://bucket/merged", Start: 12, Size: 3},
		&KeyGroupsHandle{Type: TypeKeyGroups, Stream: &FileHandle{Path: "file:/x", Size: 3}},
		&FileHandle{Path: "/x", Size: 3},
	)
	files, err := m.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []File{
		{"file:/x", Location{"file", "", "/x"}, Absolute, []Range{{0, 3}}, true, false},
		{"s3://bucket/ck/chk-1/a", Location{"s3", "bucket", "/ck/chk-1/a"}, Absolute, []Range{{0, -1}}, true, false},
		{"b", Location{"s3", "bucket", "/ck/chk-1/b"}, Absolute, []Range{{0, 10}}, true, false},
		{"s3p://bucket/merged", Location{"s3p", "bucket", "/merged"}, Segment, []Range{{10, 20}, {50, 10}}, false, false},
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if offset, size := files[3].Offset(), files[3].Size(); offset != 10 || size != 50 {
		t.Errorf("the merged file is needed from %d on for %d bytes; want 10, 50", offset, size)
	}
	if size := files[1].Size(); size != -1 {
		t.Errorf("a file of unknown size has %d bytes", size)
	}
	none, err := m.FilesOf(dir, func(*Operator) bool { return false })
	if err != nil || len(none) != 0 {
		t.Errorf("files of no operator: %v, %v", none, err)
	}
}

func TestFilesRefused(t *testing.T) {
	dir := Location{"s3", "bucket", "/ck/chk-1"}
	for _, stream := range []StreamHandle{
		&RelativeHandle{Path: "../../other/secret", Size: 1},
		&RelativeHandle{Path: "/etc/passwd", Size: 1},
		&FileHandle{Path: "file:/ck/../etc/passwd", Size: 1},
		&SegmentHandle{Path: "relative", Size: 1},
		&FileHandle{Path: "s3://bucket/a\x00", Size: 1},
	} {
		m := referencing(stream)
		if files, err := m.Files(dir); !errors.Is(err, ErrLocation) || !strings.Contains(err.Error(), FromUID("x").String()) {
			t.Errorf("%+v: %v, %v; want an error that names the operator", stream, files, err)
		}
		if _, err := Describe(m, dir); !errors.Is(err, ErrLocation) {
			t.Errorf("%+v: describe: %v", stream, err)
		}
	}
}

func TestReferences(t *testing.T) {
	m := parse(t, read(t, "merged"))
	kinds := map[ReferenceKind]int{}
	for r := range m.References() {
		kinds[r.Kind]++
		if r.Kind == Segment && (r.Path == "" || r.Size <= 0) {
			t.Errorf("reference %+v", r)
		}
	}
	// Four empty segments and one coordinator count as inline.
	if diff := cmp.Diff(map[ReferenceKind]int{Inline: 5, Segment: 8}, kinds); diff != "" {
		t.Error(diff)
	}
	for range m.References() {
		break // leaving early is allowed
	}
}

// TestSizesDoNotWrap: sizes come from outside, and their sum must not turn negative.
func TestSizesDoNotWrap(t *testing.T) {
	m := referencing(&FileHandle{Path: "/a", Size: math.MaxInt64}, &FileHandle{Path: "/b", Size: math.MaxInt64}, &FileHandle{Path: "/c", Size: -1})
	d, err := Describe(m, Location{Path: "/ck"})
	if err != nil || d.TotalSize != math.MaxInt64 {
		t.Errorf("total size %d, %v", d.TotalSize, err)
	}
}

func TestSame(t *testing.T) {
	parse := func(text string) Location {
		location, err := ParseLocation(text)
		if err != nil {
			t.Fatal(err)
		}
		return location
	}
	for _, pair := range [][2]string{{"s3://b/k", "s3p://b/k"}, {"s3a://b/k", "s3://b/k"}, {"file:/x", "/x"}, {"file:///x", "file:/x"}} {
		if !parse(pair[0]).Same(parse(pair[1])) {
			t.Errorf("%s and %s are not the same", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"s3://b/k", "s3://c/k"}, {"s3://b/k", "hdfs://b/k"}, {"file://host/x", "/x"}, {"s3://b/k", "s3://b/K"}} {
		if parse(pair[0]).Same(parse(pair[1])) {
			t.Errorf("%s and %s are the same", pair[0], pair[1])
		}
	}
	if !parse("file:/x").IsLocal() || parse("file://host/x").IsLocal() || parse("s3://b/x").IsLocal() {
		t.Error("what is local")
	}
}

// TestDescribeEverything: what the captures lack, in JSON.
func TestDescribeEverything(t *testing.T) {
	m := everything(7)
	d, err := Describe(m, Location{"s3", "b", "/ck"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"fully_finished":true,"subtasks":[],"coordinator_bytes":0`,
		`{"index":63,"finished":true,"operator_state":{},"keyed_state":[],"size":0}`,
		`"raw_operator_state":{"raw":{"mode":"SPLIT","entries":1}}`,
		`"raw_keyed_state":[{"type":"savepoint","key_groups":[0,0],"size":3}]`,
		`{"type":"incremental","key_groups":[1,2],"size":14}`,
		`{"type":"changelog","key_groups":[1,2],"size":82}`,
		`"input_channel_bytes":6,"output_channel_bytes":7,"size":13`,
		`"taken_over_from":17`,
		`"coordinator_bytes":11`,
		`{"path":"s3p://b/seg","offset":5,"size":6}`,
		`{"path":"s3://b/raw","offset":0,"size":-1}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the description lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), `"snapshot"`) {
		t.Error("a snapshot is described that the file says nothing of")
	}
	streams := 0
	for _, subtask := range m.Operators[0].Subtasks {
		for range subtask.Streams() {
			streams++
		}
		for range subtask.Streams() {
			break // leaving early is allowed
		}
	}
	references := 0
	for range m.References() {
		references++
	}
	if references != streams+1 { // and the coordinator
		t.Errorf("%d references, %d streams of subtasks", references, streams)
	}
}

// TestRough: the size of a changelog's files is not told by their handles, that of all other files is.
func TestRough(t *testing.T) {
	files, err := parse(t, read(t, "changelog")).Files(directory(t, readGolden(t, "changelog")))
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	for _, file := range files {
		if strings.Contains(file.Location.Path, "/dstl/") {
			changes++
		}
		if want := strings.Contains(file.Location.Path, "/dstl/"); file.Rough != want || !file.Whole {
			t.Errorf("%s: rough %v, whole %v; want %v, true", file.Location, file.Rough, file.Whole, want)
		}
	}
	if changes != 4 {
		t.Errorf("%d files of changes, want 4", changes)
	}
}
