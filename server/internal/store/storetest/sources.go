package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runSources(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a source comes back as it was stored", sourceRoundTrip},
		{"an unknown source is not found", sourceNotFound},
		{"a second source with the same URL conflicts", sourceConflict},
		{"a conflict does not end the transaction", sourceConflictInTx},
		{"the list pages in both orders", sourcePages},
		{"the list filters", sourceFilters},
		{"an update stores what people edit, and no more", sourceUpdate},
		{"an update tells stale versions and taken URLs", sourceUpdateRefused},
		{"a changed URL forgets validators and moves the host", sourceUpdateURL},
		{"a title that is given back to the feed forgets validators", sourceUpdateTitle},
		{"one of two concurrent updates wins", sourceUpdateRace},
		{"a requested fetch is due now", requestFetch},
		{"a source that waits keeps its place", requestFetchWaiting},
		{"a fetch of a paused source cannot be requested", requestFetchRefused},
		{"a fetch of a source that is gone can be requested", requestFetchGone},
		{"the history filters by outcome", fetchesByOutcome},
		{"content is counted by source", sourceCounts},
		{"a deleted source takes its content along", deleteSource},
		{"an unknown source cannot be deleted", deleteUnknownSource},
	})
}

func sourceRoundTrip(t *testing.T, db *store.DB) {
	s := kgl.Source{
		Health: kgl.HealthPending,
		ID:     id(1), URL: "https://example.org/feed?a=1", URLKey: "example.org/feed?a=1", Host: "example.org", Title: "Füttern 🎉",
		TitleIsManual: true, Description: "d", SiteURL: "https://example.org/", Format: "atom", Language: "de", Tags: []string{"a", "\"b\""},
		Status: kgl.SourceFailing, FetchInterval: 90 * time.Minute, ETag: `W/"x"`, LastModified: "Sun, 01 Mar 2026 12:00:00 GMT", BodyHash: "ff",
		NextFetchAt: at(time.Hour), LastFetchedAt: at(time.Microsecond), LastSuccessAt: at(-time.Hour), ConsecutiveFailures: 3,
		LastErrorCode: "fetch_failed", LastError: "no answer", LastErrorAt: at(time.Minute), CreatedBy: id(99), Version: 7,
		CreatedAt: epoch, UpdatedAt: after(time.Second),
	}
	must(t, db.CreateSource(ctx(t), s))
	same(t, got(db.Source(ctx(t), s.ID))(t), s)
	same(t, got(db.SourceByURLKey(ctx(t), s.URLKey))(t), s)

	bare := newSource(2, "example.org", nil)
	must(t, db.CreateSource(ctx(t), bare))
	same(t, got(db.Source(ctx(t), bare.ID))(t), bare)
}

func sourceNotFound(t *testing.T, db *store.DB) {
	_, err := db.Source(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.SourceByURLKey(ctx(t), "nowhere")
	wantCode(t, err, kgl.CodeNotFound)
	if l := got(db.Fetches(ctx(t), id(1), kgl.Page{Limit: 5}))(t); len(l.Rows) != 0 || l.Next != nil {
		t.Fatalf("fetches of an unknown source: %v", l)
	}
}

func sourceConflict(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "example.org", nil)
	s.ID = id(2)
	wantCode(t, db.CreateSource(ctx(t), s), kgl.CodeConflict)
}

func sourceConflictInTx(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "example.org", nil)
	must(t, inTx(t, db, func(c ctxT, tx kgl.Store) error {
		again := s
		again.ID = id(2)
		wantCode(t, tx.CreateSource(c, again), kgl.CodeConflict)
		return tx.CreateSource(c, newSource(3, "example.org", nil))
	}))
	got(db.Source(ctx(t), id(3)))(t)
}

func sourcePages(t *testing.T, db *store.DB) {
	titles := []string{"beta", "Alpha", "alpha", "Zeta", "écoute", "Émile", "beta"}
	for i, title := range titles {
		s := newSource(i, "example.org", nil)
		s.Title = title
		s.CreatedAt = second(i / 2) // pairs created at the same time
		must(t, db.CreateSource(ctx(t), s))
	}
	for limit := 1; limit <= len(titles)+1; limit++ {
		byTime := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Source], error) {
			return db.Sources(ctx(t), kgl.SourceFilter{}, kgl.SourceNewestFirst, p)
		})
		same(t, idsOf(byTime, sourceID), []string{id(6), id(5), id(4), id(3), id(2), id(1), id(0)})
		byTitle := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Source], error) {
			return db.Sources(ctx(t), kgl.SourceFilter{}, kgl.SourceByTitle, p)
		})
		same(t, idsOf(byTitle, sourceID), []string{id(1), id(2), id(0), id(6), id(3), id(4), id(5)})
	}
}

