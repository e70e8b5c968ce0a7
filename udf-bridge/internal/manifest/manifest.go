// Package manifest is what a built jar says of itself: META-INF/drey/<build>/manifest.json, which Java reads at plan time
// and at open, and libraries.properties beside it.
//
// The functions are read leniently: the SDK that a user's module requires may be newer than this program, so what is not
// known here is carried through as it came.
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// Format is the version of manifest.json.
const Format = 1

// BuildFile is the entry that holds the build's id as text.
const BuildFile = "META-INF/drey/build"

// Dir is the folder of one build in the jar, without a slash at its end.
func Dir(build string) string { return "META-INF/drey/" + build }

// File is the entry of a build's manifest.
func File(build string) string { return Dir(build) + "/manifest.json" }

// LibrariesFile is the entry of a build's list of native libraries.
func LibrariesFile(build string) string { return Dir(build) + "/libraries.properties" }

// Kinds of functions, as package udf names them.
const (
	KindScalar    = "SCALAR"
	KindTable     = "TABLE"
	KindAggregate = "AGGREGATE"
	KindRaw       = "RAW"
	KindJSON      = "JSON"
)

// Manifest describes one build.
type Manifest struct {
	Format    int                `json:"format"`
	Build     string             `json:"build"` // 16 hexadecimal digits, a hash of all that follows
	ABI       string             `json:"abi"`   // of the C interface, "major.minor"
	Go        Go                 `json:"go"`
	Libraries map[string]Library `json:"libraries"` // by platform, as linux-amd64
	Functions []Function         `json:"functions"` // sorted by name
}

// Go says what the library was built from.
type Go struct {
	Version  string   `json:"version"` // of the toolchain, as go1.26.8
	SDK      string   `json:"sdk"`     // version of the Drey module
	Packages []string `json:"packages"`
	Modules  []Module `json:"modules"`
}

// Module is a module that is linked in. Version is (devel) for one that was built from a folder.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // as in go.sum
}

// Library is the pair of native libraries of a platform. Paths are relative to the build's folder in the jar, hashes are
// SHA-256 in hexadecimal.
type Library struct {
	Library       string `json:"library"`
	LibrarySHA256 string `json:"library_sha256"`
	Shim          string `json:"shim"`
	ShimSHA256    string `json:"shim_sha256"`
}

// Column is a named SQL type: an argument, a result, a field of a ROW, an element of an ARRAY.
type Column struct {
	Name string `json:"name"`
	SQL  string `json:"sql"`  // as DECIMAL(10, 2) NOT NULL
	Type Type   `json:"type"` // the same in parts
}

// Type is the parts of a SQL type. Element is set for ARRAY, MULTISET and MAP (its values), Key for MAP, Fields for ROW.
type Type struct {
	Root    string   `json:"root"` // as DECIMAL(10, 2), or ROW
	Key     *Type    `json:"key,omitempty"`
	Element *Column  `json:"element,omitempty"`
	Fields  []Column `json:"fields,omitempty"`
}

// Nullable says whether SQL NULL is a value of the column.
func (c Column) Nullable() bool { return !strings.HasSuffix(c.SQL, " NOT NULL") }

// Parameter is a job parameter that a function reads when it is opened.
type Parameter struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Doc     string `json:"doc"`
}

// Function is a function's description with what the builder adds to it: its class and its canonical signature.
type Function struct {
	Name          string      `json:"name"`
	Kind          string      `json:"kind"`
	Doc           string      `json:"doc"`
	Deterministic bool        `json:"deterministic"`
	NullOnNull    bool        `json:"null_on_null"`
	Retract       bool        `json:"retract"`
	Merge         bool        `json:"merge"`
	Parameters    []Parameter `json:"parameters"`
	Arguments     []Column    `json:"arguments"`
	Result        Column      `json:"result"`
	Accumulator   *Column     `json:"accumulator"`
	Signature     string      `json:"signature"`
	Class         string      `json:"class"` // as dev.drey.udf.RiskScore

	all map[string]json.RawMessage // as it came, with keys this program does not know
}

// MarshalJSON writes all that came, with the class as it is now.
func (f Function) MarshalJSON() ([]byte, error) {
	all := maps.Clone(f.all)
	if all == nil {
		type plain Function
		return marshal(plain(f))
	}
	class, err := marshal(f.Class)
	if err != nil {
		return nil, err
	}
	all["class"] = class
	return marshal(all)
}

// marshal is json.Marshal without the escapes for HTML: signatures are full of < and >.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSON reads a description.
func (f *Function) UnmarshalJSON(data []byte) error {
	type plain Function
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &p.all); err != nil {
		return err
	}
	*f = Function(p)
	return nil
}

// Bytes is the manifest as the jar holds it.
func (m Manifest) Bytes() ([]byte, error) {
	text, err := marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, text, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

// Parse reads a manifest.
func Parse(data []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("manifest.json: %w", err)
	}
	if m.Format != Format {
		return m, fmt.Errorf("manifest.json has format %d, this go-udf-builder reads %d; use the one that built the jar, or build it again", m.Format, Format)
	}
	return m, nil
}

// Of reads the manifest of a jar's entries.
func Of(jar map[string][]byte) (Manifest, error) {
	build := strings.TrimSpace(string(jar[BuildFile]))
	if build == "" {
		return Manifest{}, fmt.Errorf("no entry %s: this is not a jar that go-udf-builder made", BuildFile)
	}
	text := jar[File(build)]
	if text == nil {
		return Manifest{}, fmt.Errorf("no entry %s, which %s names; build the jar again", File(build), BuildFile)
	}
	m, err := Parse(text)
	if err == nil && m.Build != build {
		err = fmt.Errorf("manifest.json is of build %q, the jar of %q; build the jar again", m.Build, build)
	}
	return m, err
}
