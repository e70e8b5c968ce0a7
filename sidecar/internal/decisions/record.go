package decisions

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// The fields of a record, in Protocol Buffers' wire format; doc.go has them as a message.
const (
	fieldID           protowire.Number = 1
	fieldTime         protowire.Number = 2
	fieldNote         protowire.Number = 3
	fieldJob          protowire.Number = 4
	fieldOperator     protowire.Number = 5
	fieldSubtask      protowire.Number = 6
	fieldEpoch        protowire.Number = 7
	fieldFence        protowire.Number = 8
	fieldFunction     protowire.Number = 9
	fieldBuild        protowire.Number = 10
	fieldInput        protowire.Number = 11
	fieldResult       protowire.Number = 12
	fieldErrorCode    protowire.Number = 13
	fieldErrorMessage protowire.Number = 14
	fieldState        protowire.Number = 15
	fieldRule         protowire.Number = 16
	fieldReplayed     protowire.Number = 17
	fieldMasked       protowire.Number = 18
	fieldOmitted      protowire.Number = 19
	fieldKey          protowire.Number = 20
	fieldKeyGroup     protowire.Number = 21
	fieldVersion      protowire.Number = 22
	fieldWrites       protowire.Number = 23
	fieldWatermark    protowire.Number = 24
	fieldSession      protowire.Number = 25
	fieldRestored     protowire.Number = 26
	fieldStateUnnamed protowire.Number = 27

	stateName    protowire.Number = 1
	stateKey     protowire.Number = 2
	stateVersion protowire.Number = 3

	noteKind      protowire.Number = 1
	noteDecisions protowire.Number = 2
	noteBytes     protowire.Number = 3
	noteReason    protowire.Number = 4
	noteHeadSeq   protowire.Number = 5
	noteHeadHash  protowire.Number = 6
	noteBuild     protowire.Number = 7
)

func appendText[T string | []byte](b []byte, n protowire.Number, text T) []byte {
	if len(text) == 0 {
		return b
	}
	b = protowire.AppendTag(b, n, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendNumber(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func appendTime(b []byte, t time.Time) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, fieldTime, protowire.Fixed64Type), uint64(t.UnixNano()))
}

// encoder makes records of decisions: what is to be masked is masked here, in the caller's goroutine, so that it stands
// nowhere in the log's memory either.
type encoder struct {
	masks    masks
	maxValue int
}

// append appends the body of a record. The id and the time come first: most searches need no more.
func (e *encoder) append(b []byte, d *Decision) []byte {
	b = appendText(b, fieldID, d.ID)
	when := d.Time
	if when.IsZero() {
		when = time.Now()
	}
	b = appendTime(b, when)
	b = appendText(b, fieldJob, d.Job)
	b = appendText(b, fieldOperator, d.Operator)
	b = appendNumber(b, fieldSubtask, uint64(max(0, d.Subtask)))
	b = appendNumber(b, fieldEpoch, d.Epoch)
	b = appendNumber(b, fieldFence, d.Fence)
	b = appendText(b, fieldFunction, d.Function)
	b = appendText(b, fieldBuild, d.Build)
	var masked, omitted Parts
	b = e.appendValue(b, fieldInput, d.Input, InInput, &masked, &omitted)
	b = e.appendValue(b, fieldResult, d.Result, InResult, &masked, &omitted)
	b = appendText(b, fieldErrorCode, d.ErrorCode)
	if d.ErrorMessage != "" && e.masks.has("error") {
		b = appendText(b, fieldErrorMessage, maskText)
		masked |= InError
	} else {
		b = appendText(b, fieldErrorMessage, d.ErrorMessage)
	}
	for i := range d.State {
		b = e.appendState(b, &d.State[i], &masked)
	}
	b = appendNumber(b, fieldStateUnnamed, uint64(max(0, d.StateUnnamed)))
	for _, rule := range d.Rules {
		b = protowire.AppendString(protowire.AppendTag(b, fieldRule, protowire.BytesType), rule)
	}
	if d.Replayed {
		b = appendNumber(b, fieldReplayed, 1)
	}
	if d.Key != "" && e.masks.has("key") {
		b = appendText(b, fieldKey, maskText)
		masked |= InState
	} else {
		b = appendText(b, fieldKey, d.Key)
	}
	b = appendText(b, fieldSession, d.Session)
	b = appendNumber(b, fieldRestored, d.Restored)
	b = appendNumber(b, fieldKeyGroup, uint64(max(0, d.KeyGroup)))
	b = appendNumber(b, fieldVersion, d.Version)
	b = appendNumber(b, fieldWrites, uint64(max(0, d.Writes)))
	if d.Watermark != math.MinInt64 {
		b = appendNumber(b, fieldWatermark, protowire.EncodeZigZag(d.Watermark))
	}
	b = appendNumber(b, fieldMasked, uint64(masked))
	return appendNumber(b, fieldOmitted, uint64(omitted))
}

