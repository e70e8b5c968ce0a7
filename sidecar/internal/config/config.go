// Package config is the configuration of the sidecar: one struct, from which the names of flags and variables, the
// schema and the help are derived. What counts is, from weak to strong: the defaults, a YAML file, the environment,
// flags. Nothing is ignored silently: a key, variable or flag that does not exist is an error that names the nearest.
package config

import (
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/rules"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// Config is everything that can be set. A key such as http.addr is DREY_HTTP_ADDR in the environment and --http-addr as
// a flag. The tag doc is its help; enum lists the only values.
type Config struct {
	HTTP      HTTP             `yaml:"http" doc:"the data listener: POST /evaluate and what describes it"`
	GRPC      GRPC             `yaml:"grpc" doc:"the gRPC listener: drey.v1.Evaluator, health, reflection"`
	Admin     Admin            `yaml:"admin" doc:"the listener for operators: health, metrics, status, pprof"`
	Insecure  bool             `yaml:"insecure" doc:"allow plaintext on addresses that other machines can reach"`
	DataDir   string           `yaml:"data_dir" doc:"folder for what outlives the process (the report of a crash, copies of checkpoints); one sidecar each; empty = none"`
	Drain     Drain            `yaml:"drain" doc:"what happens between SIGTERM and the end"`
	Evaluate  evaluate.Config  `yaml:"evaluate" doc:"how functions are called"`
	Functions Functions        `yaml:"functions" doc:"what functions are given when they are opened"`
	Rules     rules.Config     `yaml:"rules" doc:"the built-in function \"rules\""`
	Decisions decisions.Config `yaml:"decisions" doc:"the decision log, which keeps every decision with what explains it"`
	State     stateful.Config  `yaml:"state" doc:"state of functions, which comes back with Flink's checkpoints"`
	Watch     watch.Config     `yaml:"watch" doc:"the watcher, which keeps verified local copies of Flink's checkpoints"`
	Replay    replay.Settings  `yaml:"replay" doc:"deciding again what was decided after a checkpoint, and going back to it"`
	Log       Log              `yaml:"log" doc:"the log on standard error"`
	Telemetry Telemetry        `yaml:"telemetry" doc:"traces; metrics are always at /metrics"`
}

// HTTP is the data listener.
type HTTP struct {
	Addr              string        `yaml:"addr" doc:"host:port (port 0 = a free one) or unix:/path"`
	MaxBodyBytes      int64         `yaml:"max_body_bytes" doc:"the largest request body; more is refused with 413"`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" doc:"the longest a client may take to send its headers"`
	ReadTimeout       time.Duration `yaml:"read_timeout" doc:"the longest a client may take to send a whole request"`
	WriteTimeout      time.Duration `yaml:"write_timeout" doc:"the longest from the end of the headers to the end of the answer"`
	IdleTimeout       time.Duration `yaml:"idle_timeout" doc:"how long an idle connection is kept"`
	TLS               TLS           `yaml:"tls" doc:"certificate of the data listener"`
}

// GRPC is the gRPC listener.
type GRPC struct {
	Addr            string `yaml:"addr" doc:"host:port (port 0 = a free one) or unix:/path; empty = no gRPC"`
	MaxMessageBytes int    `yaml:"max_message_bytes" doc:"the largest request message"`
	TLS             TLS    `yaml:"tls" doc:"certificate of the gRPC listener"`
}

// Admin is the operators' listener.
type Admin struct {
	Addr string `yaml:"addr" doc:"host:port (port 0 = a free one) or unix:/path; empty = no admin listener"`
	TLS  TLS    `yaml:"tls" doc:"certificate of the admin listener"`
}

// TLS names a certificate. Both files are read again when they change.
type TLS struct {
	CertFile string `yaml:"cert_file" doc:"PEM file of the certificate chain; empty = plaintext"`
	KeyFile  string `yaml:"key_file" doc:"PEM file of its private key"`
}

// On says whether a certificate is configured.
func (t TLS) On() bool { return t.CertFile != "" || t.KeyFile != "" }

// Drain is the way down.
type Drain struct {
	Delay   time.Duration `yaml:"delay" doc:"how long the sidecar goes on answering after it said that it is not ready"`
	Timeout time.Duration `yaml:"timeout" doc:"the longest it then waits for calls in flight"`
}

// Functions is what functions are given.
type Functions struct {
	Parameters map[string]string `yaml:"parameters" doc:"values of the parameters that functions declare (udf.Parameter), by name; in Flink they come from the job"`
}

// Log is the log on standard error.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" doc:"the least severe record that is written; debug shows every call"`
	Format string `yaml:"format" enum:"json,text" doc:"json for machines, text for people"`
}

// Telemetry is where traces go.
type Telemetry struct {
	OTLPEndpoint string  `yaml:"otlp_endpoint" doc:"URL of an OTLP/HTTP collector, e.g. http://127.0.0.1:4318; empty = OTEL_EXPORTER_OTLP_ENDPOINT, or no traces"`
	ServiceName  string  `yaml:"service_name" doc:"the name under which traces and metrics are known"`
	SampleRatio  float64 `yaml:"sample_ratio" doc:"part of the traces that begin here which is kept, 0 to 1; a caller's choice is followed"`
}

// Default is a sidecar beside its TaskManager: reachable from this machine only.
func Default() Config {
	return Config{
		HTTP: HTTP{
			Addr: "127.0.0.1:8080", MaxBodyBytes: 4 << 20, ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		},
		GRPC:      GRPC{Addr: "127.0.0.1:9090", MaxMessageBytes: 4 << 20},
		Admin:     Admin{Addr: "127.0.0.1:9091"},
		Drain:     Drain{Delay: time.Second, Timeout: 15 * time.Second},
		Evaluate:  evaluate.DefaultConfig(),
		Rules:     rules.DefaultConfig(),
		Decisions: decisions.DefaultConfig(),
		State:     stateful.DefaultConfig(),
		Watch:     watch.DefaultConfig(),
		Replay:    replay.DefaultSettings(),
		Log:       Log{Level: "info", Format: "json"},
		Telemetry: Telemetry{ServiceName: "drey", SampleRatio: 1},
	}
}
