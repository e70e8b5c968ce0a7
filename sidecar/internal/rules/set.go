package rules

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"go.yaml.in/yaml/v4"
)

// file is the form of a rule file.
type file struct {
	Version string `yaml:"version"`
	Rules   []rule `yaml:"rules"`
}

type rule struct {
	Name     string  `yaml:"name"`
	When     string  `yaml:"when"`
	Score    float64 `yaml:"score"`
	Decision string  `yaml:"decision"`
	Reason   string  `yaml:"reason"`
}

// Decisions, from the mildest to the most severe.
var decisions = []string{"pass", "review", "alert"}

type compiled struct {
	rule
	program  cel.Program
	severity int
}

// set is a rule file, compiled. It is immutable and safe for concurrent use.
type set struct {
	version string
	rules   []compiled
}

// Decision is what a rule set says of an event.
type Decision struct {
	Score    float64
	Decision string
	Reasons  []string
	Rules    []string
	Version  string
}

// newEnv is what a rule may use: the event, CEL's standard library, and its extensions for strings, math and sets. All
// JSON numbers are doubles, as in JavaScript, and compare with integer literals; so a rule does not change its type when
// an amount happens to be whole.
func newEnv() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("event", cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		ext.Strings(), ext.Math(), ext.Sets(),
	)
}

// compile reads a rule file. The error lists everything that is wrong with it.
func compile(source []byte, costLimit uint64) (*set, error) {
	var f file
	dec := yaml.NewDecoder(bytes.NewReader(source))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	env, err := newEnv()
	if err != nil {
		return nil, fmt.Errorf("CEL environment: %w", err)
	}
	sum := sha256.Sum256(source)
	s := &set{version: hex.EncodeToString(sum[:6])}
	if f.Version != "" {
		s.version = f.Version + "+" + s.version
	}
	var errs []error
	if len(f.Rules) == 0 {
		errs = append(errs, errors.New("no rules: a file needs at least one under the key rules"))
	}
	names := map[string]bool{}
	for i, r := range f.Rules {
		c, err := r.compile(env, costLimit)
		if err == nil && names[r.Name] {
			err = errors.New("the name stands twice")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %d (%s): %w", i+1, r.Name, err))
			continue
		}
		names[r.Name] = true
		s.rules = append(s.rules, c)
	}
	return s, errors.Join(errs...)
}

func (r rule) compile(env *cel.Env, costLimit uint64) (compiled, error) {
	severity := slices.Index(decisions, r.Decision)
	switch {
	case r.Name == "":
		return compiled{}, errors.New("name is missing")
	case r.When == "":
		return compiled{}, errors.New("when is missing: a CEL expression over event that is true when the rule fires")
	case severity < 0:
		return compiled{}, fmt.Errorf("decision: %q, must be one of %s", r.Decision, strings.Join(decisions, ", "))
	case !(r.Score >= 0 && r.Score <= 1): // written so that NaN is refused too
		return compiled{}, fmt.Errorf("score: %v, must be from 0 to 1", r.Score)
	}
	ast, issues := env.Compile(r.When)
	if err := issues.Err(); err != nil {
		return compiled{}, fmt.Errorf("when: %w", err)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return compiled{}, fmt.Errorf("when: is %s, must be a boolean", t)
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit), cel.InterruptCheckFrequency(1000))
	if err != nil {
		return compiled{}, fmt.Errorf("when: %w", err)
	}
	return compiled{rule: r, program: program, severity: severity}, nil
}

// decide asks every rule, in the order of the file. The most severe decision and the highest score win.
func (s *set) decide(ctx context.Context, event any) (Decision, error) {
	d := Decision{Decision: decisions[0], Reasons: []string{}, Rules: []string{}, Version: s.version}
	severity := 0
	vars := map[string]any{"event": event}
	for _, r := range s.rules {
		fires, err := r.fires(ctx, vars)
		if err != nil {
			return Decision{}, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		if !fires {
			continue
		}
		severity = max(severity, r.severity)
		d.Score = max(d.Score, r.Score)
		d.Rules = append(d.Rules, r.Name)
		if r.Reason != "" {
			d.Reasons = append(d.Reasons, r.Reason)
		} else {
			d.Reasons = append(d.Reasons, r.Name)
		}
	}
	d.Decision = decisions[severity]
	return d, nil
}

func (c compiled) fires(ctx context.Context, vars map[string]any) (bool, error) {
	value, _, err := c.program.ContextEval(ctx, vars)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil && strings.Contains(err.Error(), "no such key"):
		return false, fmt.Errorf("%w; guard an optional field with has(event.field)", err)
	case err != nil:
		return false, err
	}
	fires, ok := value.(types.Bool)
	if !ok {
		return false, fmt.Errorf("gave %s, must give a boolean", value.Type().TypeName())
	}
	return bool(fires), nil
}
