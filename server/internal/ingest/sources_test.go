package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func ptr[T any](v T) *T { return &v }

func TestCreateSource(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		ctx := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: "019cb000-0000-7000-8000-000000000001"})
		s, err := w.sources.Create(ctx, NewSource{
			URL: " feed://Example.ORG:80/a?b=1#top ", Title: " Grants ", Tags: []string{" Film ", "film", "Money"}, FetchInterval: time.Hour,
		})
		w.must(err)
		w.want("source", fmt.Sprint(s.URL, " ", s.Host, " ", s.Title, " ", s.TitleIsManual, " ", s.Tags, " ", s.Status, " ", s.CreatedBy, " ", s.Version),
			"http://example.org/a?b=1 example.org Grants true [film money] active 019cb000-0000-7000-8000-000000000001 1")
		w.want("due", s.NextFetchAt, w.clock.Now())
		w.want("stored", w.seen(s.ID), s)

		for name, n := range map[string]NewSource{
			"the same URL":      {URL: s.URL},
			"in another form":   {URL: "https://www.example.org/a?b=1&utm_source=x"},
			"in upper case too": {URL: "HTTP://EXAMPLE.org/a?b=1"},
		} {
			_, err := w.sources.Create(t.Context(), n)
			w.wantCode(err, kgl.CodeConflict)
			if fields := fieldsOf(err); !slices.Equal(fields, []string{"url"}) {
				t.Errorf("%s: the error names %v, want url", name, fields)
			}
		}

		paused, err := w.sources.Create(t.Context(), NewSource{URL: "https://b.example/", Status: kgl.SourcePaused})
		w.must(err)
		w.want("a paused source", fmt.Sprint(paused.NextFetchAt, paused.CreatedBy), "<nil>")
		w.want("events", w.events(), "source.created source.created")
		w.want("audit", w.audit(), "source.create source.create")
	})
}

func fieldsOf(err error) []string {
	var names []string
	if e, ok := err.(*kgl.Error); ok {
		for _, f := range e.Fields {
			names = append(names, f.Field)
		}
	}
	return names
}

// audit returns the actions of all audit rows, in order.
func (w *world) audit() string {
	w.t.Helper()
	rows, err := w.db.AuditEventsFrom(w.t.Context(), 1, 1000)
	w.must(err)
	var list []string
	for _, r := range rows {
		list = append(list, r.Action)
	}
	return strings.Join(list, " ")
}

func TestSourceIsValidated(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const url = "https://example.org/feed"
		valid := w.add("https://valid.example/")
		for _, tc := range []struct {
			name, field string
			n           NewSource
			p           SourcePatch
		}{
			{"no URL", "url", NewSource{}, SourcePatch{URL: ptr("")}},
			{"a file", "url", NewSource{URL: "file:///etc/passwd"}, SourcePatch{URL: ptr("file:///etc/passwd")}},
			{"a private address", "url", NewSource{URL: "http://10.0.0.1/feed"}, SourcePatch{URL: ptr("http://10.0.0.1/feed")}},
			{"credentials", "url", NewSource{URL: "https://u:p@example.org/"}, SourcePatch{URL: ptr("https://u:p@example.org/")}},
			{"a long URL", "url", NewSource{URL: url + strings.Repeat("x", 2000)}, SourcePatch{URL: ptr(url + strings.Repeat("x", 2000))}},
			{"a long title", "title", NewSource{URL: url, Title: strings.Repeat("ü", 301)}, SourcePatch{Title: ptr(strings.Repeat("ü", 301))}},
			{"a title of two lines", "title", NewSource{URL: url, Title: "a\nb"}, SourcePatch{Title: ptr("a\nb")}},
			{"a title that is no text", "title", NewSource{URL: url, Title: "a\xff"}, SourcePatch{Title: ptr("a\xff")}},
			{"an empty tag", "tags", NewSource{URL: url, Tags: []string{" "}}, SourcePatch{Tags: ptr([]string{" "})}},
			{"a long tag", "tags", NewSource{URL: url, Tags: []string{strings.Repeat("x", 41)}}, SourcePatch{Tags: ptr([]string{strings.Repeat("x", 41)})}},
			{"many tags", "tags", NewSource{URL: url, Tags: make([]string, 21)}, SourcePatch{Tags: ptr(make([]string, 21))}},
			{"a short interval", "fetch_interval_seconds", NewSource{URL: url, FetchInterval: time.Second}, SourcePatch{FetchInterval: ptr(time.Second)}},
			{"a long interval", "fetch_interval_seconds", NewSource{URL: url, FetchInterval: 200 * time.Hour}, SourcePatch{FetchInterval: ptr(200 * time.Hour)}},
			{"a negative interval", "fetch_interval_seconds", NewSource{URL: url, FetchInterval: -time.Hour}, SourcePatch{FetchInterval: ptr(-time.Hour)}},
			{"a state that fetching leads to", "status", NewSource{URL: url, Status: kgl.SourceGone}, SourcePatch{Status: ptr(kgl.SourceFailing)}},
			{"an unknown state", "status", NewSource{URL: url, Status: "asleep"}, SourcePatch{Status: ptr(kgl.SourceStatus("asleep"))}},
		} {
			_, err := w.sources.Create(t.Context(), tc.n)
			w.wantCode(err, kgl.CodeInvalid)
			w.want(tc.name+": create names", fieldsOf(err), []string{tc.field})
			_, err = w.sources.Patch(t.Context(), valid.ID, tc.p)
			w.wantCode(err, kgl.CodeInvalid)
			w.want(tc.name+": patch names", fieldsOf(err), []string{tc.field})
		}
		w.want("unharmed", w.seen(valid.ID), valid)
		w.want("events", w.events(), "source.created")
	})
}