// appendValue appends a JSON value, masked, or what stands for it if it is too long.
func (e *encoder) appendValue(b []byte, n protowire.Number, value []byte, part Parts, masked, omitted *Parts) []byte {
	if len(value) > e.maxValue {
		*omitted |= part
		return appendText(b, n, omittedValue(value))
	}
	if len(value) == 0 || e.masks.none() {
		return appendText(b, n, value)
	}
	b = protowire.AppendTag(b, n, protowire.BytesType)
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0) // the length, in a varint of five bytes, since it is known only afterwards
	b, n2 := e.masks.append(b, value)
	if n2 > 0 {
		*masked |= part
	}
	putLength(b[start:], len(b)-start-5)
	return b
}

// putLength writes a varint of exactly five bytes, which every reader of the wire format takes.
func putLength(b []byte, n int) {
	for i := range 4 {
		b[i] = byte(n)&0x7f | 0x80
		n >>= 7
	}
	b[4] = byte(n)
}

func (e *encoder) appendState(b []byte, s *StateRead, masked *Parts) []byte {
	key := s.Key
	if e.masks.has(s.State) {
		key = maskText
		*masked |= InState
	}
	size := sizeText(stateName, s.State) + sizeText(stateKey, key)
	if s.Version != 0 {
		size += protowire.SizeTag(stateVersion) + protowire.SizeVarint(s.Version)
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, fieldState, protowire.BytesType), uint64(size))
	b = appendText(b, stateName, s.State)
	b = appendText(b, stateKey, key)
	return appendNumber(b, stateVersion, s.Version)
}

func sizeText(n protowire.Number, text string) int {
	if text == "" {
		return 0
	}
	return protowire.SizeTag(n) + protowire.SizeBytes(len(text))
}

// appendNote appends the body of a note's record.
func appendNote(b []byte, n *Note) []byte {
	var inner []byte
	inner = appendText(inner, noteKind, string(n.Kind))
	inner = appendNumber(inner, noteDecisions, n.Decisions)
	inner = appendNumber(inner, noteBytes, n.Bytes)
	inner = appendText(inner, noteReason, n.Reason)
	if n.Head != (segment.Head{}) {
		inner = appendNumber(inner, noteHeadSeq, n.Head.Seq)
		inner = appendText(inner, noteHeadHash, n.Head.Hash[:])
	}
	inner = appendText(inner, noteBuild, n.Build)
	return appendText(appendTime(b, n.Time), fieldNote, inner)
}

var errMalformed = errors.New("malformed record")

