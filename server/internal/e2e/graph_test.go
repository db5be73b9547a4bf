package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// testEnrichment holds what the mock extractor made of the sample feeds:
// entities of all types, each with the place in a text that it comes from.
func testEnrichment(t *testing.T, b *backend) {
	c, ids := b.as(t, client.RoleUser), b.samples(t)
	checkEntityTypes(t, c.dashboard(t))
	mentions := 0
	for _, item := range c.content(t, ids[0])[:10] {
		text := []rune(*item.ContentText)
		found := decode[client.ContentEntityList](t, c.do("GET", "/api/v1/content/"+item.ID+"/entities?limit=100", "").want(t, 200).body)
		for _, e := range found.Data {
			if len(e.Mentions) == 0 || e.Entity.MentionCount < len(e.Mentions) {
				t.Errorf("%s of %s: %d mentions, counted %d", e.Entity.Name, item.ID, len(e.Mentions), e.Entity.MentionCount)
			}
			for _, m := range e.Mentions {
				mentions++
				if m.Extractor != "mock" || m.End > len(text) || m.Start >= m.End || string(text[m.Start:m.End]) != m.Quote {
					t.Errorf("the mention %+v is not in the text of %s", m, item.ID)
				}
			}
		}
	}
	if mentions < 20 {
		t.Errorf("%d mentions in ten items", mentions)
	}
	list := decode[client.RelationshipList](t, c.do("GET", "/api/v1/relationships?limit=50", "").want(t, 200).body)
	found := slices.DeleteFunc(list.Data, func(r client.Relationship) bool { return r.Extractor == "manual" }) // other tests made these
	if len(found) < 10 {
		t.Errorf("%d relationships were found", len(found))
	}
	for _, r := range found {
		detail := decode[client.RelationshipDetail](t, c.do("GET", "/api/v1/relationships/"+r.ID, "").want(t, 200).body)
		if len(detail.Evidence) == 0 || detail.EvidenceCount < len(detail.Evidence) || detail.Extractor != "mock" || detail.From.ID == detail.To.ID {
			t.Errorf("relationship = %+v", detail)
		}
		for _, e := range detail.Evidence {
			item := decode[client.Content](t, c.do("GET", "/api/v1/content/"+e.ContentID, "").want(t, 200).body)
			if text := []rune(*item.ContentText); e.End > len(text) || string(text[e.Start:e.End]) != e.Quote {
				t.Errorf("the evidence %+v is not in the text of %s", e, item.ID)
			}
		}
	}
}

// checkEntityTypes expects the eight types that the extractor knows.
func checkEntityTypes(t *testing.T, d client.Dashboard) {
	t.Helper()
	for _, want := range []string{"person", "organization", "platform", "grant", "program", "location", "event", "concept"} {
		at := slices.IndexFunc(d.Entities.ByType, func(c client.TypeCount) bool { return c.Type == want })
		if at < 0 || d.Entities.ByType[at].Count == 0 {
			t.Errorf("there is no %s among %+v", want, d.Entities.ByType)
		}
	}
}

// testDashboard compares the dashboard with the lists.
func testDashboard(t *testing.T, b *backend) {
	c := b.asAdmin(t)
	b.samples(t)
	eventually(t, "the dashboard says what the lists say", func() string {
		d := c.dashboard(t)
		content := len(walk(t, c, "/api/v1/content", "&duplicates=all&view=summary", 100))
		folded := len(walk(t, c, "/api/v1/content", "&duplicates=only&view=summary", 100))
		failing := len(walk(t, c, "/api/v1/sources", "&status=failing", 100))
		switch {
		case int(d.Content.Total) != content, int(d.Content.Duplicates) != folded, int(d.Sources.Failing) != failing,
			d.Sources.Total != d.Sources.Active+d.Sources.Paused+d.Sources.Failing+d.Sources.Gone,
			d.Content.Total != d.Content.New+d.Content.Processing+d.Content.Processed+d.Content.Failed+d.Content.Skipped,
			d.Sources.LastSuccessAt.IsNull(), d.Content.LatestPublishedAt.IsNull(), d.Content.Last24Hours == 0:
			return encode(t, d)
		}
		return ""
	})
}

// testMetrics looks for the numbers that an operator watches.
func testMetrics(t *testing.T, b *backend) {
	b.samples(t)
	text := string(b.anonymous(t).do("GET", "/metrics", "").want(t, 200).body)
	for _, want := range []string{"kgl_http_requests_total{operation=\"getDashboard\",status=\"200\"}", "kgl_http_request_duration_seconds_bucket", "kgl_http_refusals_total", "go_goroutines"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, secret := range []string{b.admin.email, b.admin.password, "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics hold %s", secret)
		}
	}
}
