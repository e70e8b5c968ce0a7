package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Validate returns everything that cannot work, joined. Each error begins with its key.
func (c Config) Validate() error {
	found := c.check()
	errs := make([]error, len(found))
	for i, v := range found {
		errs[i] = v
	}
	return errors.Join(errs...)
}

func (c Config) check() violations {
	var v violations
	for _, k := range Keys() {
		if value := k.text(&c); k.Enum != nil && !slices.Contains(k.Enum, value) {
			v.add(k.Path, "%q, must be one of %s", value, strings.Join(k.Enum, ", "))
		}
	}
	v.listener("http", c.HTTP.Addr, c.HTTP.TLS, c.Insecure)
	v.listener("grpc", c.GRPC.Addr, c.GRPC.TLS, c.Insecure)
	v.listener("admin", c.Admin.Addr, c.Admin.TLS, c.Insecure)
	if c.HTTP.Addr == "" {
		v.add("http.addr", "is empty, the sidecar needs its data listener: give host:port or unix:/path")
	}
	if c.HTTP.MaxBodyBytes < 1 {
		v.add("http.max_body_bytes", "%d, must be positive", c.HTTP.MaxBodyBytes)
	}
	if c.GRPC.MaxMessageBytes < 1 {
		v.add("grpc.max_message_bytes", "%d, must be positive", c.GRPC.MaxMessageBytes)
	}
	for key, d := range map[string]time.Duration{
		"http.read_header_timeout": c.HTTP.ReadHeaderTimeout, "http.read_timeout": c.HTTP.ReadTimeout,
		"http.write_timeout": c.HTTP.WriteTimeout, "http.idle_timeout": c.HTTP.IdleTimeout, "drain.timeout": c.Drain.Timeout,
	} {
		if d <= 0 {
			v.add(key, "%s, must be positive", d)
		}
	}
	if c.Drain.Delay < 0 {
		v.add("drain.delay", "%s, must not be negative", c.Drain.Delay)
	}
	longest := c.Evaluate.Deadline
	for _, d := range c.Evaluate.FunctionDeadlines {
		longest = max(longest, d)
	}
	if w := c.HTTP.WriteTimeout; w > 0 && w <= longest {
		v.add("http.write_timeout", "%s, must be longer than the longest deadline of a function (%s), or its answer cannot be sent", w, longest)
	}
	if r := c.Telemetry.SampleRatio; !(r >= 0 && r <= 1) {
		v.add("telemetry.sample_ratio", "%v, must be from 0 to 1", r)
	}
	v.section("evaluate", c.Evaluate.Validate())
	v.section("rules", c.Rules.Validate())
	v.section("decisions", c.Decisions.Validate())
	v.section("state", c.State.Validate())
	v.section("watch", c.Watch.Validate())
	v.section("replay", c.Replay.Validate())
	if c.State.GC.Enabled && !c.Watch.On() {
		v.add("state.gc.enabled", "is set, and nothing is watched: which checkpoints there are is not known without watch.flink")
	}
	if c.Replay.Enabled && c.Replay.Folder(c.DataDir) == "" {
		v.add("replay.dir", "is empty, and so is data_dir: replays need a folder, give one with --replay-dir")
	}
	if c.Watch.On() && c.Watch.Folder(c.DataDir) == "" {
		v.add("watch.dir", "is empty, and so is data_dir: the copies of checkpoints need a folder, give one with --watch-dir")
	}
	slices.SortStableFunc(v, func(a, b violation) int { return strings.Compare(a.key, b.key) })
	return v
}

// violation is one thing that cannot work.
type violation struct{ key, message string }

func (v violation) Error() string { return v.key + ": " + v.message }

type violations []violation

func (v *violations) add(key, format string, a ...any) {
	*v = append(*v, violation{key, fmt.Sprintf(format, a...)})
}

// section takes over what a package says of its own part, whose keys begin there.
func (v *violations) section(prefix string, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			v.section(prefix, e)
		}
		return
	}
	key, message, found := strings.Cut(err.Error(), ": ")
	if !found {
		v.add(prefix, "%s", err)
		return
	}
	v.add(prefix+"."+key, "%s", message)
}

func (v *violations) listener(section, addr string, tls TLS, insecure bool) {
	if (tls.CertFile == "") != (tls.KeyFile == "") {
		v.add(section+".tls", "cert_file and key_file go together, one of them is missing")
	}
	if path, unix := strings.CutPrefix(addr, "unix:"); unix {
		if path == "" {
			v.add(section+".addr", "%q has no path, e.g. unix:/run/drey/%s.sock", addr, section)
		}
		return
	}
	if addr == "" {
		return
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		v.add(section+".addr", "%q is neither host:port nor unix:/path", addr)
		return
	}
	if !loopback(host) && !tls.On() && !insecure {
		v.add(section+".addr", "%s can be reached from other machines and has no TLS: set %[2]s.tls.cert_file and %[2]s.tls.key_file, "+
			"use 127.0.0.1 or unix:/path, or say --insecure if the network is trusted", addr, section)
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
