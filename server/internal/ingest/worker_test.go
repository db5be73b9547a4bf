package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

const feedURL = "https://a.example/feed"

func TestNewChangedAndSameItems(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one|The first text", "two|The second text"), `Etag: "1"`))
		w.want("hosts", w.round(worker), 1)
		w.want("items", w.titles(src.ID), "one, two")
		w.want("events", w.events(), "source.created content.created content.created")
		now := w.source(src.ID)
		w.want("title", now.Title, "alpha")
		w.want("validators", now.ETag+now.LastModified, `"1"`)
		w.want("next fetch", now.NextFetchAt, w.clock.Now().Add(time.Hour))
		tasks, err := w.db.ClaimTasks(t.Context(), "mock", "x", w.clock.Now(), w.clock.Now().Add(time.Hour), 10)
		w.must(err)
		w.want("tasks", len(tasks), 2)

		w.clock.Advance(time.Hour)
		w.web.serve(feedURL, answer(200, rss("alpha", "one|The first text, edited", "two|The second text", "three|The third text")))
		w.want("hosts", w.round(worker), 1)
		w.want("items", w.titles(src.ID), "one, three, two")
		w.want("events", w.events(), "source.created content.created content.created content.created content.updated")
		one := w.contents(src.ID)[0]
		w.want("revision", one.Revision, 2)
		w.want("text", one.Text, "The first text, edited")
		w.want("status", one.Status, kgl.ContentNew)
		revisions, err := w.db.ContentRevisions(t.Context(), one.ID, kgl.Page{Limit: 5})
		w.must(err)
		w.want("kept revisions", len(revisions.Rows), 1)

		f := w.fetches(src.ID)
		w.want("history", len(f), 2)
		w.want("newest", fmt.Sprint(f[0].Outcome, f[0].ItemsSeen, f[0].ItemsCreated, f[0].ItemsUpdated, f[0].ItemsFailed, f[0].HTTPStatus), "new_content3 1 1 0 200")
		w.want("metrics", w.metrics.items, stored{created: 3, updated: 1})
		w.want("outcomes", w.metrics.outcomes, map[kgl.FetchOutcome]int{kgl.FetchNewContent: 2})
	})
}

func TestUnchangedItemsCostNoWrite(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		page := rss("alpha", "one|The first text", "two|The second text")
		w.web.serve(feedURL, answer(200, page, `Etag: "1"`, "Last-Modified: Sun, 01 Mar 2026 10:00:00 GMT"))
		w.round(worker)
		for _, tc := range []struct {
			name string
			resp *outbound.Response
			want kgl.FetchOutcome
		}{
			{"not modified", answer(304, ""), kgl.FetchNotModified},
			{"the same bytes", answer(200, page, `Etag: "1"`), kgl.FetchUnchanged},
			{"other bytes, the same items", answer(200, page+"<!-- served by node 7 -->"), kgl.FetchUnchanged},
		} {
			w.due(src.ID)
			w.web.serve(feedURL, tc.resp)
			w.faults.reset()
			w.round(worker)
			w.want(tc.name+": writes", w.faults.writes, map[string]int{"FinishFetch": 1})
			w.want(tc.name+": outcome", w.fetches(src.ID)[0].Outcome, tc.want)
			w.clock.Advance(time.Second)
		}
		w.want("events", w.events(), "source.created content.created content.created")
	})
}

