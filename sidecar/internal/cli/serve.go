package cli

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/server"
)

func (p *program) serve() *cobra.Command {
	var readyFile string
	cmd, s := withSettings(&cobra.Command{
		Use: "serve", Short: "Answer POST /evaluate and gRPC drey.v1.Evaluator", Args: cobra.NoArgs,
		Long: `Answers POST /evaluate and gRPC drey.v1.Evaluator with the functions that are linked in.

SIGTERM and SIGINT: not ready at once, go on for drain.delay, then finish what is in flight, exit 0. A second signal
ends at once; the exit code is 1 if calls were cut. SIGHUP reads the rules file again.

Every flag is also a key of the file and a variable: --http-addr is http.addr and DREY_HTTP_ADDR.`,
		Example: `  drey serve
  drey serve --http-addr unix:/run/drey/http.sock --grpc-addr ''
  drey serve --http-addr 0.0.0.0:8443 --http-tls-cert-file tls.crt --http-tls-key-file tls.key
  drey serve --http-addr 127.0.0.1:0 --ready-file ready.json     a free port, written to the file once ready
  drey serve --config drey.yaml --rules-file rules.yaml`,
	})
	cmd.Flags().StringVar(&readyFile, "ready-file", "", "JSON file with the bound addresses and the pid, written once ready, removed at the end")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := s.load(p.environ)
		if err != nil {
			return err
		}
		signals := make(chan os.Signal, 4)
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		defer signal.Stop(signals)
		return server.Run(cmd.Context(), server.Options{
			Config: loaded, Register: p.register, ReadyFile: readyFile, Version: programVersion(), LogOutput: p.stderr, Signals: signals,
		})
	}
	return cmd
}
