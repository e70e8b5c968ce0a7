package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Sources are the places a value may come from, from weak to strong. Defaults are below all of them.
type Sources struct {
	File    string   // YAML; empty = none
	Environ []string // as os.Environ gives it
	Flags   []Flag   // those that were given
}

// Flag is a flag that was given.
type Flag struct{ Name, Value string }

// Setting is the value of a key and where it comes from.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`  // of a secret only whether it is set
	Source string `json:"source"` // default, "file.yaml:3", an environment variable, or a flag
}

// Loaded is a valid configuration and its origin.
type Loaded struct {
	Config
	Settings []Setting // sorted by key
}

// Digest identifies the effective values, wherever they come from. Of secrets only whether they are set.
func (l Loaded) Digest() string {
	h := sha256.New()
	for _, s := range l.Settings {
		fmt.Fprintf(h, "%s=%s\n", s.Key, s.Value)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Load reads all sources. The error lists everything that is wrong with any of them, one line each.
func Load(from Sources) (Loaded, error) {
	l := loader{config: Default(), keys: Keys(), sources: map[string]string{}}
	if from.File != "" {
		l.file(from.File)
	}
	l.environ(from.Environ)
	l.flags(from.Flags)
	loaded := Loaded{Config: l.config}
	for _, k := range l.keys {
		loaded.Settings = append(loaded.Settings, Setting{Key: k.Path, Value: k.shown(&l.config), Source: l.sourceOf(k.Path)})
	}
	slices.SortFunc(loaded.Settings, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	if err := errors.Join(l.errs...); err != nil {
		return loaded, err
	}
	return loaded, l.validate()
}

type loader struct {
	config  Config
	keys    []Key
	sources map[string]string // key -> where its value comes from
	errs    []error
}

func (l *loader) fail(source, format string, a ...any) {
	l.errs = append(l.errs, fmt.Errorf("%s: %w", source, fmt.Errorf(format, a...)))
}

func (l *loader) sourceOf(key string) string {
	if source, ok := l.sources[key]; ok {
		return source
	}
	return "default"
}

// set takes a value over. An error leaves the old one in place, so that what follows can still be checked.
func (l *loader) set(k Key, text, source, name string) {
	if err := k.set(&l.config, text); err != nil {
		l.errs = append(l.errs, fmt.Errorf("%s: %s: %w", source, name, err))
		return
	}
	l.sources[k.Path] = source
}

// others are the variables that begin with DREY_ and are not ours: some are read by other parts of Drey, and Kubernetes
// makes the rest up for every service whose name begins with drey (DREY_SIDECAR_SERVICE_HOST, DREY_PORT_8080_TCP_ADDR).
var others = regexp.MustCompile(`^DREY_(CONFIG|SERVER|E2E|FUZZ_TIME)$` +
	`|^DREY(_[A-Z0-9_]+)?_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|^DREY(_[A-Z0-9_]+)?_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

func (l *loader) environ(environ []string) {
	names := make([]string, len(l.keys))
	for i, k := range l.keys {
		names[i] = k.Env()
	}
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		if i := slices.Index(names, name); i >= 0 {
			l.set(l.keys[i], value, "env "+name, l.keys[i].Path)
		} else if !others.MatchString(name) {
			l.fail("env", "unknown variable %s%s", name, didYouMean(name, names))
		}
	}
}

func (l *loader) flags(flags []Flag) {
	for _, f := range flags {
		i := slices.IndexFunc(l.keys, func(k Key) bool { return k.Flag() == f.Name && !k.Secret })
		if i < 0 {
			l.fail("flag", "unknown flag --%s", f.Name)
			continue
		}
		l.set(l.keys[i], f.Value, "flag --"+f.Name, l.keys[i].Path)
	}
}

// validate says where a bad value comes from, so that nobody searches the wrong file.
func (l *loader) validate() error {
	found := l.config.check()
	errs := make([]error, len(found))
	for i, v := range found {
		errs[i] = fmt.Errorf("%s: %w", l.blame(v.key), v)
	}
	return errors.Join(errs...)
}

// blame is the source of a key, which may also be a section or an entry of a map.
func (l *loader) blame(key string) string {
	for _, k := range l.keys {
		source, given := l.sources[k.Path]
		if given && (k.Path == key || strings.HasPrefix(k.Path, key+".") || strings.HasPrefix(key, k.Path+".")) {
			return source
		}
	}
	return "default"
}