func TestPatchSource(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		s, other := w.add(feedURL), w.add("https://other.example/")
		w.clock.Advance(time.Minute)
		p, err := w.sources.Patch(t.Context(), s.ID, SourcePatch{Title: ptr("Mine"), Tags: ptr([]string{"B", "a"}), IfVersion: ptr(int64(1))})
		w.must(err)
		w.want("patched", fmt.Sprint(p.Title, p.TitleIsManual, p.Tags, p.Version, p.UpdatedAt.Equal(w.clock.Now())), "Minetrue [b a] 2 true")
		w.want("stored", w.seen(s.ID), p)

		_, err = w.sources.Patch(t.Context(), s.ID, SourcePatch{Title: ptr("Stale"), IfVersion: ptr(int64(1))})
		w.wantCode(err, kgl.CodePreconditionFailed)
		_, err = w.sources.Patch(t.Context(), s.ID, SourcePatch{URL: ptr(other.URL)})
		w.wantCode(err, kgl.CodeConflict)
		_, err = w.sources.Patch(t.Context(), w.ids.NewID(), SourcePatch{})
		w.wantCode(err, kgl.CodeNotFound)
		same, err := w.sources.Patch(t.Context(), s.ID, SourcePatch{Title: ptr("Mine"), Tags: ptr([]string{"b", "a"})})
		w.must(err)
		w.want("version after a patch that changes nothing", same.Version, 2)
		w.want("events", w.events(), "source.created source.created source.updated")
		w.want("audit", w.audit(), "source.create source.create source.update")
	})
}

func TestPauseAndResume(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(500, ""))
		w.round(worker)
		p, err := w.sources.Patch(t.Context(), src.ID, SourcePatch{Status: ptr(kgl.SourcePaused)})
		w.must(err)
		w.want("paused", fmt.Sprint(p.Status, p.NextFetchAt), "paused<nil>")
		w.clock.Advance(1000 * time.Hour)
		w.want("rounds while paused", w.round(worker), 0)
		_, err = w.sources.Refresh(t.Context(), src.ID)
		w.wantCode(err, kgl.CodeConflict)

		p, err = w.sources.Patch(t.Context(), src.ID, SourcePatch{Status: ptr(kgl.SourceActive)})
		w.must(err)
		w.want("resumed", fmt.Sprint(p.Status, p.ConsecutiveFailures, p.LastError, p.LastErrorAt), "active0<nil>")
		w.want("due", p.NextFetchAt, w.clock.Now())
		w.want("rounds", w.round(worker), 1)

		// A source that is gone can be resumed, and comes back by a new URL.
		w.due(src.ID)
		w.web.serve(feedURL, answer(410, ""))
		w.round(w.worker(Config{}))
		w.clock.Advance(24 * time.Hour) // it must be said twice
		w.round(worker)
		w.want("gone", w.source(src.ID).Status, kgl.SourceGone)
		p, err = w.sources.Patch(t.Context(), src.ID, SourcePatch{URL: ptr("https://new.example/feed")})
		w.must(err)
		w.want("moved", fmt.Sprint(p.Status, p.Host, p.NextFetchAt.Equal(w.clock.Now())), "activenew.exampletrue")
	})
}

