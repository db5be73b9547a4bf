//go:build drill && linux

package e2e

import (
	"testing"
	"time"
)

// TestDrillMemory bombards a server with documents of the largest size that is
// read, for a minute on each engine.
func TestDrillMemory(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		peak, p95 := bombard(t, engine, 10<<20-4<<10, time.Minute)
		if peak > memoryBudget {
			t.Errorf("%s: %d MB, over the budget of %d", engine, peak>>20, memoryBudget>>20)
		}
		if p95 > time.Second {
			t.Errorf("%s: the API took %v for 95%%", engine, p95)
		}
	}
}
