package e2e

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestClocksApart runs three replicas whose machines' clocks are an hour apart
// on one Postgres: tokens of one count on the others, nothing is fetched twice
// or too late, and no replica takes another one's work for abandoned.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "postgres", hourly...)
	var replicas []*backend
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		env, c := in.env(), &clock{}
		c.Advance(ahead)
		env.Clock, env.OwnTime = c, false
		replicas = append(replicas, in.startIn(t, env))
	}
	var together atomic.Int64 // requests to a host while it answered another one
	const hosts, each = 4, 10
	for host := range hosts {
		f := newFeedServer(t)
		var busy atomic.Int64
		for n := range each {
			path := fmt.Sprintf("/%d.xml", n)
			page := rssFeed("Feed", newItem(fmt.Sprintf("Item %d of %d", n, host)))
			f.handle(path, func(w http.ResponseWriter, req *http.Request) {
				if busy.Add(1) > 1 {
					together.Add(1)
				}
				defer busy.Add(-1)
				time.Sleep(20 * time.Millisecond) // as a server does
				_, _ = w.Write([]byte(page))
			})
			// In turn: what one replica schedules is due at once for all.
			replicas[n%len(replicas)].asAdmin(t).createSource(t, f.url(path))
		}
	}
	in.waitForWork(t, time.Minute)
	in.checkEffectsOnce(t, hosts*each)
	if n := together.Load(); n > 0 {
		t.Errorf("%d requests came while the host answered another one", n)
	}
	now := time.Now().UnixMicro()
	if n := in.count(t, fmt.Sprintf("SELECT count(*) FROM sources WHERE next_fetch_at BETWEEN %d AND %d",
		now+(55*time.Minute).Microseconds(), now+(70*time.Minute).Microseconds())); n != hosts*each {
		t.Errorf("%d of %d sources are due again in an hour", n, hosts*each)
	}
	token := replicas[2].login(t, in.admin).AccessToken
	for _, b := range replicas {
		b.newCaller(t, token).do("GET", "/api/v1/auth/me", "").want(t, http.StatusOK)
	}
}

// hourly has every source fetched once an hour, whatever its rhythm.
var hourly = []string{"KGL_FETCH_INTERVAL_MIN=1h", "KGL_FETCH_INTERVAL=1h", "KGL_FETCH_INTERVAL_MAX=1h"}

// TestClockSteps moves the clock of one machine an hour ahead and back, with
// sources that are fetched every hour: each is fetched once more than time went
// by, none in a storm, and a new one at once, whatever the clock shows.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite", hourly...)
	b := in.start(t)
	c, f := b.asAdmin(t), newFeedServer(t)
	const sources = 20
	for n := range sources {
		path := fmt.Sprintf("/%d.xml", n)
		f.serve(path, rssFeed("Feed", newItem(path)))
		c.createSource(t, f.url(path))
	}
	in.waitForWork(t, time.Minute)
	requests := func() (n int) {
		for i := range sources {
			n += len(f.requests(fmt.Sprintf("/%d.xml", i)))
		}
		return n
	}
	in.clock.Advance(time.Hour + 10*time.Minute) // the interval and its jitter
	eventually(t, "all are fetched again", func() string {
		if n := requests(); n < 2*sources {
			return fmt.Sprint(n)
		}
		return ""
	})
	in.clock.Advance(-time.Hour - 10*time.Minute)
	fresh := newFeedServer(t)
	fresh.serve("/new.xml", rssFeed("New", newItem("new")))
	c = b.asAdmin(t) // the old token is from the future
	id := c.createSource(t, fresh.url("/new.xml")).ID
	c.waitForFetches(t, id, 1)
	in.waitForWork(t, time.Minute)
	if n := requests(); n != 2*sources {
		t.Errorf("%d requests for %d sources that were due twice", n, sources)
	}
}
