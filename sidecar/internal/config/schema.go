package config

import (
	"encoding/json"
	"reflect"
)

// schema is the part of JSON Schema (2020-12) that describes the file.
type schema struct {
	Schema      string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Type        string     `json:"type"`
	Description string     `json:"description,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Default     any        `json:"default,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	// Additional is false for a section, the schema of the values for a map.
	Additional any `json:"additionalProperties,omitempty"`
	// Items is the schema of the entries of a list.
	Items *schema `json:"items,omitempty"`
	Env   string  `json:"x-env,omitempty"`
	Flag  string  `json:"x-flag,omitempty"`
}

type property struct {
	name   string
	schema schema
}

// properties keep the order of the struct, which is the order in which people should read them.
type properties []property

func (p properties) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, each := range p {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(each.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(each.schema)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// durationPattern is what time.ParseDuration reads.
const durationPattern = `^-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$|^0$`

// Schema returns the JSON Schema of the file, derived from the struct.
func Schema() ([]byte, error) {
	defaults := Default()
	keys := map[string]Key{}
	for _, k := range Keys() {
		keys[k.Path] = k
	}
	root := sectionSchema(reflect.TypeFor[Config](), "", keys, &defaults)
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "configuration of a Drey sidecar"
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

func sectionSchema(t reflect.Type, prefix string, keys map[string]Key, defaults *Config) schema {
	s := schema{Type: "object", Additional: false}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		var of schema
		if isSection(f.Type) {
			of = sectionSchema(f.Type, prefix+name+".", keys, defaults)
		} else {
			of = keySchema(keys[prefix+name], defaults)
		}
		of.Description = f.Tag.Get("doc")
		s.Properties = append(s.Properties, property{name, of})
	}
	return s
}

func keySchema(k Key, defaults *Config) schema {
	s := schema{Enum: k.Enum, Env: k.Env(), Flag: "--" + k.Flag()}
	if k.Secret {
		s.Flag = ""
	}
	value := k.field(defaults)
	switch k.Type {
	case "duration":
		s.Type, s.Pattern, s.Default = "string", durationPattern, formatValue(value)
	case "durations":
		s.Type, s.Additional = "object", schema{Type: "string", Pattern: durationPattern}
	case "strings":
		s.Type, s.Additional = "object", schema{Type: "string"}
	case "list":
		s.Type, s.Items = "array", &schema{Type: "string"}
	case "int":
		s.Type, s.Default = "integer", value.Interface()
	case "number":
		s.Type, s.Default = "number", value.Interface()
	case "bool":
		s.Type, s.Default = "boolean", value.Interface()
	default:
		s.Type, s.Default = "string", value.Interface()
	}
	return s
}
