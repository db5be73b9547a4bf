package storetest

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runThrottles(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"failures are counted from the first", throttleCounts},
		{"a counter whose window is over starts anew", throttleWindow},
		{"a block outlives its window", throttleBlockStays},
		{"an unknown key cannot be blocked", throttleNotFound},
		{"counters are read and removed by key", throttleClear},
		{"no failure is lost", throttleRace},
		{"stale counters are removed in portions", throttleStale},
	})
}

// fail adds a failure at a time after the epoch, with a window of an hour.
func fail(t *testing.T, db *store.DB, key string, d time.Duration) kgl.LoginThrottle {
	t.Helper()
	return got(db.AddLoginFailure(ctx(t), key, after(d), after(d-time.Hour)))(t)
}

func throttleCounts(t *testing.T, db *store.DB) {
	want := kgl.LoginThrottle{Key: "account:a", Failures: 1, WindowStart: epoch, UpdatedAt: epoch}
	same(t, fail(t, db, "account:a", 0), want)
	want.Failures, want.UpdatedAt = 2, after(time.Minute)
	same(t, fail(t, db, "account:a", time.Minute), want)
	same(t, got(db.LoginThrottles(ctx(t), []string{"account:a", "account:b"}))(t), []kgl.LoginThrottle{want})
}

func throttleWindow(t *testing.T, db *store.DB) {
	fail(t, db, "k", 0)
	fail(t, db, "k", time.Minute)
	must(t, db.BlockLogin(ctx(t), "k", after(2*time.Minute), after(time.Minute)))
	if c := fail(t, db, "k", time.Hour); c.Failures != 3 || c.BlockedUntil == nil {
		t.Fatalf("the window began at its start and is not over: %+v", c)
	}
	d := time.Hour + time.Microsecond
	same(t, fail(t, db, "k", d), kgl.LoginThrottle{Key: "k", Failures: 1, WindowStart: after(d), UpdatedAt: after(d)})
}

func throttleBlockStays(t *testing.T, db *store.DB) {
	fail(t, db, "k", 0)
	must(t, db.BlockLogin(ctx(t), "k", after(5*time.Hour), after(time.Minute)))
	c := fail(t, db, "k", 2*time.Hour)
	same(t, c, kgl.LoginThrottle{
		Key: "k", Failures: 1, WindowStart: after(2 * time.Hour), BlockedUntil: at(5 * time.Hour), UpdatedAt: after(2 * time.Hour),
	})
}

func throttleNotFound(t *testing.T, db *store.DB) {
	wantCode(t, db.BlockLogin(ctx(t), "k", after(time.Hour), epoch), kgl.CodeNotFound)
}

func throttleClear(t *testing.T, db *store.DB) {
	for _, key := range []string{"a", `quote"'`, "c"} {
		fail(t, db, key, 0)
	}
	must(t, db.ClearLoginThrottles(ctx(t), []string{"a", `quote"'`, "unknown"}))
	left := got(db.LoginThrottles(ctx(t), []string{"a", `quote"'`, "c"}))(t)
	same(t, idsOf(left, func(c kgl.LoginThrottle) string { return c.Key }), []string{"c"})
	must(t, db.ClearLoginThrottles(ctx(t), nil))
	if n := len(got(db.LoginThrottles(ctx(t), nil))(t)); n != 0 {
		t.Fatalf("%d counters for no key", n)
	}
}

func throttleRace(t *testing.T, db *store.DB) {
	const n = 50
	fail(t, db, "k", 0)
	// All of them find the window over: one starts anew, the others add to it.
	seen := make([]int64, n)
	for _, err := range parallel(n, func(i int) error {
		c, err := db.AddLoginFailure(ctx(t), "k", after(2*time.Hour), after(time.Hour))
		seen[i] = c.Failures
		return err
	}) {
		must(t, err)
	}
	count := map[int64]int{}
	for _, s := range seen {
		count[s]++
	}
	for want := int64(1); want <= n; want++ {
		if count[want] != 1 {
			t.Fatalf("the count %d was returned %d times", want, count[want])
		}
	}
}

func throttleStale(t *testing.T, db *store.DB) {
	for i, key := range []string{"a", "b", "c", "d"} {
		fail(t, db, key, time.Duration(i)*time.Minute)
	}
	for _, want := range []int64{2, 1, 0} {
		if n := got(db.DeleteStaleThrottles(ctx(t), after(3*time.Minute), 2))(t); n != want {
			t.Fatalf("%d counters were removed, want %d", n, want)
		}
	}
	left := got(db.LoginThrottles(ctx(t), []string{"a", "b", "c", "d"}))(t)
	same(t, idsOf(left, func(c kgl.LoginThrottle) string { return c.Key }), []string{"d"})
}
