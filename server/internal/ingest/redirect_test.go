package ingest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// redirects answers for a URL as the end of a chain of redirects does.
func (w *world) redirects(from string, resp *outbound.Response, chain ...outbound.Redirect) {
	w.web.script(from, func(outbound.Request) (*outbound.Response, error) {
		clone := *resp
		clone.Redirects, clone.FinalURL = chain, chain[len(chain)-1].To
		return &clone, nil
	})
}

func hop(status int, from, to string) outbound.Redirect {
	return outbound.Redirect{Status: status, From: from, To: to}
}

func TestPermanentRedirectIsAdopted(t *testing.T) {
	const to = "https://a.example/new"
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		page := answer(200, rss("alpha", "one"), `Etag: "1"`)
		w.redirects(feedURL, page, hop(301, feedURL, "https://a.example/old"), hop(308, "https://a.example/old", to))
		w.web.serve(to, page)
		for i := range 5 {
			w.round(worker)
			s := w.source(src.ID)
			w.want(fmt.Sprintf("URL after fetch %d", i+1), s.URL, feedURL)
			w.want("health", s.Health, kgl.HealthMoved)
			w.want("redirect", fmt.Sprint(s.State.Redirect.URL, s.State.Redirect.Fetches), fmt.Sprint(to, i+1))
			w.clock.Advance(14 * time.Hour)
			w.due(src.ID)
		}
		w.clock.Advance(4 * time.Hour) // more than three days
		w.round(worker)
		s := w.source(src.ID)
		w.want("URL", s.URL, to)
		w.want("state", fmt.Sprint(s.Health, s.State.Redirect, s.State.FormerURLs, s.ETag), `ok<nil> [https://a.example/feed]"1"`)
		w.want("events", w.events(), "source.created content.created source.moved")
		w.want("asked for", w.web.last().URL, feedURL)

		w.due(src.ID)
		w.round(worker)
		w.want("asked for", w.web.last().URL, to)
		w.want("items", w.titles(src.ID), "one")

		// The source is known by its former URL.
		_, err := w.sources.Create(t.Context(), NewSource{URL: feedURL})
		w.wantCode(err, kgl.CodeConflict)
		known, err := w.db.SourceByURLKey(t.Context(), src.URLKey)
		w.must(err)
		w.want("found", known.ID, src.ID)
	})
}

func TestRedirectsThatAreNotAdopted(t *testing.T) {
	const to = "https://a.example/new"
	for _, tc := range []struct {
		name  string
		chain func(i int) []outbound.Redirect // of the ith fetch
		resp  *outbound.Response
	}{
		{"a temporary one", func(int) []outbound.Redirect { return []outbound.Redirect{hop(302, feedURL, to)} }, nil},
		{"a temporary one behind a permanent one", func(int) []outbound.Redirect {
			return []outbound.Redirect{hop(301, feedURL, "https://a.example/x"), hop(307, "https://a.example/x", to)}
		}, nil},
		{"once in a while", func(i int) []outbound.Redirect {
			if i%4 == 3 {
				return nil
			}
			return []outbound.Redirect{hop(301, feedURL, to)}
		}, nil},
		{"to another URL every time", func(i int) []outbound.Redirect {
			return []outbound.Redirect{hop(301, feedURL, fmt.Sprintf("%s?session=%d", to, i))}
		}, nil},
		{"to itself, by a circle", func(int) []outbound.Redirect {
			return []outbound.Redirect{hop(301, feedURL, to), hop(301, to, feedURL)}
		}, nil},
		{"to what is no feed", func(int) []outbound.Redirect { return []outbound.Redirect{hop(301, feedURL, to)} },
			answer(200, "<html><title>Domain for sale</title></html>")},
		{"to an error", func(int) []outbound.Redirect { return []outbound.Redirect{hop(301, feedURL, to)} }, answer(404, "")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				n := 0
				w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
					clone := *answer(200, rss("alpha", "one"))
					if tc.resp != nil {
						clone = *tc.resp
					}
					clone.FinalURL = feedURL
					if clone.Redirects = tc.chain(n); len(clone.Redirects) > 0 {
						clone.FinalURL = clone.Redirects[len(clone.Redirects)-1].To
					}
					n++
					return &clone, nil
				})
				for range 15 {
					w.due(src.ID)
					w.round(worker)
					w.clock.Advance(25 * time.Hour)
				}
				w.want("URL", w.source(src.ID).URL, feedURL)
			})
		})
	}
}

