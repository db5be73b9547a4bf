package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runDomains(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a bucket gives a burst, then the rate", domainRate},
		{"who is put off has a place of its own", domainQueue},
		{"domains do not share a bucket", domainsApart},
		{"concurrent callers get no more than the rate", domainRace},
		{"a bucket that is ahead of a clock that was set back is full", domainClockSetBack},
		{"a place is at most an hour ahead", domainLongQueue},
		{"a token of a transaction that is rolled back is given back", domainRolledBack},
		{"another rate counts from the next request on", domainOtherRate},
		{"stale buckets are deleted, others stay", domainStale},
		{"the state of a host is told", hostState},
		{"the last fetches of a host are told", hostFetches},
	})
}

var slow = kgl.DomainRate{Interval: time.Second, Burst: 3}

// take returns how long the caller is to wait.
func take(t *testing.T, db *store.DB, domain string, now time.Time, rate kgl.DomainRate) time.Duration {
	t.Helper()
	return got(db.TakeToken(ctx(t), domain, now, rate))(t).Sub(now)
}

func domainRate(t *testing.T, db *store.DB) {
	_, err := db.DomainBucket(ctx(t), "a.example")
	wantCode(t, err, kgl.CodeNotFound)
	for i := range 3 {
		if wait := take(t, db, "a.example", epoch, slow); wait != 0 {
			t.Fatalf("request %d of the burst waits %v", i, wait)
		}
	}
	if wait := take(t, db, "a.example", epoch, slow); wait != time.Second {
		t.Fatalf("behind the burst: %v", wait)
	}
	same(t, got(db.DomainBucket(ctx(t), "a.example"))(t),
		kgl.DomainBucket{Domain: "a.example", ArrivalAt: second(3), QueuedUntil: second(2)})
	if wait := take(t, db, "a.example", second(1).Add(-time.Microsecond), slow); wait == 0 {
		t.Fatal("a token came too early")
	}
	for n := 1; n <= 5; n++ {
		if wait := take(t, db, "a.example", second(n), slow); wait != 0 {
			t.Fatalf("after %d s: %v", n, wait)
		}
	}
	for i := range 3 { // full again
		if wait := take(t, db, "a.example", second(100), slow); wait != 0 {
			t.Fatalf("request %d after a silence waits %v", i, wait)
		}
	}
}

func domainQueue(t *testing.T, db *store.DB) {
	for range 3 {
		take(t, db, "a.example", epoch, slow)
	}
	for n := 1; n <= 50; n++ {
		if wait := take(t, db, "a.example", epoch, slow); wait != time.Duration(n)*time.Second {
			t.Fatalf("place %d is %v ahead", n, wait)
		}
	}
	// Each finds a token in its place.
	for n := 1; n <= 50; n++ {
		if wait := take(t, db, "a.example", second(n), slow); wait != 0 {
			t.Fatalf("in place %d it waits %v more", n, wait)
		}
	}
}

func domainsApart(t *testing.T, db *store.DB) {
	for i := range 20 {
		if wait := take(t, db, fmt.Sprintf("d%d.example", i), epoch, kgl.DomainRate{Interval: time.Hour, Burst: 1}); wait != 0 {
			t.Fatalf("domain %d waits %v", i, wait)
		}
	}
}

func domainRace(t *testing.T, db *store.DB) {
	const callers = 12
	waits := make([]time.Duration, callers)
	for _, err := range parallel(callers, func(i int) error {
		at, err := db.TakeToken(ctx(t), "a.example", epoch, slow)
		waits[i] = at.Sub(epoch)
		return err
	}) {
		must(t, err)
	}
	places := map[time.Duration]int{}
	for _, w := range waits {
		places[w]++
	}
	if places[0] != slow.Burst || len(places) != callers-slow.Burst+1 {
		t.Fatalf("waits: %v", places)
	}
}

