package main

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Go's heap keeps, as far as it can, to this part of a container's memory limit,
// or of what a process without one is meant to need; SQLite's caches take memory
// that Go does not see. GOMEMLIMIT overrules it.
const (
	goMemory      = 0.8
	defaultMemory = 512 << 20
)

// garbagePercent is how much garbage Go lets gather, in percent of what is in
// use. GOGC overrules it. See docs/decisions/0016-speed.md.
const garbagePercent = 50

// boundMemory tells Go how much memory the process may take.
func boundMemory() {
	limit := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.Limit(defaultMemory))
	// Where none can be set, the process runs as it would without one.
	_, _ = memlimit.Set(memlimit.WithRatio(goMemory), memlimit.WithProvider(limit))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}