func sourceFilters(t *testing.T, db *store.DB) {
	for i := range 6 {
		s := newSource(i, fmt.Sprintf("host%d.example", i%2), nil)
		s.Status = []kgl.SourceStatus{kgl.SourceActive, kgl.SourcePaused, kgl.SourceGone}[i%3]
		s.Title = []string{"50% Off", "50_ways", "Grants", "grants & co", "GRANTS", "other"}[i]
		s.Tags = []string{fmt.Sprint("t", i), "all", `quo"te`}
		must(t, db.CreateSource(ctx(t), s))
	}
	for _, tc := range []struct {
		name   string
		filter kgl.SourceFilter
		want   []int
	}{
		{"none", kgl.SourceFilter{}, []int{5, 4, 3, 2, 1, 0}},
		{"one status", kgl.SourceFilter{Status: []kgl.SourceStatus{kgl.SourcePaused}}, []int{4, 1}},
		{"two states", kgl.SourceFilter{Status: []kgl.SourceStatus{kgl.SourcePaused, kgl.SourceGone}}, []int{5, 4, 2, 1}},
		{"host", kgl.SourceFilter{Host: "host1.example"}, []int{5, 3, 1}},
		{"tag", kgl.SourceFilter{Tag: "t3"}, []int{3}},
		{"tag with a quote", kgl.SourceFilter{Tag: `quo"te`, Host: "host1.example"}, []int{5, 3, 1}},
		{"part of a tag", kgl.SourceFilter{Tag: "al"}, nil},
		{"prefix in another case", kgl.SourceFilter{TitlePrefix: "Gran"}, []int{4, 3, 2}},
		{"percent is not a wildcard", kgl.SourceFilter{TitlePrefix: "50%"}, []int{0}},
		{"underscore is not a wildcard", kgl.SourceFilter{TitlePrefix: "50_"}, []int{1}},
		{"injection", kgl.SourceFilter{TitlePrefix: "' OR 1=1 --"}, nil},
		{"all at once", kgl.SourceFilter{Status: []kgl.SourceStatus{kgl.SourceActive}, Host: "host1.example", Tag: "all", TitlePrefix: "g"}, []int{3}},
	} {
		var want []string
		for _, n := range tc.want {
			want = append(want, id(n))
		}
		have := pages(t, 2, func(p kgl.Page) (kgl.List[kgl.Source], error) {
			return db.Sources(ctx(t), tc.filter, kgl.SourceNewestFirst, p)
		})
		if !slices.Equal(idsOf(have, sourceID), want) {
			t.Errorf("%s: %v, want %v", tc.name, idsOf(have, sourceID), want)
		}
	}
}

func sourceUpdate(t *testing.T, db *store.DB) {
	old := newSource(1, "example.org", at(0))
	old.ETag, old.BodyHash, old.Description, old.LastFetchedAt = "e", "h", "d", at(time.Second)
	old.Status, old.ConsecutiveFailures, old.LastErrorCode, old.LastError, old.LastErrorAt = kgl.SourceFailing, 2, "c", "m", at(0)
	must(t, db.CreateSource(ctx(t), old))
	edit := old
	edit.Title, edit.TitleIsManual, edit.Tags, edit.FetchInterval = "Mine", true, []string{"x"}, time.Hour
	edit.Status, edit.NextFetchAt, edit.ConsecutiveFailures = kgl.SourceActive, at(time.Hour), 0
	edit.LastErrorCode, edit.LastError, edit.LastErrorAt = "", "", nil
	edit.UpdatedAt = after(time.Minute)
	want := edit
	want.Version = 2
	edit.ETag, edit.BodyHash, edit.Description, edit.LastFetchedAt, edit.CreatedBy = "no", "no", "no", nil, "no"
	same(t, got(db.UpdateSource(ctx(t), edit))(t), want)
	same(t, got(db.Source(ctx(t), old.ID))(t), want)
	wantNextDue(t, db, at(time.Hour))
}

