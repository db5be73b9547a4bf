//go:build drill

package e2e

import (
	"testing"
	"time"
)

// TestDrillReplicas lets three processes share 10,000 due sources, and the
// 10,000 tasks that come of them, while two of them are killed, one is stopped
// and others join.
func TestDrillReplicas(t *testing.T) {
	in, f := newInstallation(t, "postgres", "KGL_WORKERS=8"), newFarm(t, 1000, 10, 5*time.Millisecond)
	f.subscribe(t, in)
	join := func() *process {
		p := in.launch(t, "serve")
		p.serving(in)
		return p
	}
	began := time.Now()
	a, b, c := join(), join(), join()
	f.waitForFeeds(t, 2000, 5*time.Minute)
	a.kill()
	f.waitForFeeds(t, 3500, 5*time.Minute)
	join()
	f.waitForFeeds(t, 5000, 5*time.Minute)
	b.stop()
	f.waitForFeeds(t, 6500, 5*time.Minute)
	c.kill()
	join()
	f.waitForFeeds(t, 9900, 5*time.Minute)
	t.Logf("9,900 of 10,000 sources were fetched after %v", time.Since(began).Round(time.Second))
	in.waitForWork(t, 2*leases)
	t.Logf("all 10,000 sources and tasks were done after %v, the leases of the killed included", time.Since(began).Round(time.Second))
	in.checkEffectsOnce(t, 10_000)
	feeds, repeated, together := f.fetched()
	t.Logf("%d feeds, %d requests repeated, %d requests while the host answered another one", feeds, repeated, together)
	// What the killed and the stopped were asking for is asked for again.
	if repeated > 3*8 || together > 0 {
		t.Error("too many")
	}
	if out, err := in.run(t, "audit", "verify"); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// TestDrillManySources fetches 10,000 due sources with one process on SQLite,
// which is killed twice in the middle.
func TestDrillManySources(t *testing.T) {
	in, f := newInstallation(t, "sqlite", "KGL_WORKERS=8"), newFarm(t, 1000, 10, 5*time.Millisecond)
	if out, err := in.run(t, "migrate", "up"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	f.subscribe(t, in)
	began := time.Now()
	for _, n := range []int{3000, 6000} {
		p := in.launch(t, "serve")
		p.serving(in)
		f.waitForFeeds(t, n, 5*time.Minute)
		p.kill()
		checkIntegrity(t, in)
	}
	in.launch(t, "serve").serving(in)
	f.waitForFeeds(t, 9900, 5*time.Minute)
	t.Logf("9,900 of 10,000 sources were fetched after %v", time.Since(began).Round(time.Second))
	in.waitForWork(t, 2*leases)
	t.Logf("all 10,000 sources and tasks were done after %v, the leases of the killed included", time.Since(began).Round(time.Second))
	in.checkEffectsOnce(t, 10_000)
	if _, repeated, together := f.fetched(); repeated > 2*8 || together > 0 {
		t.Errorf("%d requests were repeated, %d came while the host answered another one", repeated, together)
	}
}