// A person's refresh asks a feed that is gone once: for nothing but a feed does
// it come back.
func TestRefreshOfAWithdrawnSource(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(410, ""))
		w.round(worker)
		w.clock.Advance(25 * time.Hour)
		w.round(worker)
		waits := func() string {
			t.Helper()
			x, err := NewExplainer(w.db, w.clock, worker.cfg.Schedule, kgl.DomainRate{}).Explain(t.Context(), src.ID)
			w.must(err)
			codes := fmt.Sprint(x.Source.Status, " ", x.Source.Health, " ", x.Trigger, ":")
			for _, on := range x.Waiting {
				codes += " " + on.Code
			}
			return codes
		}
		w.want("withdrawn", waits(), "gone gone : gone")
		for i, status := range []int{404, 410, 500, 200} {
			w.clock.Advance(time.Hour)
			w.web.serve(feedURL, answer(status, rss("a", "one")))
			_, err := w.sources.Refresh(t.Context(), src.ID)
			w.must(err)
			w.want("refreshed", waits(), "gone gone request:")
			w.want("rounds", w.round(worker), 1)
			w.want("requests", w.web.asked(), 3+i)
			if status != 200 {
				w.want("after one more failure", waits(), "gone gone : gone")
			}
		}
		w.want("after it came back", waits(), "active ok schedule: not_due")
		w.want("events", w.events(kgl.EventContentCreated), "source.created source.failing source.gone source.recovered")

		w.due(src.ID)
		w.web.serve(feedURL, answer(410, ""))
		w.round(worker)
		w.clock.Advance(26*time.Hour + time.Hour/2) // a day and the jitter
		w.round(worker)
		done, err := w.sources.Bulk(t.Context(), BulkSelect{IDs: []string{src.ID}}, BulkAction{Refresh: true}, false)
		w.must(err)
		w.want("bulk refresh", fmt.Sprint(done.Changed, done.Failures, " ", waits()), "1 [] gone gone request:")
	})
}

func TestTitlesOfFeedsAndPeople(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("Its own", "one"), `Etag: "1"`))
		w.round(worker)
		w.want("title", w.source(src.ID).Title, "Its own")
		p, err := w.sources.Patch(t.Context(), src.ID, SourcePatch{Title: ptr("")})
		w.must(err)
		w.want("a title that was the feed's stays", p.Title, "Its own")
		_, err = w.sources.Patch(t.Context(), src.ID, SourcePatch{Title: ptr("Mine")})
		w.must(err)
		w.due(src.ID)
		w.round(worker)
		w.want("title of a person", w.source(src.ID).Title, "Mine")
		_, err = w.sources.Patch(t.Context(), src.ID, SourcePatch{Title: ptr(" ")})
		w.must(err)
		w.want("rounds", w.round(worker), 1)
		w.want("validator sent", w.web.last().Header.Get("If-None-Match"), "")
		w.want("title", w.source(src.ID).Title, "Its own")
	})
}

func TestIntervals(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one")))
		w.round(worker)
		p, err := w.sources.Patch(t.Context(), src.ID, SourcePatch{FetchInterval: ptr(10 * time.Minute)})
		w.must(err)
		w.want("own interval", p.NextFetchAt, start.Add(10*time.Minute))
		w.clock.Advance(10 * time.Minute)
		w.round(worker)
		w.want("next fetch", w.source(src.ID).NextFetchAt, start.Add(20*time.Minute))
		p, err = w.sources.Patch(t.Context(), src.ID, SourcePatch{FetchInterval: ptr(time.Duration(0))})
		w.must(err)
		w.want("due", p.NextFetchAt, w.clock.Now())
		w.round(worker)
		w.want("the default interval", w.source(src.ID).NextFetchAt, w.clock.Now().Add(time.Hour))
	})
}