func TestConditionalRequests(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		whole := rss("alpha", "one|The first text")
		for _, tc := range []struct {
			name             string
			resp             *outbound.Response
			outcome          kgl.FetchOutcome
			etag, asked, why string
		}{
			{"nothing is stored yet, so nothing can be unmodified", answer(304, ""), kgl.FetchFailed, "", "", "304"},
			{"a page that is no feed", answer(200, "<html><p>Moved</p></html>", `Etag: "html"`), kgl.FetchFailed, "", "", ""},
			{"a part of a document", answer(206, whole, `Etag: "part"`), kgl.FetchFailed, "", "", "206"},
			{"no document", answer(204, "", `Etag: "none"`), kgl.FetchFailed, "", "", "204"},
			{"a document that breaks off", answer(200, whole[:len(whole)-20], `Etag: "half"`), kgl.FetchNewContent, "", "", ""},
			{"the same once more", answer(200, whole[:len(whole)-20], `Etag: "half"`), kgl.FetchUnchanged, "", "", ""},
			{"all of it", answer(200, whole, `Etag: "whole"`), kgl.FetchUnchanged, `"whole"`, "", ""},
			{"a failure keeps what is stored", answer(500, "", `Etag: "error"`), kgl.FetchFailed, `"whole"`, `"whole"`, "500"},
			{"so does a document that cannot be read", answer(200, "{", `Etag: "json"`), kgl.FetchFailed, `"whole"`, `"whole"`, ""},
			{"not modified", answer(304, "", `Etag: "other"`), kgl.FetchNotModified, `"whole"`, `"whole"`, ""},
			{"a validator that is no text", answer(200, whole+" ", "Etag: \"\xff\""), kgl.FetchUnchanged, "", `"whole"`, ""},
		} {
			w.due(src.ID)
			w.web.serve(feedURL, tc.resp)
			w.round(worker)
			w.want(tc.name+": validator sent", w.web.last().Header.Get("If-None-Match"), tc.asked)
			w.want(tc.name+": validator kept", w.source(src.ID).ETag, tc.etag)
			f := w.fetches(src.ID)[0]
			w.want(tc.name+": outcome", f.Outcome, tc.outcome)
			if !strings.Contains(f.Error, tc.why) {
				t.Errorf("%s: error %q, want it to name %q", tc.name, f.Error, tc.why)
			}
			w.clock.Advance(time.Minute)
		}
		w.want("items", w.titles(src.ID), "one")
	})
}

func TestTruncatedItemIsNoEdit(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		whole := rss("alpha", "one|The first text", "two|"+strings.Repeat("The second text. ", 20))
		w.web.serve(feedURL, answer(200, whole))
		w.round(worker)
		w.due(src.ID)
		w.web.serve(feedURL, answer(200, whole[:len(whole)-300]))
		w.round(worker)
		for _, c := range w.contents(src.ID) {
			w.want("revision of "+c.Title, c.Revision, 1)
		}
	})
}

func TestEditWithoutADateKeepsTheFirst(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		undated := func(text string) string {
			dated := rss("alpha", "one|"+text)
			from, to := strings.Index(dated, "<pubDate>"), strings.Index(dated, "</item>")
			return dated[:from] + dated[to:]
		}
		w.web.serve(feedURL, answer(200, undated("The first text")))
		w.round(worker)
		first := w.contents(src.ID)[0]
		w.want("the date is inferred", first.PublishedInferred, true)
		w.clock.Advance(time.Hour)
		w.due(src.ID)
		w.web.serve(feedURL, answer(200, undated("The edited text")))
		w.round(worker)
		edited := w.contents(src.ID)[0]
		w.want("revision", edited.Revision, 2)
		w.want("published", edited.PublishedAt, first.PublishedAt)
		w.want("still inferred", edited.PublishedInferred, true)
	})
}

func TestFailuresBackOffAndRecover(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(500, ""))
		for i, want := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute} {
			w.round(worker)
			s := w.source(src.ID)
			w.want("failures", s.ConsecutiveFailures, i+1)
			w.want("status", s.Status, kgl.SourceFailing)
			w.want("next fetch", s.NextFetchAt.Sub(w.clock.Now()), want)
			w.want("error", s.LastErrorCode+": "+s.LastError, "fetch_failed: the server answered 500")
			w.want("a look before its time finds", w.round(worker), 0)
			w.clock.Advance(want)
		}
		w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
			return nil, kgl.Errorf(kgl.CodeTimeout, "the server did not answer in time")
		})
		w.round(worker)
		w.want("error code", w.source(src.ID).LastErrorCode, "timeout")
		w.clock.Advance(time.Hour)
		w.web.serve(feedURL, answer(200, rss("alpha", "one")))
		w.round(worker)
		s := w.source(src.ID)
		w.want("after the recovery", fmt.Sprint(s.Status, s.ConsecutiveFailures, s.LastError), "active0")
		w.want("events", w.events(kgl.EventContentCreated), "source.created source.failing source.recovered")
	})
}

