package storetest

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// fetchResult returns the result of a fetch, with the id n, that began at a
// time, took 250 ms and succeeded; the source is due again after an hour.
func fetchResult(n int, s kgl.Source, start time.Time) kgl.FetchResult {
	next := start.Add(time.Hour)
	return kgl.FetchResult{
		Fetch: kgl.Fetch{
			ID: id(20_000 + n), SourceID: s.ID, StartedAt: start, Duration: 250 * time.Millisecond, Outcome: kgl.FetchNewContent,
			HTTPStatus: 200, Bytes: 1234, ItemsSeen: 5, ItemsCreated: 3, ItemsUpdated: 1, ItemsFailed: 1,
			Warnings: []kgl.Warning{{Code: "odd_date", Message: "a date could not be read"}},
		},
		FetchedURL: s.URL, Document: true, Title: "From the feed", Description: "About", SiteURL: "https://example.org/", Format: "rss", Language: "en",
		ETag: "etag", LastModified: "lm", BodyHash: "hash", Status: kgl.SourceActive, NextFetchAt: &next,
	}
}

// leased stores a source and claims its host.
func leased(t *testing.T, db *store.DB) (kgl.Source, kgl.HostLease) {
	t.Helper()
	s := addSource(t, db, 1, "a.example", at(0))
	return s, claim(t, db, epoch)[0]
}

func finishFetch(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	r := fetchResult(1, s, second(10))
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	end := second(10).Add(250 * time.Millisecond)
	want := s
	want.Title, want.Description, want.SiteURL, want.Format, want.Language = r.Title, r.Description, r.SiteURL, r.Format, r.Language
	want.ETag, want.LastModified, want.BodyHash = "etag", "lm", "hash"
	want.NextFetchAt, want.LastFetchedAt, want.LastSuccessAt = r.NextFetchAt, &end, &end
	want.Version, want.UpdatedAt = 2, end
	same(t, got(db.Source(ctx(t), s.ID))(t), want)
	same(t, got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 5}))(t).Rows, []kgl.Fetch{r.Fetch})
	must(t, db.ReleaseHost(ctx(t), l, epoch))
	wantNextDue(t, db, r.NextFetchAt)
}

func failedResult(n int, s kgl.Source, start time.Time) kgl.FetchResult {
	r := fetchResult(n, s, start)
	r.Document, r.Status, r.ConsecutiveFailures = false, kgl.SourceFailing, 1
	r.ETag, r.LastModified, r.BodyHash = s.ETag, s.LastModified, s.BodyHash
	r.Fetch.Outcome, r.Fetch.HTTPStatus, r.Fetch.ErrorCode, r.Fetch.Error = kgl.FetchFailed, 500, "fetch_failed", "the server answered 500"
	return r
}

func finishFailed(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	must(t, db.FinishFetch(ctx(t), l, failedResult(1, s, epoch), 10))
	have := got(db.Source(ctx(t), s.ID))(t)
	if have.Status != kgl.SourceFailing || have.ConsecutiveFailures != 1 || have.LastErrorCode != "fetch_failed" ||
		have.LastError != "the server answered 500" || have.LastErrorAt == nil || have.LastSuccessAt != nil || have.Title != s.Title {
		t.Fatalf("after a failure: %+v", have)
	}
	must(t, db.FinishFetch(ctx(t), l, fetchResult(2, s, second(60)), 10))
	have = got(db.Source(ctx(t), s.ID))(t)
	if have.Status != kgl.SourceActive || have.ConsecutiveFailures != 0 || have.LastErrorCode+have.LastError != "" || have.LastErrorAt != nil {
		t.Fatalf("after a recovery: %+v", have)
	}
}

func finishNotModified(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	must(t, db.FinishFetch(ctx(t), l, fetchResult(1, s, epoch), 10))
	r := fetchResult(2, s, second(60))
	r.Document, r.Title, r.Description, r.Format = false, "", "", ""
	r.Fetch.Outcome, r.Fetch.HTTPStatus = kgl.FetchNotModified, 304
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	have := got(db.Source(ctx(t), s.ID))(t)
	if have.Title != "From the feed" || have.Description != "About" || have.Format != "rss" || have.Version != 2 {
		t.Fatalf("after 304: %+v", have)
	}
}

func finishManualTitle(t *testing.T, db *store.DB) {
	s := newSource(1, "a.example", at(0))
	s.Title, s.TitleIsManual = "Mine", true
	must(t, db.CreateSource(ctx(t), s))
	must(t, db.FinishFetch(ctx(t), claim(t, db, epoch)[0], fetchResult(1, s, epoch), 10))
	if have := got(db.Source(ctx(t), s.ID))(t); have.Title != "Mine" {
		t.Fatalf("the title became %q", have.Title)
	}
}