func TestRefreshListsAndDelete(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one", "two")))
		w.round(worker)
		at, err := w.sources.Refresh(t.Context(), src.ID)
		w.must(err)
		w.want("asked at", at, w.clock.Now())
		w.want("rounds", w.round(worker), 1)
		_, err = w.sources.Refresh(t.Context(), w.ids.NewID())
		w.wantCode(err, kgl.CodeNotFound)

		l, err := w.sources.List(t.Context(), kgl.SourceFilter{Host: "A.example"}, kgl.SourceByTitle, kgl.Page{Limit: 5})
		w.must(err)
		w.want("listed", len(l.Rows), 1)
		counts, err := w.sources.ContentCounts(t.Context(), []string{src.ID})
		w.must(err)
		w.want("items", counts[src.ID], 2)
		f, err := w.sources.Fetches(t.Context(), src.ID, kgl.Page{Limit: 5})
		w.must(err)
		w.want("history", len(f.Rows), 2)

		w.wantCode(w.sources.Delete(t.Context(), src.ID, ptr(int64(99))), kgl.CodePreconditionFailed)
		w.must(w.sources.Delete(t.Context(), src.ID, ptr(w.source(src.ID).Version)))
		w.wantCode(w.sources.Delete(t.Context(), src.ID, nil), kgl.CodeNotFound)
		_, err = w.sources.Fetches(t.Context(), src.ID, kgl.Page{Limit: 5})
		w.wantCode(err, kgl.CodeNotFound)
		w.want("items left", w.titles(src.ID), "")
		w.want("audit", w.audit(), "source.create source.refresh source.delete")
	})
}

// Workers are woken for what they can see: where a caller stores the answer in
// one transaction with the effect, after the commit.
func TestWorkersAreWokenAfterTheCommit(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		woken := 0
		wake := func() {
			woken++
			if at, err := w.db.NextDueAt(t.Context()); err != nil || at == nil {
				t.Errorf("woken for nothing: %v", err)
			}
		}
		w.sources = NewSources(w.db, w.client(), w.clock, w.ids, wake)
		var src kgl.Source
		for i, call := range []func(context.Context) error{
			func(ctx context.Context) (err error) {
				src, err = w.sources.Create(ctx, NewSource{URL: feedURL})
				return err
			},
			func(ctx context.Context) error { _, err := w.sources.Refresh(ctx, src.ID); return err },
			func(ctx context.Context) error {
				_, err := w.sources.Patch(ctx, src.ID, SourcePatch{FetchInterval: ptr(time.Hour)})
				return err
			},
			func(ctx context.Context) error {
				_, err := w.sources.Bulk(ctx, BulkSelect{IDs: []string{src.ID}}, BulkAction{Refresh: true}, false)
				return err
			},
			func(ctx context.Context) error {
				list := []byte(`<opml><body><outline xmlUrl="https://b.example/"/></body></opml>`)
				_, err := NewImports(w.sources, wake).Start(ctx, NewImport{Body: list})
				return err
			},
		} {
			w.must(w.db.InTx(t.Context(), func(ctx context.Context, _ kgl.Store) error {
				w.must(call(ctx))
				w.want("woken before the commit", woken, i)
				return nil
			}))
			w.want("woken after the commit", woken, i+1)
		}
		_, err := w.sources.Refresh(t.Context(), src.ID)
		w.must(err)
		w.want("woken without a transaction", woken, 6)
	})
}

func TestDeleteContent(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one", "two")))
		w.round(worker)
		contents := NewContents(w.db, w.clock, w.ids)
		one := w.contents(src.ID)[0]
		w.wantCode(contents.DeleteContent(t.Context(), one.ID, ptr(one.Version+1)), kgl.CodePreconditionFailed)
		w.must(contents.DeleteContent(t.Context(), one.ID, &one.Version))
		w.wantCode(contents.DeleteContent(t.Context(), one.ID, nil), kgl.CodeNotFound)
		w.want("items", w.titles(src.ID), "two")
		w.want("audit", w.audit(), "source.create content.delete")
		w.want("events", w.events(), "source.created content.created content.created content.deleted")

		w.clock.Advance(2 * time.Hour)
		w.web.serve(feedURL, answer(200, rss("alpha", "one", "two", "three")))
		w.round(worker)
		w.want("items of a longer feed", w.titles(src.ID), "three, two")
		w.clock.Advance(2 * time.Hour)
		w.web.serve(feedURL, answer(200, rss("alpha", "one|Edited after it was deleted", "two", "three")))
		w.round(worker)
		w.want("items after an edit", w.titles(src.ID), "one, three, two")
		w.clock.Advance(2 * time.Hour)
		w.web.serve(feedURL, answer(200, rss("alpha", "one|Edited once more", "two")))
		w.round(worker)
		w.want("revision", w.contents(src.ID)[0].Revision, 2)
	})
}
