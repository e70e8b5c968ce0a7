package udf

import (
	"fmt"
	"strings"
)

// Kind says how Flink calls a function.
type Kind string

const (
	// KindScalar is called once a row and returns one value.
	KindScalar Kind = "SCALAR"
	// KindTable is called once a row and emits any number of rows.
	KindTable Kind = "TABLE"
	// KindAggregate turns many rows into one value.
	KindAggregate Kind = "AGGREGATE"
	// KindRaw takes and returns bytes; its caller and it agree on the encoding. The sidecar hands it JSON.
	KindRaw Kind = "RAW"
	// KindJSON takes and returns JSON as text.
	KindJSON Kind = "JSON"
)

// Description is what a caller must know of a function: its types as Flink's SQL names them.
type Description struct {
	Name          string          `json:"name"`
	Kind          Kind            `json:"kind"`
	Doc           string          `json:"doc,omitempty"`
	Deterministic bool            `json:"deterministic"`
	NullOnNull    bool            `json:"null_on_null,omitempty"`
	Retract       bool            `json:"retract,omitempty"` // an AGGREGATE that can take a row out again
	Merge         bool            `json:"merge,omitempty"`   // an AGGREGATE whose accumulators can be added up
	Parameters    []ParameterInfo `json:"parameters,omitempty"`
	Arguments     []Field         `json:"arguments"`
	Result        Field           `json:"result"` // of a TABLE, each row that it emits
	Accumulator   *Field          `json:"accumulator,omitempty"`
}

// ParameterInfo is a job parameter that a function reads when it is opened.
type ParameterInfo struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Doc     string `json:"doc,omitempty"`
}

// Signature is the description in one line: risk_score(amount DOUBLE NOT NULL, country STRING) -> DOUBLE NOT NULL. Two
// builds of a function whose signatures are equal understand each other's calls.
func (d Description) Signature() string {
	args := make([]string, len(d.Arguments))
	for i, a := range d.Arguments {
		args[i] = a.Name + " " + a.SQL()
	}
	s := fmt.Sprintf("%s(%s) -> %s", d.Name, strings.Join(args, ", "), d.Result.SQL())
	if d.Accumulator != nil {
		s += " USING " + d.Accumulator.SQL()
	}
	if d.NullOnNull {
		s += " RETURNS NULL ON NULL INPUT"
	}
	return s
}

// MaxFixed is how many arguments [Caller.Fixed] takes.
const MaxFixed = 4

// Fixed says whether [Caller.Fixed] can call the function: a SCALAR of at most four arguments, each of them and the
// result a number of at most 64 bits (BOOLEAN, TINYINT to BIGINT, FLOAT, DOUBLE, DATE, TIME, an INTERVAL).
func (d Description) Fixed() bool {
	if d.Kind != KindScalar || len(d.Arguments) > MaxFixed || !d.Result.Type.fixed() {
		return false
	}
	for _, a := range d.Arguments {
		if !a.Type.fixed() {
			return false
		}
	}
	return true
}