func sourceUpdateRefused(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "example.org", nil)
	other := addSource(t, db, 2, "example.org", nil)
	unknown := newSource(3, "example.org", nil)
	_, err := db.UpdateSource(ctx(t), unknown)
	wantCode(t, err, kgl.CodeNotFound)
	s.Version = 2
	_, err = db.UpdateSource(ctx(t), s)
	wantCode(t, err, kgl.CodePreconditionFailed)
	s.Version, s.URL, s.URLKey = 1, other.URL, other.URLKey
	_, err = db.UpdateSource(ctx(t), s)
	wantCode(t, err, kgl.CodeConflict)
	same(t, got(db.Source(ctx(t), s.ID))(t).Version, 1)
}

func sourceUpdateURL(t *testing.T, db *store.DB) {
	s := newSource(1, "old.example", at(time.Hour))
	s.ETag, s.LastModified, s.BodyHash = "e", "l", "h"
	must(t, db.CreateSource(ctx(t), s))
	s.URL, s.URLKey, s.Host, s.NextFetchAt = "https://new.example/f", "new.example/f", "new.example", at(time.Minute)
	moved := got(db.UpdateSource(ctx(t), s))(t)
	if moved.ETag+moved.LastModified+moved.BodyHash != "" || moved.Host != "new.example" || moved.URL != s.URL {
		t.Fatalf("after the move: %+v", moved)
	}
	leases := claim(t, db, after(2*time.Hour))
	if len(leases) != 1 || leases[0].Host != "new.example" {
		t.Fatalf("due hosts after the move: %+v", leases)
	}
}

func sourceUpdateTitle(t *testing.T, db *store.DB) {
	s := newSource(1, "example.org", nil)
	s.TitleIsManual, s.ETag, s.LastModified, s.BodyHash = true, "e", "l", "h"
	must(t, db.CreateSource(ctx(t), s))
	s.Title = "Still mine"
	s = got(db.UpdateSource(ctx(t), s))(t)
	same(t, []string{s.ETag, s.LastModified, s.BodyHash}, []string{"e", "l", "h"})
	s.TitleIsManual = false
	s = got(db.UpdateSource(ctx(t), s))(t)
	same(t, []string{s.ETag, s.LastModified, s.BodyHash}, []string{"", "", ""})
}

func sourceUpdateRace(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "example.org", nil)
	won := 0
	for _, err := range parallel(6, func(i int) error {
		mine := s
		mine.Title = fmt.Sprint("writer ", i)
		_, err := db.UpdateSource(ctx(t), mine)
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, kgl.CodePreconditionFailed)
	}
	if won != 1 {
		t.Fatalf("%d updates of version 1 succeeded", won)
	}
}

func requestFetch(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "example.org", at(time.Hour))
	addSource(t, db, 2, "example.org", at(2*time.Hour))
	must(t, db.RequestFetch(ctx(t), s.ID, after(time.Minute)))
	wantNextDue(t, db, at(time.Minute))
	stored := got(db.Source(ctx(t), s.ID))(t)
	if !stored.NextFetchAt.Equal(after(time.Minute)) || stored.Version != 1 {
		t.Fatalf("after the request: %+v", stored)
	}
	due := got(db.DueSources(ctx(t), "example.org", after(time.Minute), 10))(t)
	same(t, idsOf(due, sourceID), []string{s.ID})
}

// requestFetchWaiting asks for sources that are due already: the one that has
// waited longest stays the first.
func requestFetchWaiting(t *testing.T, db *store.DB) {
	for i, host := range []string{"a.example", "b.example"} {
		s := addSource(t, db, i, host, at(time.Duration(i)*time.Minute))
		must(t, db.RequestFetch(ctx(t), s.ID, after(time.Duration(2-i)*time.Hour)))
	}
	wantNextDue(t, db, at(0))
	if ls := claim(t, db, after(3*time.Hour)); ls[0].Host != "a.example" {
		t.Fatalf("claimed %v", ls)
	}
}

func requestFetchRefused(t *testing.T, db *store.DB) {
	wantCode(t, db.RequestFetch(ctx(t), id(1), epoch), kgl.CodeNotFound)
	s := newSource(1, "example.org", nil)
	s.Status = kgl.SourcePaused
	must(t, db.CreateSource(ctx(t), s))
	wantCode(t, db.RequestFetch(ctx(t), s.ID, epoch), kgl.CodeConflict)
	wantNextDue(t, db, nil)
}