func TestRedirectToAnotherSite(t *testing.T) {
	const to = "https://b.example/feed"
	for _, tc := range []struct {
		name     string
		before   string // the feed at the old URL; empty: there was none
		after    string // the feed at the new one
		days     int    // until it is adopted; 0: never
		obstacle string
	}{
		{"the same feed", rss("alpha", "one", "two"), rss("alpha", "one", "two"), 7, ""},
		{"the same title", rss("alpha", "one"), rss("Alpha", "other"), 7, ""},
		{"the same items under another title", rss("alpha", "one|x|https://s.example/1", "two"), rss("beta", "one|x|https://s.example/1", "three"), 7, ""},
		{"it has never been elsewhere", "", rss("alpha", "one"), 7, ""},
		{"another feed", rss("alpha", "one", "two"), rss("Casino", "win", "more"), 0, "not recognised"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				if tc.before != "" {
					w.web.serve(feedURL, answer(200, tc.before))
					w.round(worker)
				}
				w.redirects(feedURL, answer(200, tc.after), hop(301, feedURL, to))
				adopted := 0
				for d := range 30 {
					w.due(src.ID)
					w.round(worker)
					if adopted == 0 && w.source(src.ID).URL == to {
						adopted = d
					}
					w.clock.Advance(24 * time.Hour)
				}
				w.want("adopted after days", adopted, tc.days)
				if s := w.source(src.ID); tc.days == 0 && (s.Health != kgl.HealthMoved || !strings.Contains(s.State.HealthReason, tc.obstacle)) {
					t.Errorf("health %s: %s", s.Health, s.State.HealthReason)
				}
			})
		})
	}
}

func TestRedirectToAnotherSource(t *testing.T) {
	const to = "https://a.example/new"
	onEngines(t, func(t *testing.T, w *world) {
		src, other, worker := w.add(feedURL), w.add(to), w.worker(Config{})
		page := answer(200, rss("alpha", "one"))
		w.redirects(feedURL, page, hop(301, feedURL, to))
		w.web.serve(to, page)
		for range 8 {
			w.due(src.ID)
			w.round(worker)
			if reason := w.source(src.ID).State.HealthReason; !strings.Contains(reason, "another source watches that URL already") {
				t.Errorf("reason: %s", reason)
			}
			w.clock.Advance(24 * time.Hour)
		}
		s := w.source(src.ID)
		w.want("source", fmt.Sprint(s.URL, s.Health), feedURL+"moved")
		// Its place is free once the other is deleted.
		w.must(w.sources.Delete(t.Context(), other.ID, nil))
		w.due(src.ID)
		w.round(worker)
		w.want("URL", w.source(src.ID).URL, to)
	})
}

// Credentials are for the server that a person gave them to.
func TestRedirectOfASourceWithCredentials(t *testing.T) {
	for _, tc := range []struct{ from, to, want string }{
		{"https://a.example/feed", "https://b.a.example/feed", "https://a.example/feed"},
		{"https://a.example/feed", "https://a.example/new", "https://a.example/new"},
		{"http://a.example/feed", "https://a.example/feed", "https://a.example/feed"},
		{"https://a.example/feed", "http://a.example/feed", "https://a.example/feed"},
	} {
		src := kgl.Source{URL: tc.from, Host: "a.example", Secrets: "v1.sealed"}
		r := &kgl.PermanentRedirect{From: tc.from, URL: tc.to, Since: start, Fetches: 9, Same: true}
		have := tc.from
		if move, lasted := adoptable(src, r, start.Add(30*24*time.Hour)); move != nil && lasted {
			have = move.URL
		} else if !strings.Contains(r.Obstacle, "credentials") {
			t.Errorf("%s to %s: obstacle %q", tc.from, tc.to, r.Obstacle)
		}
		if have != tc.want {
			t.Errorf("%s to %s: becomes %s, want %s", tc.from, tc.to, have, tc.want)
		}
	}
}

func TestMoveWhilePeopleEdit(t *testing.T) {
	const to = "https://a.example/new"
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		page := answer(200, rss("alpha", "one"))
		edited := "https://c.example/feed"
		edit := false
		w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
			if edit {
				_, err := w.sources.Patch(t.Context(), src.ID, SourcePatch{URL: &edited})
				w.must(err)
			}
			clone := *page
			clone.Redirects, clone.FinalURL = []outbound.Redirect{hop(301, feedURL, to)}, to
			return &clone, nil
		})
		for i := range 5 {
			edit = i == 4 // when it would be adopted
			w.due(src.ID)
			w.round(worker)
			w.clock.Advance(24 * time.Hour)
		}
		w.want("URL", w.source(src.ID).URL, edited)
		w.want("events", w.events(kgl.EventContentCreated), "source.created source.updated")
	})
}

func TestCredentialsAreSent(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		vault := NewVault(plainSealer{})
		src := w.add(feedURL)
		sealed, names, err := vault.SealCredentials(src.ID, outbound.Credentials{Header: http.Header{"X-Key": {"k"}}, User: "anna", Password: "p"})
		w.must(err)
		src.Secrets, src.Settings.HeaderNames, src.Settings.Username = sealed, names, "anna"
		_, err = w.db.UpdateSource(t.Context(), src)
		w.must(err)
		w.web.serve(feedURL, answer(200, rss("a", "one")))
		w.round(w.worker(Config{Vault: vault}))
		sent := w.web.last().Credentials
		w.want("sent", sent.Header.Get("X-Key")+sent.User+sent.Password, "kannap")

		// Without the key the source fails, and says why.
		w.due(src.ID)
		w.round(w.worker(Config{}))
		w.want("requests", w.web.asked(), 1)
		w.want("error", w.source(src.ID).LastError, "this process has no key for the secrets of sources")
	})
}

// plainSealer seals nothing.
type plainSealer struct{}

func (plainSealer) Seal(_, _ string, plain []byte) (string, error) { return string(plain), nil }
func (plainSealer) Open(_, _, sealed string) ([]byte, error)       { return []byte(sealed), nil }
