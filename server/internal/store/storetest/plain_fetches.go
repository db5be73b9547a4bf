package storetest

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// Fetches that find nothing new are stored in a way of their own, with all that
// may happen to the source meanwhile.

// plainResult is of a fetch that was answered 304.
func plainResult(n int, s kgl.Source, start time.Time) kgl.FetchResult {
	r := fetchResult(n, s, start)
	r.Document, r.Title, r.Description, r.SiteURL, r.Format, r.Language = false, "", "", "", "", ""
	r.Fetch.Outcome, r.Fetch.HTTPStatus, r.Fetch.Bytes, r.Fetch.Warnings = kgl.FetchNotModified, 304, 0, []kgl.Warning{}
	r.Fetch.ItemsSeen, r.Fetch.ItemsCreated, r.Fetch.ItemsUpdated, r.Fetch.ItemsFailed = 0, 0, 0, 0
	r.Fetch.Details.Trigger = "schedule"
	r.ETag, r.Health = "newer", kgl.HealthOK
	r.State.HealthReason, r.State.PlannedAt = "all is well", r.NextFetchAt
	return r
}

// fetchedOnce stores a source that was fetched, and claims its host when it is
// due again, after an hour.
func fetchedOnce(t *testing.T, db *store.DB) (kgl.Source, kgl.HostLease) {
	t.Helper()
	s, l := leased(t, db)
	r := fetchResult(1, s, epoch)
	r.Health, r.Release = kgl.HealthOK, &time.Time{}
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	wantNextDue(t, db, r.NextFetchAt)
	return got(db.Source(ctx(t), s.ID))(t), claim(t, db, after(time.Hour))[0]
}

func finishPlain(t *testing.T, db *store.DB) {
	s, l := fetchedOnce(t, db)
	r := plainResult(2, s, after(time.Hour))
	must(t, db.FinishFetch(ctx(t), l, r, -1))
	end := after(time.Hour + 250*time.Millisecond)
	want := s
	want.ETag, want.NextFetchAt, want.LastFetchedAt, want.LastSuccessAt, want.UpdatedAt, want.State = "newer", r.NextFetchAt, &end, &end, end, r.State
	same(t, got(db.Source(ctx(t), s.ID))(t), want)
	same(t, got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 1}))(t).Rows, []kgl.Fetch{r.Fetch})
	must(t, db.ExtendHost(ctx(t), l, after(3*time.Hour))) // the lease stays
}

func finishPlainReleases(t *testing.T, db *store.DB) {
	s, l := fetchedOnce(t, db)
	other := addSource(t, db, 7, "a.example", at(90*time.Minute))
	r := plainResult(2, s, after(time.Hour))
	r.Release = at(2 * time.Hour)
	must(t, db.FinishFetch(ctx(t), l, r, -1))
	wantCode(t, db.ExtendHost(ctx(t), l, after(3*time.Hour)), kgl.CodeLeaseLost)
	wantNextDue(t, db, r.Release) // not before that, although the other source is due earlier
	l = claim(t, db, after(2*time.Hour))[0]
	r = plainResult(3, s, after(2*time.Hour))
	r.Release = &time.Time{}
	must(t, db.FinishFetch(ctx(t), l, r, -1))
	wantNextDue(t, db, other.NextFetchAt)
}

func finishPlainKeep(t *testing.T, db *store.DB) {
	s, l := fetchedOnce(t, db)
	for i := range 3 {
		must(t, db.FinishFetch(ctx(t), l, plainResult(i+2, s, after(time.Hour*time.Duration(i+1))), -1))
	}
	history := func() []string {
		return idsOf(got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 9}))(t).Rows, fetchID)
	}
	same(t, history(), []string{id(20_004), id(20_003), id(20_002), id(20_001)})
	must(t, db.FinishFetch(ctx(t), l, plainResult(5, s, after(9*time.Hour)), 2))
	same(t, history(), []string{id(20_005), id(20_004)})
}

// What happens to a source while it is fetched counts, as with any fetch.
func finishPlainMeanwhile(t *testing.T, db *store.DB) {
	s, l := fetchedOnce(t, db)
	start := after(time.Hour)
	must(t, db.RequestFetch(ctx(t), s.ID, start.Add(time.Second)))
	must(t, db.FinishFetch(ctx(t), l, plainResult(2, s, start), -1))
	if have := got(db.Source(ctx(t), s.ID))(t); !have.NextFetchAt.Equal(start.Add(time.Second)) || have.ETag != "newer" {
		t.Fatalf("due at %v with the tag %s, want the time of the request, and the new one", have.NextFetchAt, have.ETag)
	}

	edit := got(db.Source(ctx(t), s.ID))(t)
	edit.Status, edit.NextFetchAt = kgl.SourcePaused, nil
	got(db.UpdateSource(ctx(t), edit))(t)
	must(t, db.FinishFetch(ctx(t), l, plainResult(3, s, start.Add(time.Minute)), -1))
	paused := got(db.Source(ctx(t), s.ID))(t)
	if paused.Status != kgl.SourcePaused || paused.NextFetchAt != nil {
		t.Fatalf("the source is %s and due at %v", paused.Status, paused.NextFetchAt)
	}

	edit = paused
	edit.Status, edit.URL, edit.URLKey, edit.NextFetchAt = kgl.SourceActive, "https://a.example/new", "a.example/new", &start
	edited := got(db.UpdateSource(ctx(t), edit))(t)
	must(t, db.FinishFetch(ctx(t), l, plainResult(4, s, start.Add(2*time.Minute)), -1))
	same(t, got(db.Source(ctx(t), s.ID))(t), edited)
	same(t, len(got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 9}))(t).Rows), 4)
}

// Another health, and a failure before, are more than a plain fetch changes.
func finishPlainRecovers(t *testing.T, db *store.DB) {
	s, l := fetchedOnce(t, db)
	failed := failedResult(2, s, after(time.Hour))
	failed.Health = kgl.HealthFailing
	must(t, db.FinishFetch(ctx(t), l, failed, -1))
	must(t, db.FinishFetch(ctx(t), l, plainResult(3, s, after(2*time.Hour)), -1))
	have := got(db.Source(ctx(t), s.ID))(t)
	if have.Status != kgl.SourceActive || have.Health != kgl.HealthOK || have.ConsecutiveFailures != 0 || have.LastErrorAt != nil || have.LastErrorCode != "" {
		t.Fatalf("after a recovery: %+v", have)
	}
}

func finishPlainLost(t *testing.T, db *store.DB) {
	s, lost := fetchedOnce(t, db)
	claim(t, db, after(5*time.Hour))
	r := plainResult(2, s, after(time.Hour))
	r.Release = at(0)
	wantCode(t, db.FinishFetch(ctx(t), lost, r, -1), kgl.CodeLeaseLost)
	same(t, got(db.Source(ctx(t), s.ID))(t), s)
	same(t, len(got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 9}))(t).Rows), 1)

	l := claim(t, db, after(9*time.Hour))[0]
	must(t, db.DeleteSource(ctx(t), s.ID))
	wantCode(t, db.FinishFetch(ctx(t), l, r, -1), kgl.CodeNotFound)
}