// requestFetchGone asks for sources that are never fetched, and once a month.
func requestFetchGone(t *testing.T, db *store.DB) {
	for i, next := range []*time.Time{nil, at(720 * time.Hour)} {
		s := newSource(i, fmt.Sprintf("h%d.example", i), next)
		s.Status = kgl.SourceGone
		must(t, db.CreateSource(ctx(t), s))
		must(t, db.RequestFetch(ctx(t), s.ID, epoch))
		if have := got(db.Source(ctx(t), s.ID))(t); have.Status != kgl.SourceGone || have.NextFetchAt == nil || !have.NextFetchAt.Equal(epoch) {
			t.Errorf("the source is %s and due at %v", have.Status, have.NextFetchAt)
		}
	}
	if leases := claim(t, db, epoch); len(leases) != 2 {
		t.Errorf("%d hosts were claimed, want 2", len(leases))
	}
}

func fetchesByOutcome(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	for i, outcome := range []kgl.FetchOutcome{kgl.FetchNewContent, kgl.FetchFailed, kgl.FetchNotModified, kgl.FetchFailed} {
		r := fetchResult(i, s, second(i))
		r.Fetch.Outcome = outcome
		must(t, db.FinishFetch(ctx(t), l, r, 10))
	}
	all := pages(t, 1, func(p kgl.Page) (kgl.List[kgl.Fetch], error) { return db.Fetches(ctx(t), s.ID, p, kgl.FetchFailed) })
	same(t, idsOf(all, fetchID), []string{id(20_003), id(20_001)})
	both := got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 9}, kgl.FetchNewContent, kgl.FetchNotModified))(t)
	same(t, idsOf(both.Rows, fetchID), []string{id(20_002), id(20_000)})
}

func sourceCounts(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	addContents(t, db, newContent(1, a), newContent(2, a), newContent(3, b))
	c := addSource(t, db, 3, "c.example", nil)
	same(t, got(db.SourceContentCounts(ctx(t), []string{a.ID, b.ID, c.ID}))(t), map[string]int64{a.ID: 2, b.ID: 1, c.ID: 0})
	same(t, got(db.SourceContentCounts(ctx(t), nil))(t), map[string]int64{})
}

func deleteSource(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", at(time.Hour)), addSource(t, db, 2, "b.example", at(2*time.Hour))
	cs := addContents(t, db, newContent(1, a), newContent(2, a), newContent(3, b))
	e := addEntity(t, db, 1, "person", "Ada Lovelace")
	for i, c := range cs {
		m := newMention(i+1, c.ID, e.ID)
		must(t, db.ReplaceMentions(ctx(t), c.ID, kgl.ExtractorMock, []kgl.Mention{m}))
	}
	rel := got2(db.UpsertRelationships(ctx(t), []kgl.Relationship{newRelationship(1, e, addEntity(t, db, 2, "organization", "Acme"), "works_for")}))(t)[0]
	for i, c := range cs {
		got(db.ReplaceEvidence(ctx(t), c.ID, kgl.ExtractorMock, []kgl.Evidence{newEvidence(i+1, rel.ID, c.ID)}))(t)
	}
	lease := claim(t, db, after(time.Hour))[0]
	must(t, db.FinishFetch(ctx(t), lease, fetchResult(1, a, epoch), 10))
	must(t, db.DeleteSource(ctx(t), a.ID))

	_, err := db.Source(ctx(t), a.ID)
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.Content(ctx(t), cs[0].ID)
	wantCode(t, err, kgl.CodeNotFound)
	same(t, content(t, db, cs[2].ID).SourceID, b.ID)
	if n := got(db.Entity(ctx(t), e.ID))(t).MentionCount; n != 1 {
		t.Fatalf("the entity counts %d mentions, want 1", n)
	}
	if n := got(db.Relationship(ctx(t), rel.ID))(t).EvidenceCount; n != 1 {
		t.Fatalf("the relationship counts %d pieces of evidence, want 1", n)
	}
	if l := got(db.Fetches(ctx(t), a.ID, kgl.Page{Limit: 5}))(t); len(l.Rows) != 0 {
		t.Fatal("the history stayed")
	}
	wantNextDue(t, db, at(2*time.Hour))
}

func deleteUnknownSource(t *testing.T, db *store.DB) {
	wantCode(t, db.DeleteSource(ctx(t), id(1)), kgl.CodeNotFound)
}
