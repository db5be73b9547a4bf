package ingest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// Two replicas on one database: their requests together keep the rate of the
// domain, every host has its turn, and waiting costs few claims.
func TestReplicasShareTheBucketOfADomain(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const hosts = 30
		rate := kgl.DomainRate{Interval: time.Second, Burst: 5}
		asked := map[string]time.Time{}
		for i := range hosts {
			url := fmt.Sprintf("https://h%02d.blogs.example/feed", i)
			w.add(url)
			w.web.script(url, func(r outbound.Request) (*outbound.Response, error) {
				asked[r.URL] = w.clock.Now()
				resp := answer(200, rss("a", "one"))
				resp.FinalURL = r.URL
				return resp, nil
			})
		}
		other := w.add("https://elsewhere.test/feed")
		w.web.serve(other.URL, answer(200, rss("a", "two")))
		one := w.worker(Config{Owner: "one", DomainRate: rate})
		two := NewWorker(Config{Owner: "two", DomainRate: rate}, w.open(), w.web, w.clock, w.ids, one.log, w.metrics, nil)

		w.round(one)
		w.round(two)
		w.want("requests at once", len(asked), 5)
		if w.source(other.ID).LastFetchedAt == nil {
			t.Error("a host of another domain waits behind the throttled one")
		}
		for range 40 {
			w.clock.Advance(time.Second)
			before := len(asked)
			w.round(two)
			w.round(one)
			w.between("requests of a second", len(asked)-before, 0, 1)
		}
		w.want("hosts that were asked", len(asked), hosts)
		var times []time.Time
		for _, at := range asked {
			times = append(times, at)
		}
		slices.SortFunc(times, time.Time.Compare)
		w.want("the last one", times[hosts-1].Sub(start), (hosts-5)*time.Second)

		claims := int64(0)
		for i := range hosts {
			l := w.lease(fmt.Sprintf("h%02d.blogs.example", i))
			claims += l.Token - 1 // without the one that reads it
		}
		w.between("claims of all hosts", int(claims), hosts, 2*hosts)
	})
}

// lease claims a host by having its source fetched, and gives it back.
func (w *world) lease(host string) kgl.HostLease {
	w.t.Helper()
	l, err := w.db.Sources(w.t.Context(), kgl.SourceFilter{Host: host}, kgl.SourceNewestFirst, kgl.Page{Limit: 1})
	w.must(err)
	w.due(l.Rows[0].ID)
	leases, err := w.db.ClaimHosts(w.t.Context(), "looking", w.clock.Now(), w.clock.Now().Add(time.Minute), 1)
	w.must(err)
	if len(leases) != 1 || leases[0].Host != host {
		w.t.Fatalf("claimed %v, want %s", leases, host)
	}
	return leases[0]
}

// A host that is put off does not keep a worker from other hosts.
func TestThrottledDomainDoesNotHoldOthersUp(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		for i := range 100 {
			w.add(fmt.Sprintf("https://h%03d.blogs.example/feed", i))
		}
		w.clock.Advance(time.Second)
		late := w.add("https://late.test/feed") // behind all of them
		worker := w.worker(Config{Workers: 4, DomainRate: kgl.DomainRate{Interval: time.Second, Burst: 1}})
		leases := worker.claim(t.Context(), 4)
		var hosts []string
		for _, l := range leases {
			hosts = append(hosts, l.Host)
		}
		w.want("claimed", hosts, []string{"h000.blogs.example", late.Host})
		w.want("claimed after it", len(worker.claim(t.Context(), 4)), 0)
	})
}

// Feeds of one host take a token each, also where requests to a host are not
// spaced.
func TestFeedsOfOneHostTakeATokenEach(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		for i := range 20 {
			w.add(fmt.Sprintf("https://a.example/%d", i))
		}
		worker := w.worker(Config{DomainRate: kgl.DomainRate{Interval: time.Second, Burst: 5}})
		for w.round(worker) > 0 {
		}
		w.want("requests at once", w.web.asked(), 5)
		w.clock.Advance(10 * time.Second)
		for w.round(worker) > 0 {
		}
		w.want("requests after ten seconds", w.web.asked(), 10)
	})
}

func TestNoBucketForThisMachine(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		for i := range 10 {
			s := kgl.Source{ID: w.ids.NewID(), URL: fmt.Sprintf("http://127.0.0.1:%d/", 9000+i), Status: kgl.SourceActive, NextFetchAt: &start, Version: 1, CreatedAt: start, UpdatedAt: start}
			s.URLKey, s.Host = s.URL, fmt.Sprintf("127.0.0.1:%d", 9000+i)
			w.must(w.db.CreateSource(t.Context(), s))
		}
		w.want("claimed", len(w.worker(Config{DomainRate: kgl.DomainRate{Interval: time.Hour, Burst: 1}}).claim(t.Context(), 20)), 10)
	})
}

func TestStaleBucketsAreSwept(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{DomainRate: kgl.DomainRate{Interval: time.Second, Burst: 5}})
		src := w.add(feedURL)
		w.round(worker)
		_, err := w.db.DomainBucket(t.Context(), "a.example")
		w.must(err)
		w.must(w.sources.Delete(t.Context(), src.ID, nil))
		w.add("https://other.test/feed")
		w.clock.Advance(25 * time.Hour)
		w.round(worker)
		_, err = w.db.DomainBucket(t.Context(), "a.example")
		w.wantCode(err, kgl.CodeNotFound)
	})
}
