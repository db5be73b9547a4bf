package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
	"github.com/peermesh/kgl-backend/server/internal/enrich/aifake"
)

// TestPush lets an AI module do the work, which is away at first: nothing is lost,
// and what it found bears its name.
func TestPush(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		fake := aifake.New(t)
		fake.Down()
		in := newInstallation(t, engine, "KGL_EXTRACTOR=push", "KGL_AI_URL="+fake.URL(), "KGL_AI_TOKEN="+"between-the-two-modules")
		in.secrets.add("between-the-two-modules")
		b, f := in.start(t), newFeedServer(t)
		c := b.asAdmin(t)
		first, second := newItem("One"), newItem("Two")
		first.text, second.text = "Ada Lovelace met Charles Babbage.", "Polar Press acquired Pictura Studios."
		f.serve("/feed.xml", rssFeed("Names", first, second))
		s := c.createSource(t, f.url("/feed.xml"))
		c.waitForFetches(t, s.ID, 1)
		eventually(t, "the module is missed", func() string {
			text := string(b.anonymous(t).do("GET", "/metrics", "").want(t, 200).body)
			if strings.Contains(text, `kgl_ai_work_duration_seconds_count{operation="extract",outcome="unreachable"}`) {
				return ""
			}
			return "the AI module was not called"
		})

		fake.Up()
		in.clock.Advance(time.Minute) // as long as a breaker is ever open
		eventually(t, "every item is processed", func() string {
			for _, item := range c.content(t, s.ID) {
				if item.Status != client.ContentStatusProcessed {
					return "an item is " + string(item.Status)
				}
			}
			return ""
		})
		mentions := 0
		for _, item := range c.content(t, s.ID) {
			found := decode[client.ContentEntityList](t, c.do("GET", "/api/v1/content/"+item.ID+"/entities?limit=100", "").want(t, 200).body)
			for _, e := range found.Data {
				for _, m := range e.Mentions {
					mentions++
					if m.Extractor != "fake-ner@1.0" {
						t.Errorf("the mention %+v is not the module's", m)
					}
				}
			}
		}
		if mentions != 4 {
			t.Errorf("%d mentions, want 4", mentions)
		}
		for _, r := range fake.Requests(aifake.Extract) {
			if r.Header.Get("Authorization") != "Bearer between-the-two-modules" {
				t.Error("a request without the token")
			}
		}
	})
}
