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

	"github.com/peermesh/kgl-backend/server/internal/cli"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// version is set by the linker.
var version = "dev"

func main() {
	os.Exit(run())
}

func run() int {
	boundMemory()
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
