package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// refuseTitle lets every write of an item with the title fail, as a database
// does that cannot hold it.
func refuseTitle(title string) func(string, any) error {
	refuse := func(c kgl.Content) error {
		if c.Title == title {
			return kgl.Wrap(errRow, kgl.CodeInternal, "the database could not do this")
		}
		return nil
	}
	return func(_ string, arg any) error {
		switch v := arg.(type) {
		case []kgl.Content:
			for _, c := range v {
				if err := refuse(c); err != nil {
					return err
				}
			}
		case kgl.Content:
			return refuse(v)
		}
		return nil
	}
}

func TestOneBadItem(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one|a", "bad|b", "two|c"), `Etag: "1"`))
		w.faults.before = refuseTitle("bad")
		w.round(worker)
		w.want("items", w.titles(src.ID), "one, two")
		w.want("events", w.events(), "source.created content.created content.created")
		f := w.fetches(src.ID)[0]
		w.want("created", f.ItemsCreated, 2)
		w.want("failed", f.ItemsFailed, 1)
		w.want("status", w.source(src.ID).Status, kgl.SourceActive)
		w.want("validator", w.source(src.ID).ETag, "") // the lost item is tried again
		w.want("metrics", w.metrics.items, stored{created: 2, failed: 1})

		w.faults.before = nil
		w.due(src.ID)
		w.round(worker)
		w.want("items", w.titles(src.ID), "bad, one, two")
		w.want("validator", w.source(src.ID).ETag, `"1"`)
	})
}

func TestOneBadRevision(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one|a", "bad|b", "two|c")))
		w.round(worker)
		w.due(src.ID)
		w.web.serve(feedURL, answer(200, rss("alpha", "one|A", "bad|B", "two|C")))
		w.faults.before = refuseTitle("bad")
		w.round(worker)
		var texts []string
		for _, c := range w.contents(src.ID) {
			texts = append(texts, c.Text)
		}
		w.want("texts", strings.Join(texts, " "), "b A C")
		w.want("updated", w.fetches(src.ID)[0].ItemsUpdated, 2)
	})
}

// A fault that comes with one source keeps the others of its host from nothing.
func TestOneBadSource(t *testing.T) {
	for name, arrange := range map[string]func(w *world, id string){
		"a panic in the request": func(w *world, _ string) {
			w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) { panic("a bug") })
		},
		"a panic in the store": func(w *world, _ string) {
			w.web.serve(feedURL, answer(200, rss("alpha", "one")))
			w.faults.before = func(call string, arg any) error {
				if cs, ok := arg.([]kgl.Content); ok && call == "CreateContents" && cs[0].Title == "one" {
					panic("a bug")
				}
				return nil
			}
		},
		"a row that cannot be stored": func(w *world, id string) {
			w.web.serve(feedURL, answer(200, rss("alpha")))
			w.faults.before = func(_ string, arg any) error {
				if r, ok := arg.(kgl.FetchResult); ok && r.Fetch.SourceID == id && r.Fetch.Outcome != kgl.FetchFailed {
					return kgl.Wrap(errRow, kgl.CodeInvalid, "the text holds a character that cannot be stored")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, w *world) {
				bad := w.add(feedURL)
				w.clock.Advance(time.Second)
				good := w.add("https://a.example/good")
				w.web.serve(good.URL, answer(200, rss("beta", "two")))
				arrange(w, bad.ID)
				w.round(w.worker(Config{}))
				w.want("items of the other source", w.titles(good.ID), "two")
				s := w.source(bad.ID)
				w.want("status", s.Status, kgl.SourceFailing)
				w.want("error code", s.LastErrorCode, "internal")
				w.want("next fetch", s.NextFetchAt.Sub(w.clock.Now()), 5*time.Minute)
				if strings.Contains(s.LastError, "bug") || strings.Contains(s.LastError, errRow.Error()) {
					t.Errorf("the error %q tells of the inside", s.LastError)
				}
			})
		})
	}
}

// TestOutageAtTheEnd lets the database go away while a document is stored, and
// come back: the host is given back then, and not left alone until its lease
// has run out.
func TestOutageAtTheEnd(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(feedURL, answer(200, rss("alpha", "one|a")))
		var failed []string
		w.faults.before = func(call string, _ any) error {
			if call != "FinishFetch" && call != "ReleaseHost" || len(failed) == 2 {
				return nil
			}
			failed = append(failed, call)
			return kgl.Errorf(kgl.CodeUnavailable, "the database is away")
		}
		w.round(worker)
		w.want("failed calls", strings.Join(failed, " "), "FinishFetch ReleaseHost")
		w.want("items", w.titles(src.ID), "")
		w.clock.Advance(outagePause)
		w.round(worker)
		w.want("items", w.titles(src.ID), "one")
		w.want("fetches", len(w.fetches(src.ID)), 1)
	})
}