func domainClockSetBack(t *testing.T, db *store.DB) {
	for range 10 {
		take(t, db, "a.example", after(365*24*time.Hour), slow)
	}
	for i := range 3 {
		if wait := take(t, db, "a.example", epoch, slow); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := take(t, db, "a.example", epoch, slow); wait <= 0 || wait > time.Hour {
		t.Fatalf("behind the burst: %v", wait)
	}
	// Replicas that differ by some milliseconds are no such thing.
	if wait := take(t, db, "a.example", epoch.Add(-50*time.Millisecond), slow); wait == 0 {
		t.Fatal("a clock that is a little late got a token")
	}
}

func domainLongQueue(t *testing.T, db *store.DB) {
	rate := kgl.DomainRate{Interval: 20 * time.Minute, Burst: 1}
	take(t, db, "a.example", epoch, rate)
	longest := time.Duration(0)
	for range 20 {
		longest = max(longest, take(t, db, "a.example", epoch, rate))
	}
	if longest != time.Hour {
		t.Fatalf("the longest wait is %v", longest)
	}
}

func domainRolledBack(t *testing.T, db *store.DB) {
	one := kgl.DomainRate{Interval: time.Hour, Burst: 1}
	err := inTx(t, db, func(c ctxT, tx kgl.Store) error {
		got(tx.TakeToken(c, "a.example", epoch, one))(t)
		return kgl.Errorf(kgl.CodeInternal, "no")
	})
	wantCode(t, err, kgl.CodeInternal)
	if wait := take(t, db, "a.example", epoch, one); wait != 0 {
		t.Fatalf("the token is gone: %v", wait)
	}
}

func domainOtherRate(t *testing.T, db *store.DB) {
	take(t, db, "a.example", epoch, kgl.DomainRate{Interval: time.Minute, Burst: 1})
	if wait := take(t, db, "a.example", epoch, kgl.DomainRate{Interval: time.Second, Burst: 100}); wait != 0 {
		t.Fatalf("with a wider rate: %v", wait)
	}
	if wait := take(t, db, "a.example", epoch, kgl.DomainRate{Interval: time.Second, Burst: 1}); wait == 0 {
		t.Fatal("with a narrower rate there is a token")
	}
}

func domainStale(t *testing.T, db *store.DB) {
	for i := range 5 {
		take(t, db, fmt.Sprintf("old%d.example", i), second(i), slow)
	}
	take(t, db, "new.example", after(2*time.Hour), slow)
	if n := got(db.DeleteStaleDomains(ctx(t), after(time.Hour), 3))(t); n != 3 {
		t.Fatalf("deleted %d, limit 3", n)
	}
	if n := got(db.DeleteStaleDomains(ctx(t), after(time.Hour), 30))(t); n != 2 {
		t.Fatalf("deleted %d of the other two", n)
	}
	got(db.DomainBucket(ctx(t), "new.example"))(t)
	// One that is ahead is not full.
	for range 5 {
		take(t, db, "busy.example", after(3*time.Hour), kgl.DomainRate{Interval: time.Hour, Burst: 3})
	}
	if n := got(db.DeleteStaleDomains(ctx(t), after(4*time.Hour), 30))(t); n != 1 {
		t.Fatalf("deleted %d, want new.example alone", n)
	}
}

func hostState(t *testing.T, db *store.DB) {
	_, err := db.Host(ctx(t), "a.example")
	wantCode(t, err, kgl.CodeNotFound)
	addSource(t, db, 1, "a.example", at(time.Minute))
	same(t, got(db.Host(ctx(t), "a.example"))(t), kgl.Host{Host: "a.example", DueAt: at(time.Minute)})
	l := got(db.ClaimHosts(ctx(t), "w", after(time.Minute), after(time.Hour), 1))(t)[0]
	same(t, got(db.Host(ctx(t), "a.example"))(t), kgl.Host{Host: "a.example", DueAt: at(time.Minute), LeasedUntil: at(time.Hour)})
	must(t, db.ReleaseHost(ctx(t), l, after(2*time.Hour)))
	same(t, got(db.Host(ctx(t), "a.example"))(t), kgl.Host{Host: "a.example", DueAt: at(2 * time.Hour), NotBefore: at(2 * time.Hour)})
}

func hostFetches(t *testing.T, db *store.DB) {
	for i := 1; i <= 3; i++ {
		addSource(t, db, i, "a.example", at(0))
	}
	addSource(t, db, 4, "b.example", at(0))
	for _, l := range claim(t, db, epoch) {
		for _, s := range got(db.DueSources(ctx(t), l.Host, epoch, 10))(t) {
			n := int(s.ID[len(s.ID)-1] - '0')
			r := fetchResult(n, s, second(n))
			r.Health = []kgl.SourceHealth{kgl.HealthOK, kgl.HealthThrottled}[n%2]
			must(t, db.FinishFetch(ctx(t), l, r, 10))
		}
	}
	list := got(db.HostFetches(ctx(t), "a.example", second(2), 5))(t)
	end := func(n int) time.Time { return second(n).Add(250 * time.Millisecond) }
	same(t, list, []kgl.HostFetch{
		{SourceID: id(3), Health: kgl.HealthThrottled, FetchedAt: end(3)}, {SourceID: id(2), Health: kgl.HealthOK, FetchedAt: end(2)},
	})
	if list = got(db.HostFetches(ctx(t), "a.example", epoch, 1))(t); len(list) != 1 || list[0].SourceID != id(3) {
		t.Fatalf("the last one: %v", list)
	}
}
