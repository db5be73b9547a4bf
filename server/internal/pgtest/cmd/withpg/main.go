// Command withpg runs a command with a PostgreSQL server at hand, so that all
// test binaries of one run share it:
//
//	go run ./server/internal/pgtest/cmd/withpg -- go test ./...
//
// The command finds the server's URL in KGL_TEST_POSTGRES_URL. When that is set
// already, withpg starts no server.
//
// With -durable before the command the server syncs what is committed and has
// the settings of a new installation, for measurements.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

func main() {
	args := os.Args[1:]
	start := pgtest.Start
	if len(args) > 0 && args[0] == "-durable" {
		args, start = args[1:], pgtest.StartDurable
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withpg [-durable] -- command [argument...]")
		os.Exit(2)
	}
	code, err := run(start, args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
	}
	os.Exit(code)
}

// run starts the server, then the command, and returns the command's exit code.
func run(start func(context.Context) (*pgtest.Cluster, error), args []string) (code int, err error) {
	// The command gets a terminal's interrupt itself: wait for it to end.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if os.Getenv(pgtest.EnvURL) == "" {
		starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		cluster, err := start(starting)
		if err != nil {
			return 1, err
		}
		defer func() { err = errors.Join(err, cluster.Stop()) }()
		if err := os.Setenv(pgtest.EnvURL, cluster.URL()); err != nil {
			return 1, err
		}
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
