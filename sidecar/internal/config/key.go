package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/agnivade/levenshtein"
)

// envPrefix begins the name of every variable that Drey reads.
const envPrefix = "DREY_"

// Key is one thing that can be set.
type Key struct {
	Path string   // http.addr
	Doc  string   // for people
	Enum []string // the only values; nil = any
	Type string   // string, bool, int, number, duration, list, or by name: durations, strings
	// Secret: the value is shown nowhere, and there is no flag for it, which others on the machine would see.
	Secret bool

	index []int // of the field in Config
}

// Flag is the name of the key's flag, without dashes.
func (k Key) Flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(k.Path) }

// Env is the name of the key's environment variable.
func (k Key) Env() string { return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Path, ".", "_")) }

func (k Key) field(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(k.index) }

func (k Key) text(c *Config) string { return formatValue(k.field(c)) }

func (k Key) set(c *Config, text string) error { return parseValue(k.field(c), text) }

// Keys returns every key, in the order of the struct.
func Keys() []Key { return keysOf(reflect.TypeFor[Config](), "", nil) }

func keysOf(t reflect.Type, prefix string, index []int) []Key {
	var keys []Key
	for i := range t.NumField() {
		f := t.Field(i)
		path := prefix + f.Tag.Get("yaml")
		at := append(append([]int(nil), index...), i)
		if isSection(f.Type) {
			keys = append(keys, keysOf(f.Type, path+".", at)...)
			continue
		}
		k := Key{Path: path, Doc: f.Tag.Get("doc"), Type: typeName(f.Type), Secret: isSecret(path), index: at}
		if enum := f.Tag.Get("enum"); enum != "" {
			k.Enum = strings.Split(enum, ",")
		}
		keys = append(keys, k)
	}
	return keys
}

func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct }

// isSecret goes by the name, so that it cannot be forgotten for the next key of this kind.
func isSecret(path string) bool {
	switch last(path) {
	case "secret_key", "session_token", "password", "token":
		return true
	}
	return false
}

// hidden stands for the value of a secret.
const hidden = "(hidden)"

// shown is the value as people may see it.
func (k Key) shown(c *Config) string {
	text := k.text(c)
	if k.Secret && text != "" {
		return hidden
	}
	return text
}

// didYouMean is the end of an error about a name that does not exist: the nearest of those that do, or nothing.
func didYouMean(name string, names []string) string {
	best, distance := "", len(name)/2+1
	for _, candidate := range names {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate))
		if last(name) == last(candidate) {
			d = min(d, 1) // the right name in the wrong place
		}
		if d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
