// Devs3 is the S3 server of the development cluster: versitygw over a plain folder, so that a checkpoint can be looked
// at with ls. It is a program of its own, for `drey` must not carry it. Not for production: one user, no replication.
//
//	devs3 --addr 127.0.0.1:9000 --dir ./s3 --bucket flink
//
// The credentials are S3_ACCESS_KEY and S3_SECRET_KEY of the environment, where other users of the machine cannot read
// them as they could a flag.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"golang.org/x/sys/unix"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "devs3:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:9000", "`host:port` to listen on")
	dir := flag.String("dir", "s3", "`folder` of the objects; a folder in it is a bucket")
	bucket := flag.String("bucket", "flink", "bucket to create when it is missing; empty = none")
	region := flag.String("region", "us-east-1", "region that clients sign for")
	flag.Parse()

	access, secret := os.Getenv("S3_ACCESS_KEY"), os.Getenv("S3_SECRET_KEY")
	if access == "" || secret == "" {
		return errors.New("set S3_ACCESS_KEY and S3_SECRET_KEY: the credentials that clients will use")
	}
	if _, port, err := net.SplitHostPort(*addr); err != nil || port == "0" {
		return fmt.Errorf("--addr %s: give a host and a port that is not 0", *addr)
	}
	if err := os.MkdirAll(filepath.Join(*dir, *bucket), 0o755); err != nil {
		return err
	}
	if err := needXattrs(*dir); err != nil {
		return err
	}
	backend, err := posix.New(*dir, meta.XattrMeta{}, posix.PosixOpts{
		NewDirPerm: 0o755, NewFilePerm: 0o644, Concurrency: 100,
		CopyObjectThreshold: 5 << 30, // as in AWS; at zero every copy would be refused
		IOBufferSize:        1 << 20,
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: access, RootUserSecret: secret, Region: *region, Ports: []string{*addr},
		MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10_000, Quiet: true, KeepAlive: true,
	})
}

// needXattrs says early what would otherwise fail at the first object: the server keeps ETags and content types in
// extended attributes.
func needXattrs(dir string) error {
	err := unix.Setxattr(dir, "user.drey.probe", []byte{1}, 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%s: its file system has no user extended attributes (%w); choose a --dir on ext4, xfs or btrfs", dir, err)
	}
	return err
}
