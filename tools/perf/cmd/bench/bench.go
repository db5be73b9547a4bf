package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// bench is one run.
type bench struct {
	options
	bin, work  string
	postmaster int // process id of the Postgres server, 0 without one
	report     Report
	running    []*process
	made       []string // databases to drop at the end
	secret     string
}

// newBench builds the programs and makes the folders.
func newBench(ctx context.Context, o options) (*bench, error) {
	work, err := os.MkdirTemp("", "kgl-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, work: work, bin: filepath.Join(work, "bin")}
	// Not secret: it protects made-up rows. A constant, so that filled databases can be used again.
	sum := sha256.Sum256([]byte("the master key of databases that are measured"))
	b.secret = base64.StdEncoding.EncodeToString(sum[:])
	if b.reuse == "" {
		b.reuse = filepath.Join(work, "filled")
	}
	if err := errors.Join(os.MkdirAll(b.bin, 0o700), os.MkdirAll(b.reuse, 0o700), os.MkdirAll(b.out, 0o755)); err != nil {
		return nil, err
	}
	if err := b.build(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	if slices.Contains(b.engines, "postgres") {
		if b.postmaster, err = findPostmaster(ctx, b.postgres); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	b.report.describe(ctx, b)
	return b, nil
}

// build compiles the service and the tools.
func (b *bench) build(ctx context.Context) error {
	b.say("building")
	for _, from := range []struct{ dir, what string }{
		{b.root, "./server/cmd/kgl"},
		{b.root, "./server/internal/benchdata/cmd/..."},
		{filepath.Join(b.root, "tools", "perf"), "./cmd/..."},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", b.bin+string(filepath.Separator), from.what)
		cmd.Dir = from.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s in %s: %w\n%s", from.what, from.dir, err, out)
		}
	}
	return nil
}

// close stops what still runs, drops the databases and removes the files.
func (b *bench) close() error {
	var failures []error
	for _, p := range slices.Backward(b.running) {
		failures = append(failures, p.stop())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range b.made {
		failures = append(failures, b.admin(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"))
	}
	return errors.Join(append(failures, os.RemoveAll(b.work))...)
}

// say tells how far the run is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// rounds returns how often something is repeated, by the set.
func (b *bench) rounds(quick, full int) int {
	if b.full {
		return full
	}
	return quick
}

func (b *bench) lasting(quick, full time.Duration) time.Duration {
	if b.full {
		return full
	}
	return quick
}

// largest returns the largest size that is at most n, or the smallest of all.
func (b *bench) largest(n int) int {
	best := b.sizes[0]
	for _, s := range b.sizes {
		if s <= n {
			best = s
		}
	}
	return best
}