func TestPatienceThatServersAskFor(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		for i, tc := range []struct {
			name   string
			resp   *outbound.Response
			want   time.Duration
			health kgl.SourceHealth
		}{
			{"429 in seconds", answer(429, "", "Retry-After: 7200"), 2 * time.Hour, kgl.HealthThrottled},
			{"503 as a date", answer(503, "", "Retry-After: "+start.Add(2*time.Hour).Format("Mon, 02 Jan 2006 15:04:05 GMT")), 2 * time.Hour, kgl.HealthThrottled},
			{"clamped", answer(429, "", "Retry-After: 999999999"), 24 * time.Hour, kgl.HealthThrottled},
			{"429 without a time", answer(429, ""), time.Hour, kgl.HealthThrottled},
			{"503 without a time, which is a broken server", answer(503, ""), 5 * time.Minute, kgl.HealthFailing},
			{"less than the backoff", answer(429, "", "Retry-After: 1"), 5 * time.Minute, kgl.HealthThrottled},
			{"another failure that names a time", answer(500, "", "Retry-After: 3600"), time.Hour, kgl.HealthFailing},
		} {
			host := fmt.Sprintf("h%d.example", i)
			url := "https://" + host + "/feed"
			src := w.add(url)
			w.web.serve(url, tc.resp)
			w.want(tc.name+": hosts", w.round(worker), 1)
			now := w.source(src.ID)
			w.want(tc.name+": next", now.NextFetchAt.Sub(w.clock.Now()), tc.want)
			w.want(tc.name+": health", now.Health, tc.health)
			// Another source of the host has done nothing wrong.
			w.add("https://" + host + "/other")
			asked := w.web.asked()
			w.round(worker)
			w.want(tc.name+": requests to the host", w.web.asked()-asked, 1)
		}
	})
}

func TestHostIsLeftAloneAfterSeveralFeeds(t *testing.T) {
	for _, tc := range []struct {
		name  string
		resp  func(n int) *outbound.Response // of the nth feed
		feeds int                            // that are asked
		pause time.Duration                  // of the host, behind them
	}{
		{"a time", func(int) *outbound.Response { return answer(429, "", "Retry-After: 7200") }, 3, 2 * time.Hour},
		{"a time that is clamped", func(int) *outbound.Response { return answer(429, "", "Retry-After: 999999999") }, 3, 24 * time.Hour},
		{"a time that is too short", func(int) *outbound.Response { return answer(503, "", "Retry-After: 1") }, 3, time.Minute},
		{"no time", func(int) *outbound.Response { return answer(429, "") }, 3, 5 * time.Minute},
		{"every third is answered", func(n int) *outbound.Response {
			if n%3 == 2 {
				return answer(200, rss("a", "one"))
			}
			return answer(429, "", "Retry-After: 7200")
		}, 6, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				worker := w.worker(Config{})
				for i := range 6 {
					url := fmt.Sprintf("https://a.example/%d", i)
					w.add(url)
					w.web.serve(url, tc.resp(i))
				}
				for w.round(worker) > 0 {
					w.clock.Advance(time.Second)
				}
				w.want("requests", w.web.asked(), tc.feeds)
				host, err := w.db.Host(t.Context(), "a.example")
				w.must(err)
				if tc.pause == 0 {
					w.want("pause", host.NotBefore, "<nil>")
					return
				}
				left := host.NotBefore.Sub(w.clock.Now())
				if left > tc.pause || left < tc.pause-10*time.Second {
					t.Errorf("the host is left alone for %v, want about %v", left, tc.pause)
				}
				w.clock.Advance(left)
				w.round(worker)
				if w.web.asked() == tc.feeds {
					t.Error("the host is not asked again after its pause")
				}
			})
		})
	}
}

