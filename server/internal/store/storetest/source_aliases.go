package storetest

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runSourceAliases(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a source that moves is known by both URLs", moveSource},
		{"a move to the URL of another source is a conflict", moveToTaken},
		{"a move to the former URL of another source is a conflict", moveToFormer},
		{"a source may move back", moveBack},
		{"a move that keeps the key needs no alias", moveSameKey},
		{"a deleted source frees its former URLs", moveDeleted},
		{"a URL that was edited meanwhile is not moved", moveEdited},
		{"health and state are stored, and since when", finishHealth},
	})
}

func moveTo(host, path string) *kgl.SourceMove {
	return &kgl.SourceMove{URL: "https://" + host + "/" + path, URLKey: host + "/" + path, Host: host}
}

// moved stores a source and a fetch that moves it.
func moved(t *testing.T, db *store.DB, to *kgl.SourceMove) (kgl.Source, kgl.Source) {
	t.Helper()
	s, l := leased(t, db)
	r := fetchResult(1, s, second(10))
	r.Move = to
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	must(t, db.ReleaseHost(ctx(t), l, epoch))
	return s, got(db.Source(ctx(t), s.ID))(t)
}

func moveSource(t *testing.T, db *store.DB) {
	s, have := moved(t, db, moveTo("b.example", "new"))
	if have.URL != "https://b.example/new" || have.URLKey != "b.example/new" || have.Host != "b.example" || have.Version != s.Version+1 || have.ETag != "etag" {
		t.Fatalf("moved: %+v", have)
	}
	for _, key := range []string{s.URLKey, "b.example/new"} {
		if found := got(db.SourceByURLKey(ctx(t), key))(t); found.ID != s.ID {
			t.Fatalf("%s finds %s", key, found.ID)
		}
	}
	other := newSource(2, "a.example", at(0))
	other.URL, other.URLKey = s.URL, s.URLKey
	wantCode(t, db.CreateSource(ctx(t), other), kgl.CodeConflict)
	// Both hosts are due when their sources are.
	wantNextDue(t, db, have.NextFetchAt)
	if l := claim(t, db, after(2*time.Hour)); len(l) != 1 || l[0].Host != "b.example" {
		t.Fatalf("claimed %v", l)
	}
}

func moveToTaken(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	other := addSource(t, db, 2, "b.example", at(time.Hour))
	r := fetchResult(1, s, second(10))
	r.Move = &kgl.SourceMove{URL: other.URL, URLKey: other.URLKey, Host: other.Host}
	wantCode(t, db.FinishFetch(ctx(t), l, r, 10), kgl.CodeConflict)
	same(t, got(db.Source(ctx(t), s.ID))(t), s)
	if l := got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 5}))(t); len(l.Rows) != 0 {
		t.Fatal("the history was written")
	}
}

func moveToFormer(t *testing.T, db *store.DB) {
	first, _ := moved(t, db, moveTo("b.example", "new"))
	addSource(t, db, 2, "c.example", at(0))
	l := claim(t, db, epoch)[0]
	second2 := got(db.DueSources(ctx(t), l.Host, epoch, 1))(t)[0]
	r := fetchResult(2, second2, second(20))
	r.Move = &kgl.SourceMove{URL: first.URL, URLKey: first.URLKey, Host: first.Host}
	wantCode(t, db.FinishFetch(ctx(t), l, r, 10), kgl.CodeConflict)
}

func moveBack(t *testing.T, db *store.DB) {
	s, _ := moved(t, db, moveTo("b.example", "new"))
	l := claim(t, db, after(2*time.Hour))[0]
	now := got(db.Source(ctx(t), s.ID))(t)
	r := fetchResult(2, now, after(2*time.Hour))
	r.Move = &kgl.SourceMove{URL: s.URL, URLKey: s.URLKey, Host: s.Host}
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	for _, key := range []string{s.URLKey, "b.example/new"} {
		if found := got(db.SourceByURLKey(ctx(t), key))(t); found.ID != s.ID || found.URL != s.URL {
			t.Fatalf("%s finds %s at %s", key, found.ID, found.URL)
		}
	}
}

func moveSameKey(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	r := fetchResult(1, s, second(10))
	r.Move = &kgl.SourceMove{URL: "https://www.a.example/other-spelling", URLKey: s.URLKey, Host: "www.a.example"}
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	if have := got(db.SourceByURLKey(ctx(t), s.URLKey))(t); have.URL != r.Move.URL {
		t.Fatalf("found %s", have.URL)
	}
	must(t, db.DeleteSource(ctx(t), s.ID))
	_, err := db.SourceByURLKey(ctx(t), s.URLKey)
	wantCode(t, err, kgl.CodeNotFound)
}

func moveDeleted(t *testing.T, db *store.DB) {
	s, _ := moved(t, db, moveTo("b.example", "new"))
	must(t, db.DeleteSource(ctx(t), s.ID))
	_, err := db.SourceByURLKey(ctx(t), s.URLKey)
	wantCode(t, err, kgl.CodeNotFound)
	must(t, db.CreateSource(ctx(t), s))
}

func moveEdited(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	edit := s
	edit.URL, edit.URLKey = "https://a.example/edited", "a.example/edited"
	edited := got(db.UpdateSource(ctx(t), edit))(t)
	r := fetchResult(1, s, second(10))
	r.Move = moveTo("b.example", "new")
	must(t, db.FinishFetch(ctx(t), l, r, 10))
	same(t, got(db.Source(ctx(t), s.ID))(t), edited)
}

func finishHealth(t *testing.T, db *store.DB) {
	s, l := leased(t, db)
	var since []time.Time
	for i, health := range []kgl.SourceHealth{kgl.HealthOK, kgl.HealthOK, kgl.HealthThrottled, kgl.HealthFailing, kgl.HealthFailing} {
		r := fetchResult(i, s, second(i))
		r.Health = health
		r.State = kgl.FetchState{
			HealthReason: "because", Decision: &kgl.FetchDecision{Rule: "adaptive", Reason: "so", Interval: 60, At: second(i)},
			Hints: kgl.FeedHints{TTL: 60, SkipHours: []int{1, 2}}, MeanGap: 3600, NewestAt: at(0), PlannedAt: at(time.Hour),
			Redirect:   &kgl.PermanentRedirect{From: s.URL, URL: "https://b.example/", Since: second(i), Fetches: 2, Same: true, Obstacle: "none"},
			FormerURLs: []string{"https://c.example/"},
		}
		r.Fetch.Details = kgl.FetchDetails{Trigger: "schedule", FinalURL: "https://b.example/", Redirects: 1, Next: r.State.Decision, NextAt: at(time.Hour)}
		must(t, db.FinishFetch(ctx(t), l, r, 10))
		have := got(db.Source(ctx(t), s.ID))(t)
		if have.Health != health {
			t.Fatalf("health %s, want %s", have.Health, health)
		}
		same(t, have.State, r.State)
		same(t, got(db.Fetches(ctx(t), s.ID, kgl.Page{Limit: 1}))(t).Rows[0].Details, r.Fetch.Details)
		since = append(since, have.HealthSince.Add(-250*time.Millisecond))
	}
	same(t, since, []time.Time{second(0), second(0), second(2), second(3), second(3)})
}
