package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/rules"
	"github.com/drey-flink/drey/sidecar/internal/server"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// listed is a function in the list: its description, and its one-line signature.
type listed struct {
	udf.Description
	Signature string `json:"signature"`
}

func (p *program) functions() *cobra.Command {
	var output, from string
	cmd, s := withSettings(&cobra.Command{
		Use: "functions", Short: "List the functions that are linked in, or those of a running sidecar", Args: cobra.NoArgs,
		Example: `  drey functions
  drey functions --server http://127.0.0.1:8080 -o json`,
	})
	hideSettings(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&from, "server", "", "ask this sidecar (http://host:port or unix:/path; or the variable DREY_SERVER)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := p.list(cmd.Context(), s, p.server(from))
		if err != nil {
			return err
		}
		return p.print(output, struct {
			Functions []listed `json:"functions"`
		}{list}, func(w io.Writer) {
			for _, f := range list {
				fmt.Fprintf(w, "%s  %s\n    %s\n    %s\n", f.Name, strings.ToLower(string(f.Kind)), cmp.Or(f.Doc, "(no doc)"), f.Signature)
			}
		})
	}
	return cmd
}

func (p *program) list(ctx context.Context, s *settings, from string) ([]listed, error) {
	if from != "" {
		c, err := newClient(from)
		if err != nil {
			return nil, err
		}
		var document struct{ Functions []listed }
		return document.Functions, c.get(ctx, "/v1/functions", &document)
	}
	loaded, err := s.load(p.environ)
	if err != nil {
		return nil, err
	}
	registry, err := linked(loaded, p.register)
	if err != nil {
		return nil, err
	}
	var list []listed
	for _, f := range registry.Functions() {
		d := f.Describe()
		list = append(list, listed{Description: d, Signature: d.Signature()})
	}
	return list, nil
}

// linked are the functions that serve would have.
func linked(loaded config.Loaded, register []func(*udf.Registry)) (*udf.Registry, error) {
	if loaded.Rules.File == "" {
		return server.Functions(register)
	}
	r, err := rules.New(loaded.Rules, slog.New(slog.DiscardHandler), nobody{})
	if err != nil {
		return nil, err
	}
	return server.Functions(register, r.Register)
}

type nobody struct{}

func (nobody) Reloaded(bool, string) {}

// server is the sidecar to ask: the flag, or DREY_SERVER.
func (p *program) server(given string) string {
	if given != "" {
		return given
	}
	for _, pair := range p.environ {
		if value, ok := strings.CutPrefix(pair, "DREY_SERVER="); ok {
			return value
		}
	}
	return ""
}

// hideSettings keeps the help of a command that is not about the configuration short.
func hideSettings(cmd *cobra.Command) {
	for _, k := range config.Keys() {
		_ = cmd.Flags().MarkHidden(k.Flag()) // an error is a flag that does not exist
	}
}

func (p *program) healthcheck() *cobra.Command {
	var from string
	cmd, s := withSettings(&cobra.Command{
		Use: "healthcheck", Short: "Exit 0 if the sidecar on this machine is ready (for images without a shell)", Args: cobra.NoArgs,
		Long: "Asks /readyz of the admin listener of the configuration, or of --server.",
	})
	hideSettings(cmd)
	cmd.Flags().StringVar(&from, "server", "", "ask this sidecar (http://host:port or unix:/path; or the variable DREY_SERVER)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		target := p.server(from)
		if target == "" {
			loaded, err := s.load(p.environ)
			if err != nil {
				return err
			}
			target = local(loaded)
		}
		c, err := newClient(target)
		if err != nil {
			return err
		}
		return c.get(cmd.Context(), "/readyz", nil)
	}
	return cmd
}

// local is where a sidecar of this configuration is reached from the same machine.
func local(c config.Loaded) string {
	addr, files := c.Admin.Addr, c.Admin.TLS
	if addr == "" {
		addr, files = c.HTTP.Addr, c.HTTP.TLS
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr // unix:/path
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if files.On() {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}
