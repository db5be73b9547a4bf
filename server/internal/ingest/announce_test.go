package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// naming returns a feed that says where it lives.
func naming(feed, url string) string {
	feed = strings.Replace(feed, "<rss ", `<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" `, 1)
	return strings.Replace(feed, "<channel>", "<channel><itunes:new-feed-url>"+url+"</itunes:new-feed-url>", 1)
}

func TestFeedsThatNameAnotherURL(t *testing.T) {
	const near, far = "https://a.example/new", "https://b.example/feed"
	old := rss("alpha", "one", "two")
	for _, tc := range []struct {
		name     string
		to       string // what the feed names
		document string // what is there; empty: nothing
		days     int    // until it is adopted; 0: never
		reason   string // of the health, while it is not
	}{
		{"on the same site", near, naming(old, near), 3, "it says that it lives at " + near},
		{"which says nothing of it", near, old, 3, "it says that it lives at " + near},
		{"on another site", far, naming(old, far), 7, "it says that it lives at " + far},
		{"with the same items under another title", far, rss("beta", "one|x|https://alpha.example/one"), 7, ""},
		{"of another feed", far, rss("Casino", "win", "more"), 0, "not recognised"},
		{"where nothing is", near, "", 0, "not adopted: it cannot be read there: the server answered 404"},
		{"where a page is", near, "<html><title>For sale</title></html>", 0, "not adopted: it cannot be read there"},
		{"which names the first", near, naming(old, feedURL), 0, "not adopted: the feed there names another URL again"},
		{"which is its own", feedURL + "?utm_source=rss", "", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, w *world) {
				src, worker := w.add(feedURL), w.worker(Config{})
				looks := 0
				w.web.serve(feedURL, answer(200, naming(old, tc.to), `Etag: "1"`))
				w.web.script(tc.to, func(r outbound.Request) (*outbound.Response, error) {
					looks++
					if r.Header.Get("If-None-Match") != "" {
						t.Error("the validators of one URL were sent to another")
					}
					resp := answer(404, "")
					if tc.document != "" {
						resp = answer(200, tc.document)
					}
					resp.FinalURL = r.URL
					return resp, nil
				})
				adopted := 0
				for h := 0; h < 24*15; h += 6 {
					w.due(src.ID)
					w.round(worker)
					s := w.source(src.ID)
					if adopted == 0 && s.URL == tc.to {
						adopted = (h + 23) / 24
						w.want("looks before it was adopted", looks, 2*tc.days+1)
						w.want("validators", s.ETag+s.BodyHash, "")
					}
					if adopted == 0 && !strings.Contains(s.State.HealthReason, tc.reason) {
						t.Fatalf("after %d hours: %s", h, s.State.HealthReason)
					}
					if h == 6 { // what follows is not read as a document
						w.web.serve(feedURL, answer(304, ""))
					}
					w.clock.Advance(6 * time.Hour)
				}
				w.want("adopted after days", adopted, tc.days)
				if adopted == 0 && looks > 2*15 {
					t.Errorf("%d looks in 15 days", looks)
				}
			})
		})
	}
}

// What a feed does not say any more is forgotten, and a redirect counts more.
func TestAnnouncementsEnd(t *testing.T) {
	const to = "https://a.example/new"
	onEngines(t, func(t *testing.T, w *world) {
		src, worker := w.add(feedURL), w.worker(Config{})
		w.web.serve(to, answer(200, rss("alpha", "one")))
		redirect := func() string {
			t.Helper()
			w.clock.Advance(time.Hour)
			w.due(src.ID)
			w.round(worker)
			s := w.source(src.ID)
			if s.State.Redirect == nil {
				return string(s.Health)
			}
			return fmt.Sprint(s.Health, " ", s.State.Redirect.URL, " ", s.State.Redirect.Announced, " ", s.State.Redirect.Fetches)
		}
		w.web.serve(feedURL, answer(200, naming(rss("alpha", "one"), to)))
		w.want("named", redirect(), "moved "+to+" true 1")
		w.want("named again", redirect(), "moved "+to+" true 2")
		w.web.serve(feedURL, answer(200, rss("alpha", "one")))
		w.want("not named any more", redirect(), "ok")
		w.web.serve(feedURL, answer(200, naming(rss("alpha", "one"), to)))
		w.want("named once more", redirect(), "moved "+to+" true 1")
		w.redirects(feedURL, answer(200, naming(rss("alpha", "one"), to)), hop(301, feedURL, to))
		w.want("redirected", redirect(), "moved "+to+" false 1")
		w.web.serve(feedURL, answer(500, ""))
		w.want("while it fails", redirect(), "failing "+to+" false 1")
	})
}

// What a feed names gets no credentials unless it is on the server of the source.
func TestLooksOfASourceWithCredentials(t *testing.T) {
	for to, want := range map[string]string{
		"https://a.example/new": "read with anna", "https://b.example/new": "not read", "http://a.example/new": "not read", "https://sub.a.example/new": "not read",
	} {
		onSQLite(t, func(t *testing.T, w *world) {
			vault := NewVault(plainSealer{})
			src := w.add(feedURL)
			sealed, _, err := vault.SealCredentials(src.ID, outbound.Credentials{User: "anna", Password: "p"})
			w.must(err)
			src.Secrets, src.Settings.Username = sealed, "anna"
			_, err = w.db.UpdateSource(t.Context(), src)
			w.must(err)
			w.web.serve(feedURL, answer(200, naming(rss("alpha", "one"), to)))
			have := "not read"
			w.web.script(to, func(r outbound.Request) (*outbound.Response, error) {
				have = "read with " + r.Credentials.User
				return answer(200, rss("alpha", "one")), nil
			})
			w.round(w.worker(Config{Vault: vault}))
			w.want(to, have, want)
			if s := w.source(src.ID); have == "not read" && !strings.Contains(s.State.HealthReason, "credentials") {
				t.Errorf("%s: %s", to, s.State.HealthReason)
			}
		})
	}
}

// Looks take tokens, and wait for nobody.
func TestLooksTakeTokens(t *testing.T) {
	const to = "https://b.example/new"
	onEngines(t, func(t *testing.T, w *world) {
		src := w.add(feedURL)
		rate := kgl.DomainRate{Interval: time.Minute, Burst: 1}
		worker := w.worker(Config{DomainRate: rate})
		w.web.serve(feedURL, answer(200, naming(rss("alpha", "one"), to)))
		w.web.serve(to, answer(200, rss("alpha", "one")))
		_, err := w.db.TakeToken(t.Context(), "b.example", w.clock.Now(), rate)
		w.must(err)
		w.round(worker)
		w.want("requests while there is no token", w.web.asked(), 1)
		w.want("verified", w.source(src.ID).State.Redirect.Verified, 0)
		w.clock.Advance(2 * time.Minute)
		w.due(src.ID)
		w.round(worker)
		w.want("requests", w.web.asked(), 3)
		w.want("verified", w.source(src.ID).State.Redirect.Verified, 1)
		_, err = w.db.DomainBucket(t.Context(), "b.example")
		w.must(err)
	})
}
