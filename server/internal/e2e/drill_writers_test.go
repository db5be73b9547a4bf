//go:build drill

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// TestDrillWriters lets fifty writers at the same database, through two
// processes, for ten seconds: nobody is told of a lock, and nobody waits
// without end.
func TestDrillWriters(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		in.launch(t, "migrate", "up").within(time.Minute)
		first, second := in.launch(t, "serve"), in.launch(t, "serve")
		callers := []*caller{first.serving(in).asAdmin(t), second.serving(in).asAdmin(t)}
		var mu sync.Mutex
		var waits []time.Duration
		var group sync.WaitGroup
		until := time.Now().Add(10 * time.Second)
		for i := range 50 {
			group.Go(func() {
				for j := 0; time.Now().Before(until); j++ {
					body := encode(t, client.EntityCreate{Name: fmt.Sprintf("writer %d %d", i, j), Type: "grant"})
					began := time.Now()
					status, answer := send(callers[i%2], "POST", "/api/v1/entities", body)
					took := time.Since(began)
					if status != http.StatusCreated {
						t.Errorf("%d after %s: %s", status, took, answer)
						return
					}
					mu.Lock()
					waits = append(waits, took)
					mu.Unlock()
				}
			})
		}
		group.Wait()
		slices.Sort(waits)
		at := func(percent int) time.Duration { return waits[(len(waits)-1)*percent/100].Round(time.Millisecond) }
		t.Logf("%s: %d writes in 10 s through two processes, all acknowledged; median %s, p99 %s, longest %s", engine, len(waits), at(50), at(99), at(100))
		if at(100) > 5*time.Second {
			t.Errorf("a writer waited for %s", at(100))
		}
		if n := in.rows(t, "SELECT count(*) FROM entities")[0][0]; n != fmt.Sprint(len(waits)) {
			t.Errorf("%s entities are stored, %d were acknowledged", n, len(waits))
		}
		in.checkEffects(t)
	})
}
