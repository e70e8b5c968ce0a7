package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drey-flink/drey/sidecar/internal/config"
)

// settings are the flags that stand for keys of the configuration, and the file.
type settings struct {
	file  string
	flags []config.Flag
}

// flag is the flag of one key. Its text is checked together with all other sources, so that one run names every mistake.
type flag struct {
	key  config.Key
	into *settings
	text string
}

func (f *flag) String() string { return f.text }
func (f *flag) Type() string   { return f.key.Type }
func (f *flag) Set(text string) error {
	f.text = text
	f.into.flags = append(f.into.flags, config.Flag{Name: f.key.Flag(), Value: text})
	return nil
}

func (s *settings) add(flags *pflag.FlagSet) error {
	flags.StringVarP(&s.file, "config", "c", "", "YAML file (or the variable DREY_CONFIG)")
	defaults, err := config.Load(config.Sources{})
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, d := range defaults.Settings {
		values[d.Key] = d.Value
	}
	for _, k := range config.Keys() {
		if k.Secret {
			continue // a command line is seen by others: the file, or the environment
		}
		doc := k.Doc
		if k.Enum != nil {
			doc += " (" + strings.Join(k.Enum, ", ") + ")"
		}
		f := flags.VarPF(&flag{key: k, into: s, text: values[k.Path]}, k.Flag(), "", doc)
		if k.Type == "bool" {
			f.NoOptDefVal = "true"
		}
	}
	return nil
}

// load is the configuration from all sources.
func (s *settings) load(environ []string) (config.Loaded, error) {
	file := s.file
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); name == "DREY_CONFIG" && file == "" {
			file = value
		}
	}
	loaded, err := config.Load(config.Sources{File: file, Environ: environ, Flags: s.flags})
	if err != nil {
		return loaded, usageError{err}
	}
	return loaded, nil
}

// withSettings gives a command the flags of the configuration.
func withSettings(cmd *cobra.Command) (*cobra.Command, *settings) {
	s := &settings{}
	if err := s.add(cmd.Flags()); err != nil {
		panic(err) // the defaults are not valid: a mistake in this program that its tests find
	}
	return cmd, s
}

func (p *program) config() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Check and describe the configuration", Args: cobra.NoArgs,
		Long: `A key has three names: http.addr in the file, DREY_HTTP_ADDR in the environment, --http-addr as a flag of serve.
From weak to strong: the default, the file, the environment, the flag.`,
		Example: `  drey config check --config drey.yaml
  DREY_LOG_LEVEL=debug drey config check -o json
  drey config schema > drey.schema.json            for your editor`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.configCheck(), p.configSchema())
	return cmd
}

func (p *program) configCheck() *cobra.Command {
	var output string
	cmd, s := withSettings(&cobra.Command{
		Use: "check", Short: "Print every effective value and its source; exit 2 if something is wrong", Args: cobra.NoArgs,
		Long: "Prints every effective value and where it comes from, and a digest of all of them. Takes the flags of serve.",
	})
	outputFlag(cmd, &output)
	cmd.RunE = func(*cobra.Command, []string) error {
		loaded, err := s.load(p.environ)
		if err != nil {
			return err
		}
		document := struct {
			Digest   string           `json:"digest"`
			Settings []config.Setting `json:"settings"`
		}{loaded.Digest(), loaded.Settings}
		return p.print(output, document, func(w io.Writer) {
			row(w, "KEY", "VALUE", "SOURCE")
			for _, each := range loaded.Settings {
				row(w, each.Key, each.Value, each.Source)
			}
			fmt.Fprintf(w, "\ndigest %s\n", document.Digest)
		})
	}
	return cmd
}

func (p *program) configSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the file", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}
}
