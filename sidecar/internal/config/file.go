package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// file reads a YAML file by its nodes instead of unmarshalling it: only so does every mistake come with its line, and
// the first one does not hide the others.
func (l *loader) file(path string) {
	source, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		l.errs = append(l.errs, fmt.Errorf("config %s: no such file; `drey config check` shows what applies without one", path))
		return
	}
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("config: %w", err))
		return
	}
	l.yaml(path, source)
}

func (l *loader) yaml(path string, source []byte) {
	dec := yaml.NewDecoder(bytes.NewReader(source))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			l.fail(path, "%s", oneLine(err))
		}
		return // an empty file sets nothing
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.fail(path, "more than one YAML document")
		return
	}
	if len(doc.Content) != 1 {
		return
	}
	f := fileReader{loader: l, path: path}
	f.section(reflect.TypeFor[Config](), "", doc.Content[0])
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

type fileReader struct {
	*loader
	path string
}

func (f fileReader) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.path, n.Line) }

// section reads a mapping whose keys are the fields of t.
func (f fileReader) section(t reflect.Type, prefix string, n *yaml.Node) {
	n = resolve(n)
	if isNull(n) {
		return // "http:" with everything below it commented out
	}
	if n.Kind != yaml.MappingNode {
		f.fail(f.at(n), "%s must be a mapping of keys to values", cmp.Or(strings.TrimSuffix(prefix, "."), "the file"))
		return
	}
	fields := map[string]reflect.StructField{}
	for i := range t.NumField() {
		fields[t.Field(i).Tag.Get("yaml")] = t.Field(i)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		path := prefix + name.Value
		if line, twice := seen[name.Value]; twice {
			f.fail(f.at(name), "key %s stands twice, first in line %d", path, line)
			continue
		}
		seen[name.Value] = name.Line
		field, known := fields[name.Value]
		switch {
		case !known:
			f.fail(f.at(name), "unknown key %s%s", path, didYouMean(path, f.paths()))
		case isSection(field.Type):
			f.section(field.Type, path+".", value)
		default:
			f.leaf(path, value)
		}
	}
}

func (f fileReader) paths() []string {
	var all []string
	for _, k := range f.keys {
		all = append(all, k.Path)
		if section, _, ok := strings.Cut(k.Path, "."); ok && !slices.Contains(all, section) {
			all = append(all, section)
		}
	}
	return all
}

func (f fileReader) leaf(path string, n *yaml.Node) {
	k := f.keys[slices.IndexFunc(f.keys, func(k Key) bool { return k.Path == path })]
	n = resolve(n)
	switch {
	case isNull(n):
		f.fail(f.at(n), "%s has no value", path)
	case k.Type == "durations":
		f.durations(k, n)
	case k.Type == "strings":
		f.strings(k, n)
	case k.Type == "list":
		f.list(k, n)
	case n.Kind != yaml.ScalarNode:
		f.fail(f.at(n), "%s must be a %s", path, k.Type)
	default:
		f.set(k, n.Value, f.at(n), path)
	}
}

func (f fileReader) durations(k Key, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		f.fail(f.at(n), "%s must be a mapping of names to durations", k.Path)
		return
	}
	all := map[string]time.Duration{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], resolve(n.Content[i+1])
		d, err := parseDuration(value.Value)
		if err != nil {
			f.fail(f.at(value), "%s.%s: %w", k.Path, name.Value, err)
			continue
		}
		if _, twice := all[name.Value]; twice {
			f.fail(f.at(name), "key %s.%s stands twice", k.Path, name.Value)
		}
		all[name.Value] = d
	}
	k.field(&f.config).Set(reflect.ValueOf(all))
	f.sources[k.Path] = f.at(n)
}

// strings reads a mapping of names to scalars, whose text counts: "010" and 010 are the same.
func (f fileReader) strings(k Key, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		f.fail(f.at(n), "%s must be a mapping of names to values", k.Path)
		return
	}
	all := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], resolve(n.Content[i+1])
		if value.Kind != yaml.ScalarNode || isNull(value) {
			f.fail(f.at(value), "%s.%s must be one value; write \"\" for an empty one", k.Path, name.Value)
			continue
		}
		if _, twice := all[name.Value]; twice {
			f.fail(f.at(name), "key %s.%s stands twice", k.Path, name.Value)
		}
		all[name.Value] = value.Value
	}
	k.field(&f.config).Set(reflect.ValueOf(all))
	f.sources[k.Path] = f.at(n)
}

// list reads a sequence of scalars, whose text counts, or a scalar that is one entry.
func (f fileReader) list(k Key, n *yaml.Node) {
	entries := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		entries = n.Content
	}
	all := make([]string, 0, len(entries))
	for _, entry := range entries {
		entry = resolve(entry)
		if entry.Kind != yaml.ScalarNode || isNull(entry) {
			f.fail(f.at(entry), "%s must be a list of values", k.Path)
			return
		}
		all = append(all, entry.Value)
	}
	k.field(&f.config).Set(reflect.ValueOf(all))
	f.sources[k.Path] = f.at(n)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// resolve follows an alias to what it stands for; aliases of aliases do not exist in YAML.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}
