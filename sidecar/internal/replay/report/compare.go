package report

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Same says whether two results mean the same: as JSON values, whatever the order of members and the form of numbers, and but for
// the members of the outermost object that are ignored. What is no JSON must be the same to the byte.
func Same(a, b jsontext.Value, ignore []string) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errA := canonical(a, ignore)
	y, errB := canonical(b, ignore)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// canonical is a value as RFC 8785 writes it.
func canonical(v jsontext.Value, ignore []string) (jsontext.Value, error) {
	v = slices.Clone(v)
	if len(ignore) > 0 && v.Kind() == '{' {
		var members map[string]jsontext.Value
		if err := json.Unmarshal(v, &members); err != nil {
			return nil, err
		}
		for _, name := range ignore {
			delete(members, name)
		}
		var err error
		if v, err = json.Marshal(members); err != nil {
			return nil, err
		}
	}
	err := v.Canonicalize()
	return v, err
}

// member is a string in the outermost object.
func member(v jsontext.Value, name string) (string, bool) {
	if v.Kind() != '{' {
		return "", false
	}
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := dec.ReadToken(); err != nil {
		return "", false
	}
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return "", false
		}
		if key.String() != name {
			if dec.SkipValue() != nil {
				return "", false
			}
			continue
		}
		if dec.PeekKind() != '"' {
			return "", false
		}
		text, err := dec.ReadToken()
		return text.String(), err == nil
	}
	return "", false
}
