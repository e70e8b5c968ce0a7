package metadata

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/drey-flink/drey/sidecar/metadata/internal/javautf"
)

var (
	errJavaMagic      = errors.New("not a Java serialization stream")
	errJavaTruncated  = errors.New("the Java serialization stream ends too early")
	errJavaString     = errors.New("a string in the Java serialization stream is damaged")
	errJavaUnexpected = errors.New("something in the Java serialization stream is not understood")
)

// Snapshot is what the file's CheckpointProperties say of the kind of snapshot. All is empty in version 3, and where the
// properties are written in a way that this package does not understand: they are Java objects, not a format.
type Snapshot struct {
	// Known is true if the rest could be read.
	Known bool `json:"-"`
	// Savepoint tells savepoints from checkpoints.
	Savepoint bool `json:"savepoint"`
	// Format is CANONICAL or NATIVE for savepoints.
	Format string `json:"format,omitempty"`
	// Name is Flink's name: "Checkpoint", "Full Checkpoint", "Savepoint", "Suspend Savepoint", "Terminate Savepoint".
	Name string `json:"name"`
}

// readProperties reads a serialized org.apache.flink.runtime.checkpoint.CheckpointProperties. end is where reading stopped. With
// errJavaUnexpected the stream may be sound and only be of another Flink; the other errors mean damage.
func readProperties(data []byte) (snapshot Snapshot, end int, err error) {
	j := javaStream{data: data}
	if len(data) >= 4 && binary.BigEndian.Uint32(data) != 0xaced0005 {
		return snapshot, 0, errJavaMagic
	}
	j.take(4)
	root := j.content(0)
	if j.err != nil {
		return snapshot, j.at, j.err
	}
	kind := root.field("checkpointType")
	if kind == nil {
		return snapshot, j.at, errJavaUnexpected
	}
	snapshot = Snapshot{Known: true, Savepoint: strings.HasSuffix(kind.class, ".SavepointType")}
	if name := kind.field("name"); name != nil {
		snapshot.Name = name.text
	}
	if format := kind.field("formatType"); format != nil {
		snapshot.Format = format.text
	}
	return snapshot, j.at, nil
}

// javaStream walks the part of the grammar that objects with default serialization, strings and enums need (Java Object
// Serialization Specification, section 6.4).
type javaStream struct {
	data    []byte
	at      int
	err     error
	handles []*javaValue // in the order of the stream, which counts them from 0x7e0000
	values  int          // fields and handles so far
}

// maxJavaValues is far above what CheckpointProperties needs, about 40, and keeps a made-up stream from taking memory.
const maxJavaValues = 1024

// javaValue is a class description, an object, a string or an enum constant.
type javaValue struct {
	class  string // of the object, or described by the class description
	text   string // of the string, name of the enum constant
	fields []javaField
	// of class descriptions
	flags byte
	super *javaValue
}

type javaField struct {
	name  string
	code  byte
	value *javaValue
}

func (v *javaValue) field(name string) *javaValue {
	if v != nil {
		for i := range v.fields {
			if v.fields[i].name == name {
				return v.fields[i].value
			}
		}
	}
	return nil
}

func (j *javaStream) fail(err error) {
	if j.err == nil {
		j.err = err
	}
}

func (j *javaStream) take(n int) []byte {
	if n > len(j.data)-j.at {
		j.fail(errJavaTruncated)
	}
	if j.err != nil {
		return make([]byte, 8)[:min(n, 8)]
	}
	bytes := j.data[j.at : j.at+n]
	j.at += n
	return bytes
}

func (j *javaStream) spend() {
	if j.values++; j.values > maxJavaValues {
		j.fail(errJavaUnexpected)
	}
}

func (j *javaStream) utf() string {
	text, ok := javautf.Decode(j.take(int(binary.BigEndian.Uint16(j.take(2)))))
	if !ok {
		j.fail(errJavaString)
	}
	return text
}

func (j *javaStream) handle(value *javaValue) *javaValue {
	j.spend()
	j.handles = append(j.handles, value)
	return value
}

// content reads one element; nil stands for null and for an error.
func (j *javaStream) content(depth int) *javaValue {
	if depth > maxDepth {
		j.fail(errJavaUnexpected)
	}
	code := j.take(1)[0]
	if j.err != nil {
		return nil
	}
	switch code {
	case 0x70: // TC_NULL
		return nil
	case 0x71: // TC_REFERENCE
		index := int64(binary.BigEndian.Uint32(j.take(4))) - 0x7e0000
		if j.err == nil && index >= 0 && index < int64(len(j.handles)) {
			return j.handles[index]
		}
	case 0x72: // TC_CLASSDESC
		return j.classDescription(depth)
	case 0x73: // TC_OBJECT
		return j.object(depth)
	case 0x74: // TC_STRING
		value := j.handle(&javaValue{class: "java.lang.String"})
		value.text = j.utf()
		return value
	case 0x7e: // TC_ENUM
		class := j.content(depth + 1)
		value := j.handle(&javaValue{})
		name := j.content(depth + 1)
		if class != nil && name != nil {
			value.class, value.text = class.class, name.text
			return value
		}
	}
	j.fail(errJavaUnexpected)
	return nil
}

func (j *javaStream) classDescription(depth int) *javaValue {
	description := &javaValue{class: j.utf()}
	j.take(8) // serialVersionUID
	j.handle(description)
	description.flags = j.take(1)[0]
	fields := int(binary.BigEndian.Uint16(j.take(2)))
	for range fields {
		field := javaField{code: j.take(1)[0], name: j.utf()}
		if field.code == 'L' || field.code == '[' {
			j.content(depth + 1) // the field's type
		}
		if j.spend(); j.err != nil {
			return nil
		}
		description.fields = append(description.fields, field)
	}
	if end := j.take(1)[0]; end != 0x78 { // TC_ENDBLOCKDATA
		j.fail(errJavaUnexpected)
	}
	description.super = j.content(depth + 1)
	return description
}

func (j *javaStream) object(depth int) *javaValue {
	class := j.content(depth + 1)
	if class == nil {
		j.fail(errJavaUnexpected)
		return nil
	}
	object := j.handle(&javaValue{class: class.class})
	var lineage []*javaValue
	for ; class != nil; class = class.super {
		if len(lineage) > maxDepth || class.flags != 0x02 { // SC_SERIALIZABLE alone: no writeObject of its own
			j.fail(errJavaUnexpected)
			return nil
		}
		lineage = append(lineage, class)
	}
	for i := len(lineage) - 1; i >= 0; i-- { // the fields of the oldest class come first
		for _, field := range lineage[i].fields {
			switch field.code {
			case 'Z', 'B':
				j.take(1)
			case 'S', 'C':
				j.take(2)
			case 'I', 'F':
				j.take(4)
			case 'J', 'D':
				j.take(8)
			case 'L', '[':
				field.value = j.content(depth + 1)
			default:
				j.fail(errJavaUnexpected)
			}
			if j.spend(); j.err != nil {
				return nil
			}
			object.fields = append(object.fields, field)
		}
	}
	return object
}