func finishVersion(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	versions := []int64{}
	for i, change := range []func(*kgl.FetchResult){
		func(*kgl.FetchResult) {},
		func(*kgl.FetchResult) {},
		func(r *kgl.FetchResult) { r.ETag, r.Fetch.Bytes = "other", 9 },
		func(r *kgl.FetchResult) { r.Title = "Renamed" },
		func(r *kgl.FetchResult) { r.Title, r.Status = "Renamed", kgl.SourceFailing },
	} {
		r := fetchResult(i, s, second(i))
		change(&r)
		must(t, db.FinishFetch(ctx(t), l, r, 10))
		versions = append(versions, got(db.Source(ctx(t), s.ID))(t).Version)
	}
	same(t, versions, []int64{2, 2, 2, 3, 4})
}

func fetchID(f kgl.Fetch) string { return f.ID }

func finishKeep(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	for i := range 5 {
		must(t, db.FinishFetch(ctx(t), l, fetchResult(i, s, second(i/2)), 3)) // pairs begin at the same time
	}
	for limit := 1; limit <= 4; limit++ {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Fetch], error) { return db.Fetches(ctx(t), s.ID, p) })
		same(t, idsOf(all, fetchID), []string{id(20_004), id(20_003), id(20_002)})
	}
}

func finishLeaseLost(t *testing.T, db *store.DB) {
	s, lost := leased(t, db)
	claim(t, db, after(time.Minute))
	wantCode(t, db.FinishFetch(ctx(t), lost, fetchResult(1, s, epoch), 10), kgl.CodeLeaseLost)
	unknown := kgl.HostLease{Host: "nowhere.example", Owner: "worker", Token: 1}
	wantCode(t, db.FinishFetch(ctx(t), unknown, fetchResult(1, s, epoch), 10), kgl.CodeLeaseLost)
	if l := got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 5}))(t); len(l.Rows) != 0 {
		t.Fatal("the history was written")
	}
	same(t, got(db.Source(ctx(t), s.ID))(t), s)
}

func finishDeleted(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	must(t, db.DeleteSource(ctx(t), s.ID))
	wantCode(t, db.FinishFetch(ctx(t), l, fetchResult(1, s, epoch), 10), kgl.CodeNotFound)
}

func finishPaused(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	edit := s
	edit.Status, edit.NextFetchAt = kgl.SourcePaused, nil
	got(db.UpdateSource(ctx(t), edit))(t)
	must(t, db.FinishFetch(ctx(t), l, fetchResult(1, s, epoch), 10))
	if have := got(db.Source(ctx(t), s.ID))(t); have.Status != kgl.SourcePaused || have.NextFetchAt != nil {
		t.Fatalf("the source is %s and due at %v", have.Status, have.NextFetchAt)
	}
	must(t, db.ReleaseHost(ctx(t), l, epoch))
	wantNextDue(t, db, nil)
}

func finishEdited(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	edit := s
	edit.URL, edit.URLKey, edit.NextFetchAt = "https://a.example/new", "a.example/new", at(time.Minute)
	edited := got(db.UpdateSource(ctx(t), edit))(t)
	must(t, db.FinishFetch(ctx(t), l, fetchResult(1, s, epoch), 10))
	same(t, got(db.Source(ctx(t), s.ID))(t), edited)
	if l := got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 5}))(t); len(l.Rows) != 1 {
		t.Fatal("the history was not written")
	}
}

func finishRequested(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	must(t, db.RequestFetch(ctx(t), s.ID, second(5)))
	must(t, db.FinishFetch(ctx(t), l, fetchResult(1, s, second(1)), 10))
	if have := got(db.Source(ctx(t), s.ID))(t); have.NextFetchAt == nil || !have.NextFetchAt.Equal(second(5)) {
		t.Fatalf("due at %v, want the time of the request", have.NextFetchAt)
	}
	// The next fetch began after the request, which it fulfils.
	r := fetchResult(2, s, second(6))
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	if have := got(db.Source(ctx(t), s.ID))(t); !have.NextFetchAt.Equal(*r.NextFetchAt) {
		t.Fatalf("due at %v, want %v", have.NextFetchAt, r.NextFetchAt)
	}
	// One that finds the feed gone does not forget it either.
	must(t, db.RequestFetch(ctx(t), s.ID, second(9)))
	r = fetchResult(3, s, second(8))
	r.Status, r.NextFetchAt = kgl.SourceGone, nil
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	if have := got(db.Source(ctx(t), s.ID))(t); have.NextFetchAt == nil || !have.NextFetchAt.Equal(second(9)) {
		t.Fatalf("due at %v, want the time of the request", have.NextFetchAt)
	}
}