func TestGone(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(410, ""))
		w.round(worker)
		s := w.source(src.ID)
		w.want("after the first answer", fmt.Sprint(s.Status, s.Health, s.State.Decision.Rule), "failingfailingconfirm_gone")
		w.want("asked again after", s.NextFetchAt.Sub(w.clock.Now()), 24*time.Hour)

		w.clock.Advance(time.Hour)
		w.due(src.ID) // a person wants to know at once, which confirms nothing
		w.round(worker)
		w.want("after an hour", w.source(src.ID).Status, kgl.SourceFailing)

		w.clock.Advance(24 * time.Hour)
		w.round(worker)
		s = w.source(src.ID)
		w.want("after a day", fmt.Sprint(s.Status, s.Health, s.NextFetchAt, s.State.Decision.Rule), "gonegone<nil>gone")
		w.want("events", w.events(), "source.created source.failing source.gone")
		w.clock.Advance(1000 * time.Hour)
		w.want("later rounds", w.round(worker), 0)
	})
}

// A feed that is gone for a moment only is not lost.
func TestGoneByMistake(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		for _, resp := range []*outbound.Response{answer(410, ""), answer(500, ""), answer(200, rss("a", "one")), answer(410, "")} {
			w.web.serve(feedURL, resp)
			w.round(worker)
			w.clock.Advance(25 * time.Hour)
		}
		w.want("status", w.source(src.ID).Status, kgl.SourceFailing)
		w.want("items", w.titles(src.ID), "one")
	})
}

func TestDelaysOfFeedsAndServers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		withTTL := strings.Replace(rss("alpha", "one"), "<channel>", "<channel><ttl>180</ttl>", 1)
		for i, tc := range []struct {
			resp *outbound.Response
			want time.Duration
		}{
			{answer(200, rss("a", "one"), "Cache-Control: max-age=7200"), 2 * time.Hour},
			{answer(200, rss("a", "one"), "Cache-Control: max-age=60"), time.Hour},
			{answer(200, withTTL, "Cache-Control: max-age=60"), 3 * time.Hour},
		} {
			url := fmt.Sprintf("https://h%d.example/feed", i)
			src := w.add(url)
			w.web.serve(url, tc.resp)
			w.round(worker)
			w.want("next fetch", w.source(src.ID).NextFetchAt.Sub(w.clock.Now()), tc.want)
		}
	})
}

func TestHostDelaySpacesRequests(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{HostDelay: 10 * time.Second})
		for i := range 3 {
			w.add(fmt.Sprintf("https://a.example/%d", i))
		}
		for i := range 3 {
			w.want("hosts", w.round(worker), 1)
			w.want("requests", w.web.asked(), i+1)
			w.clock.Advance(10*time.Second - time.Microsecond)
			w.want("hosts before the delay is over", w.round(worker), 0)
			w.clock.Advance(time.Microsecond)
		}
		w.want("hosts when nothing is due", w.round(worker), 0)
	})
}

// errAway is what the store gives when its database cannot be reached.
var errAway = kgl.Errorf(kgl.CodeUnavailable, "the database is not available at the moment")

func TestDatabaseAway(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.add("https://a.example/other")
		w.web.serve(feedURL, answer(200, rss("alpha", "one")))
		w.faults.before = func(call string, _ any) error {
			if call == "FinishFetch" {
				return errAway
			}
			return nil
		}
		w.round(worker)
		w.want("requests", w.web.asked(), 1) // what cannot be stored is not fetched
		w.want("items", w.titles(src.ID), "")
		w.want("history", len(w.fetches(src.ID)), 0)
		w.want("hosts right after the fault", w.round(worker), 0)
		w.faults.before = nil
		w.clock.Advance(faultPause)
		w.want("hosts", w.round(worker), 1)
		w.want("items", w.titles(src.ID), "one")
	})
}

