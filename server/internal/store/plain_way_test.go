package store_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestPlainFetchesAreStoredAsOthers stores fetches that were made up at random
// in both ways, each in a database of its own, after the same had happened to
// their sources: what is stored must be the same, to the last field.
func TestPlainFetchesAreStoredAsOthers(t *testing.T) {
	const trials = 400
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			quick, general := openDB(t), openDB(t)
			plain := 0
			for n := range trials {
				c := newPlainCase(rand.New(rand.NewPCG(1, uint64(n))), n)
				lease := c.prepare(t, quick)
				if other := c.prepare(t, general); other != lease {
					t.Fatalf("case %d: the leases differ: %+v, %+v", n, lease, other)
				}
				stored, err := quick.FinishFetchPlainly(t.Context(), lease, c.result)
				if stored {
					plain++
				} else if err == nil {
					err = quick.FinishFetchGenerally(t.Context(), lease, c.result)
				}
				want := general.FinishFetchGenerally(t.Context(), lease, c.result)
				if kgl.ErrorCode(err) != kgl.ErrorCode(want) {
					t.Fatalf("case %d: %v, want %v\n%+v", n, err, want, c)
				}
				if have, want := c.stored(t, quick), c.stored(t, general); !reflect.DeepEqual(have, want) {
					t.Fatalf("case %d, plain %t: stored\n%+v\nwant\n%+v\nof %+v", n, stored, have, want, c)
				}
			}
			t.Logf("%d of %d were stored plainly", plain, trials)
			if plain < trials/4 || plain > trials*3/4 {
				t.Errorf("%d of %d were stored plainly: the cases test one way only", plain, trials)
			}
		})
	}
}

// plainCase is a source, what happens to it while it is fetched, and the fetch.
type plainCase struct {
	source    kgl.Source
	neighbor  *time.Time // when another source of the host is due; nil: there is none
	meanwhile string
	result    kgl.FetchResult
}

var plainStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// one returns the first of the choices most of the time.
func one[T any](r *rand.Rand, choices ...T) T {
	if r.IntN(8) > 0 {
		return choices[0]
	}
	return choices[r.IntN(len(choices))]
}

func newPlainCase(r *rand.Rand, n int) plainCase {
	due := plainStart.Add(-time.Duration(r.IntN(3)) * time.Minute)
	end := plainStart.Add(-time.Hour)
	url := fmt.Sprintf("https://h%d.example/feed", n)
	s := kgl.Source{
		ID: fmt.Sprintf("0198c6f0-0000-7000-8000-%012d", 2*n), URL: url, URLKey: url, Host: fmt.Sprintf("h%d.example", n), Title: "Old", Tags: []string{},
		Status: one(r, kgl.SourceActive, kgl.SourceActive, kgl.SourceFailing, kgl.SourceGone), NextFetchAt: &due, LastFetchedAt: &end, LastSuccessAt: &end,
		ETag: "old", LastModified: "old", BodyHash: "old", Version: 3, CreatedAt: end,
		UpdatedAt: one(r, end, end, plainStart.Add(time.Hour)), Health: one(r, kgl.HealthOK, kgl.HealthOK, kgl.HealthQuiet, kgl.HealthPending),
		HealthSince: one(r, &end, &end, nil), ConsecutiveFailures: one(r, int64(0), 0, 2),
	}
	if one(r, false, false, true) {
		s.LastErrorCode, s.LastError, s.LastErrorAt = "timeout", "no answer", &end
	}
	c := plainCase{source: s, meanwhile: one(r, "", "request", "pause", "edit", "move", "delete", "lose", "release"), result: newPlainResult(r, n, s)}
	if r.IntN(2) == 0 {
		at := plainStart.Add(time.Duration(r.IntN(240)-60) * time.Minute)
		c.neighbor = &at
	}
	return c
}

