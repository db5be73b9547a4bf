// Command kgl is the backend of the Knowledge Graph Lab.
package main

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/peermesh/kgl-backend/server/internal/cli"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// version is set by the linker.
var version = "dev"

func main() {
	os.Exit(run())
}

// Go's heap keeps, as far as it can, to this part of a container's memory limit,
// or of what a process without one is meant to need; SQLite's caches take memory
// that Go does not see. GOMEMLIMIT overrules it.
const (
	goMemory      = 0.8
	defaultMemory = 512 << 20
)

func run() int {
	limit := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.Limit(defaultMemory))
	// Where none can be set, the process runs as it would without one.
	_, _ = memlimit.Set(memlimit.WithRatio(goMemory), memlimit.WithProvider(limit))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal kills, for whoever does not want to wait for the grace.
	context.AfterFunc(ctx, stop)
	return cli.Run(ctx, cli.Env{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Clock:   kgl.ClockFunc(time.Now),
		Random:  rand.Reader,
		Jitter:  mathrand.Float64,
		Version: version,
	})
}
