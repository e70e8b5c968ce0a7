package config

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	durationType  = reflect.TypeFor[time.Duration]()
	durationsType = reflect.TypeFor[map[string]time.Duration]()
	stringsType   = reflect.TypeFor[map[string]string]()
	listType      = reflect.TypeFor[[]string]()
)

// typeName names the type of a key for people. A type that is not here cannot be configured: that is a mistake in the
// struct, which the test of the schema finds.
func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == durationsType:
		return "durations"
	case t == stringsType:
		return "strings"
	case t == listType:
		return "list"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "int"
	case reflect.Float64:
		return "number"
	default:
		panic("config: no way to write a " + t.String())
	}
}

// parseValue reads the text of a flag, a variable or a YAML scalar into v.
func parseValue(v reflect.Value, text string) error {
	switch typeName(v.Type()) {
	case "duration":
		d, err := parseDuration(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
	case "durations":
		all, err := parseDurations(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(all))
	case "strings":
		all, err := parseStrings(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(all))
	case "list":
		all, err := parseList(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(all))
	case "string":
		v.SetString(text)
	case "bool":
		if text != "true" && text != "false" {
			return fmt.Errorf("%q, must be true or false", text)
		}
		v.SetBool(text == "true")
	case "int":
		return parseInt(v, text)
	case "number":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%q, must be a number", text)
		}
		v.SetFloat(f)
	}
	return nil
}

func parseInt(v reflect.Value, text string) error {
	if v.CanUint() {
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q, must be a whole number from 0 on", text)
		}
		v.SetUint(n)
		return nil
	}
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		return fmt.Errorf("%q, must be a whole number", text)
	}
	v.SetInt(n)
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q, must be a duration with a unit, such as 200ms, 5s or 1m30s", text)
	}
	return d, nil
}

// parseDurations reads a=1s,b=200ms.
func parseDurations(text string) (map[string]time.Duration, error) {
	if text == "" {
		return nil, nil
	}
	all := map[string]time.Duration{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q, must be pairs such as fraud=200ms,flights=1s", text)
		}
		d, err := parseDuration(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = d
	}
	return all, nil
}

// parseStrings reads a=one,b=two. A comma or backslash of a value has a backslash before it.
func parseStrings(text string) (map[string]string, error) {
	pairs, err := parseList(text)
	if err != nil || pairs == nil {
		return nil, err
	}
	all := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q, must be pairs such as region=eu,model=/models/a.json", text)
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("%q has %s twice", text, name)
		}
		all[name] = value
	}
	return all, nil
}

// parseList reads one,two. A comma or backslash of an entry has a backslash before it.
func parseList(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var all []string
	for rest := text + ","; rest != ""; {
		var entry strings.Builder
		i := 0
		for ; rest[i] != ','; i++ {
			if rest[i] == '\\' {
				if i++; i == len(rest)-1 || rest[i] != ',' && rest[i] != '\\' {
					return nil, fmt.Errorf("%q, a backslash must stand before a comma or a backslash", text)
				}
			}
			entry.WriteByte(rest[i])
		}
		rest = rest[i+1:]
		all = append(all, entry.String())
	}
	return all, nil
}

var escape = strings.NewReplacer(`\`, `\\`, ",", `\,`)

func formatList(all []string) string {
	entries := make([]string, len(all))
	for i, entry := range all {
		entries[i] = escape.Replace(entry)
	}
	return strings.Join(entries, ",")
}

func formatStrings(all map[string]string) string {
	pairs := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, escape.Replace(name+"="+all[name]))
	}
	return strings.Join(pairs, ",")
}

// formatValue is what parseValue reads back.
func formatValue(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case map[string]time.Duration:
		pairs := make([]string, 0, len(x))
		for _, name := range slices.Sorted(maps.Keys(x)) {
			pairs = append(pairs, name+"="+formatDuration(x[name]))
		}
		return strings.Join(pairs, ",")
	case map[string]string:
		return formatStrings(x)
	case []string:
		return formatList(x)
	default:
		return fmt.Sprint(x)
	}
}

// formatDuration is 5m instead of 5m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}