func newPlainResult(r *rand.Rand, n int, s kgl.Source) kgl.FetchResult {
	start := plainStart.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
	next := start.Add(time.Duration(r.IntN(7200)) * time.Second)
	result := kgl.FetchResult{
		Fetch: kgl.Fetch{
			ID: fmt.Sprintf("0198c6f0-0000-7000-8000-%012d", 1_000_000+n), SourceID: s.ID, StartedAt: start,
			Duration:   time.Duration(r.IntN(2_000_000)) * time.Microsecond,
			Outcome:    one(r, kgl.FetchNotModified, kgl.FetchUnchanged, kgl.FetchNewContent, kgl.FetchFailed),
			HTTPStatus: one(r, int64(304), 200, 0), Bytes: one(r, int64(0), 4711), ItemsSeen: one(r, int64(0), 7), ItemsFailed: one(r, int64(0), 1),
			ErrorCode: one(r, "", "timeout"), Error: one(r, "", "no answer"),
			Warnings: one(r, []kgl.Warning{}, []kgl.Warning{{Code: "charset", Message: "odd"}}),
			Details:  kgl.FetchDetails{Trigger: "schedule", NextAt: &next, Next: &kgl.FetchDecision{Rule: "adaptive", At: start}},
		},
		FetchedURL: one(r, s.URL, s.URL, "", "https://elsewhere.example/feed"), Document: one(r, false, false, true), Title: "New", Format: "rss",
		ETag: one(r, "new", ""), LastModified: "new", BodyHash: one(r, "new", "old"),
		Status: one(r, kgl.SourceActive, kgl.SourceActive, kgl.SourceFailing, kgl.SourceGone), ConsecutiveFailures: one(r, int64(0), 0, 1),
		NextFetchAt: one(r, &next, &next, nil), Health: one(r, s.Health, s.Health, kgl.HealthMoved, ""),
		State: kgl.FetchState{HealthReason: one(r, "", "because"), PlannedAt: &next, MeanGap: int64(r.IntN(1000))},
	}
	if r.IntN(2) == 0 {
		at := one(r, time.Time{}, start.Add(time.Second), start.Add(3*time.Hour))
		result.Release = &at
	}
	if one(r, false, false, true) {
		result.Move = &kgl.SourceMove{URL: s.URL + "-moved", URLKey: s.URLKey + "-moved", Host: one(r, s.Host, "moved-"+s.Host)}
	}
	return result
}

// prepare stores the source, claims its host, and does what happens meanwhile.
func (c plainCase) prepare(t *testing.T, db *store.DB) kgl.HostLease {
	t.Helper()
	noError(t, db.CreateSource(t.Context(), c.source))
	leases, err := db.ClaimHosts(t.Context(), "w", plainStart, plainStart.Add(time.Minute), 10)
	noError(t, err)
	if len(leases) != 1 || leases[0].Host != c.source.Host {
		t.Fatalf("claimed %+v of %+v", leases, c)
	}
	if c.neighbor != nil {
		other := kgl.Source{ID: c.source.ID[:35] + fmt.Sprint(c.source.ID[35]-'0'+1), URL: c.source.URL + "2", URLKey: c.source.URLKey + "2", Host: c.source.Host,
			Tags: []string{}, Status: kgl.SourceActive, NextFetchAt: c.neighbor, Health: kgl.HealthPending, Version: 1, CreatedAt: plainStart, UpdatedAt: plainStart}
		noError(t, db.CreateSource(t.Context(), other))
	}
	c.happen(t, db, leases[0])
	return leases[0]
}

func (c plainCase) happen(t *testing.T, db *store.DB, l kgl.HostLease) {
	t.Helper()
	edit, at := c.source, plainStart.Add(10*time.Minute)
	var err error
	switch c.meanwhile {
	case "request":
		err = db.RequestFetch(t.Context(), c.source.ID, plainStart.Add(500*time.Millisecond))
	case "pause":
		edit.Status, edit.NextFetchAt = kgl.SourcePaused, nil
		_, err = db.UpdateSource(t.Context(), edit)
	case "edit":
		edit.Title, edit.TitleIsManual, edit.FetchInterval, edit.NextFetchAt = "Mine", true, time.Hour, &at
		_, err = db.UpdateSource(t.Context(), edit)
	case "move":
		edit.URL, edit.URLKey, edit.NextFetchAt = edit.URL+"-new", edit.URLKey+"-new", &at
		_, err = db.UpdateSource(t.Context(), edit)
	case "delete":
		err = db.DeleteSource(t.Context(), c.source.ID)
	case "lose":
		_, err = db.ClaimHosts(t.Context(), "v", l.Until, l.Until.Add(time.Hour), 10)
	case "release":
		err = db.ReleaseHost(t.Context(), l, at)
	}
	noError(t, err)
}

// stored returns what is stored of the source, its history and its host, and
// then makes sure that no later case claims it.
func (c plainCase) stored(t *testing.T, db *store.DB) (all struct {
	Source kgl.Source
	Code   kgl.Code
	Rows   []kgl.Fetch
	Host   kgl.Host
}) {
	t.Helper()
	var err error
	all.Source, err = db.Source(t.Context(), c.source.ID)
	all.Code = kgl.ErrorCode(err)
	list, err := db.Fetches(t.Context(), c.source.ID, kgl.Page{Limit: 5})
	noError(t, err)
	all.Rows = list.Rows
	if all.Host, err = db.Host(t.Context(), c.source.Host); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"source_aliases", "source_fetches", "sources", "hosts"} {
		execute(t, db, "DELETE FROM "+table)
	}
	return all
}