func TestEditsWhileAFetchRuns(t *testing.T) {
	paused, moved := kgl.SourcePaused, "https://b.example/feed"
	for _, tc := range []struct {
		name string
		edit func(w *world, id string) error
		want func(w *world, id string)
	}{
		{"pause", func(w *world, id string) error {
			_, err := w.sources.Patch(context.Background(), id, SourcePatch{Status: &paused})
			return err
		}, func(w *world, id string) {
			w.want("status", w.source(id).Status, kgl.SourcePaused)
			w.want("events", w.events(), "source.created source.updated")
		}},
		{"move", func(w *world, id string) error {
			_, err := w.sources.Patch(context.Background(), id, SourcePatch{URL: &moved})
			return err
		}, func(w *world, id string) {
			s := w.source(id)
			w.want("state", fmt.Sprint(s.Status, s.ConsecutiveFailures, s.Host), "active0b.example")
			w.want("next fetch", s.NextFetchAt, start)
			w.want("events", w.events(), "source.created source.updated")
		}},
		{"delete", func(w *world, id string) error { return w.sources.Delete(context.Background(), id, nil) },
			func(w *world, id string) {
				_, err := w.db.Source(context.Background(), id)
				w.wantCode(err, kgl.CodeNotFound)
				w.want("events", w.events(), "source.created source.deleted")
			}},
		{"refresh", func(w *world, id string) error {
			w.clock.Advance(time.Second)
			_, err := w.sources.Refresh(context.Background(), id)
			return err
		}, func(w *world, id string) {
			w.round(w.worker(Config{}))
			w.want("requests", w.web.asked(), 2) // the second because of the refresh
			w.want("events", w.events(), "source.created source.failing")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				done := false
				w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
					if !done {
						done = true
						w.must(tc.edit(w, src.ID))
					}
					return answer(500, ""), nil
				})
				w.round(worker)
				tc.want(w, src.ID)
			})
		})
	}
}

func TestDeletedWhileItsItemsAreStored(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
			w.must(w.sources.Delete(t.Context(), src.ID, nil))
			return answer(200, rss("alpha", "one", "two")), nil
		})
		w.round(worker)
		w.want("attempts to store items", w.faults.writes["CreateContents"], 1)
		w.want("events", w.events(), "source.created source.deleted")
	})
}

var errRow = errors.New("value too long for the row")

// The newest fetches of a source are always there, and what is older goes now
// and then, whichever way a fetch is stored.
func TestHistoryOfFetches(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const keep = 4
		src, worker := w.add(feedURL), w.worker(Config{KeepFetches: keep})
		worker.ids = kgl.NewUUIDv7(w.clock, rand.NewChaCha8([32]byte{})) // the same lots each time
		before, trims := []kgl.Fetch{}, 0
		for n := 0; trims < 4; n++ {
			if n == 2000 {
				t.Fatal("old fetches are not removed")
			}
			w.web.serve(feedURL, []*outbound.Response{answer(304, ""), answer(304, ""), answer(200, rss("a", "one")), answer(500, "")}[n%4])
			w.clock.Advance(time.Minute)
			w.due(src.ID)
			w.round(worker)
			have := w.fetches(src.ID)
			want := slices.Insert(before, 0, have[0])
			if id := have[0].ID; id[len(id)-1] == '0' {
				if len(want) > keep {
					trims++
				}
				want = want[:min(keep, len(want))]
			}
			if !slices.EqualFunc(have, want, func(a, b kgl.Fetch) bool { return a.ID == b.ID }) {
				t.Fatalf("after fetch %d, %d are left of %d", n, len(have), len(before)+1)
			}
			before = slices.Clone(have)
		}
	})
}