// eachField calls yield with every field of a message; bytes is of one that has a length, number of the others.
func eachField(b []byte, yield func(n protowire.Number, number uint64, bytes []byte) error) error {
	for len(b) > 0 {
		n, t, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errMalformed
		}
		b = b[size:]
		var number uint64
		var value []byte
		switch t {
		case protowire.VarintType:
			number, size = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			number, size = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("%w: field %d has wire type %d", errMalformed, n, t)
		}
		if size < 0 {
			return errMalformed
		}
		if err := yield(n, number, value); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// decode makes an entry of a record's body. Input and Result are parts of the body; like, if not nil, is the decision before,
// whose strings are taken if they are the same, since most are.
func decode(seq uint64, body []byte, like *Decision) (Entry, error) {
	if like == nil {
		like = &Decision{}
	}
	d := &Decision{Seq: seq}
	var note *Note
	err := eachField(body, func(n protowire.Number, number uint64, b []byte) error {
		switch n {
		case fieldID:
			d.ID = string(b)
		case fieldTime:
			d.Time = time.Unix(0, int64(number)).UTC()
		case fieldNote:
			note = &Note{}
			return decodeNote(note, b)
		case fieldJob:
			d.Job = same(like.Job, b)
		case fieldOperator:
			d.Operator = same(like.Operator, b)
		case fieldSubtask:
			d.Subtask = int(min(number, math.MaxInt32))
		case fieldEpoch:
			d.Epoch = number
		case fieldFence:
			d.Fence = number
		case fieldFunction:
			d.Function = same(like.Function, b)
		case fieldBuild:
			d.Build = same(like.Build, b)
		case fieldInput:
			d.Input = b
		case fieldResult:
			d.Result = b
		case fieldErrorCode:
			d.ErrorCode = same(like.ErrorCode, b)
		case fieldErrorMessage:
			d.ErrorMessage = same(like.ErrorMessage, b)
		case fieldState:
			var s StateRead
			if err := decodeState(&s, b); err != nil {
				return err
			}
			d.State = append(d.State, s)
		case fieldStateUnnamed:
			d.StateUnnamed = int(min(number, math.MaxInt32))
		case fieldRule:
			d.Rules = append(d.Rules, string(b))
		case fieldReplayed:
			d.Replayed = number != 0
		case fieldMasked:
			d.Masked = Parts(number)
		case fieldOmitted:
			d.Omitted = Parts(number)
		case fieldKey:
			d.Key = string(b)
		case fieldSession:
			d.Session = same(like.Session, b)
		case fieldRestored:
			d.Restored = number
		case fieldKeyGroup:
			d.KeyGroup = int(min(number, math.MaxUint16))
		case fieldVersion:
			d.Version = number
		case fieldWrites:
			d.Writes = int(min(number, math.MaxInt32))
		case fieldWatermark:
			d.Watermark = protowire.DecodeZigZag(number)
		}
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	if note != nil {
		note.Time = d.Time
		return Entry{Seq: seq, Note: note}, nil
	}
	return Entry{Seq: seq, Decision: d}, nil
}

func same(old string, b []byte) string {
	if old == string(b) {
		return old
	}
	return string(b)
}

func decodeState(s *StateRead, b []byte) error {
	return eachField(b, func(n protowire.Number, number uint64, b []byte) error {
		switch n {
		case stateName:
			s.State = string(b)
		case stateKey:
			s.Key = string(b)
		case stateVersion:
			s.Version = number
		}
		return nil
	})
}

func decodeNote(note *Note, b []byte) error {
	return eachField(b, func(n protowire.Number, number uint64, b []byte) error {
		switch n {
		case noteKind:
			note.Kind = NoteKind(b)
		case noteDecisions:
			note.Decisions = number
		case noteBytes:
			note.Bytes = number
		case noteReason:
			note.Reason = string(b)
		case noteHeadSeq:
			note.Head.Seq = number
		case noteHeadHash:
			if len(b) != len(note.Head.Hash) {
				return errMalformed
			}
			copy(note.Head.Hash[:], b)
		case noteBuild:
			note.Build = string(b)
		}
		return nil
	})
}

// keyOf reads what the index needs of a record.
func keyOf(body []byte) (segment.Key, error) {
	var k segment.Key
	err := eachField(body, func(n protowire.Number, number uint64, b []byte) error {
		switch n {
		case fieldID:
			k.ID = b
		case fieldTime:
			k.Time = int64(number)
		case fieldJob:
			k.Job = b
		case fieldEpoch:
			k.Epoch = number
		case fieldNote:
			k.Note = true
		}
		return nil
	})
	return k, err
}

// idAndTime reads only the front of a record, where both stand.
func idAndTime(body []byte) (id []byte, ns int64) {
	if n, t, size := protowire.ConsumeTag(body); size > 0 && n == fieldID && t == protowire.BytesType {
		value, more := protowire.ConsumeBytes(body[size:])
		if more < 0 {
			return nil, 0
		}
		id, body = value, body[size+more:]
	}
	if n, t, size := protowire.ConsumeTag(body); size > 0 && n == fieldTime && t == protowire.Fixed64Type {
		if v, more := protowire.ConsumeFixed64(body[size:]); more > 0 {
			ns = int64(v)
		}
	}
	return id, ns
}
