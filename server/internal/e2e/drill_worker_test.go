//go:build drill

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// leaseEnds is longer than any lease of a worker: that of a host outlasts a fetch
// by two minutes, that of a task is five.
const leaseEnds = 6 * time.Minute

// TestDrillKilledWorker kills a process in the middle of a fetch and of a batch
// of enrichments, and starts another one at once. When the leases of the dead
// one have run out, the work is done again, and has the effects that it has
// where nobody is killed: each once.
func TestDrillKilledWorker(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		f := newFeedServer(t) // a host for what is enriched, and one for what is fetched
		slow := newFeedServer(t)
		f.serve("/feed.xml", grantFeed(200))
		hang := make(chan struct{}, 8)
		slow.handle("/feed.xml", func(_ http.ResponseWriter, req *http.Request) {
			hang <- struct{}{}
			<-req.Context().Done()
		})
		in := newInstallation(t, engine, "KGL_FETCH_TIMEOUT=20s")
		p := in.launch(t, "serve")
		c := p.serving(in).asAdmin(t)
		c.createSource(t, slow.url("/feed.xml"))
		<-hang
		c.createSource(t, f.url("/feed.xml"))
		eventually(t, "tasks are leased, and some are done", func() string {
			states := in.rows(t, "SELECT state FROM enrichment_tasks")
			if !slices.ContainsFunc(states, is("leased")) || !slices.ContainsFunc(states, is("done")) || !slices.ContainsFunc(states, is("pending")) {
				return fmt.Sprint(len(states), " tasks")
			}
			return ""
		})
		p.kill()
		killed := time.Now()
		leased := len(in.rows(t, "SELECT id FROM enrichment_tasks WHERE state = 'leased'"))
		if leased == 0 {
			t.Fatal("no task was leased at the kill")
		}
		slow.serve("/feed.xml", rssFeed("Slow", newItem("one")))
		again := in.launch(t, "serve").serving(in).asAdmin(t)
		in.waitUntilDone(t, leaseEnds)
		took := time.Since(killed)
		in.checkEffects(t)
		in.checkFeed(t)

		other := newInstallation(t, engine)
		reference := other.launch(t, "serve").serving(other).asAdmin(t)
		slow.serve("/reference.xml", rssFeed("Slow", newItem("one")))
		reference.createSource(t, slow.url("/reference.xml"))
		reference.createSource(t, f.url("/feed.xml"))
		other.waitUntilDone(t, time.Minute)
		if have, want := in.effects(t), other.effects(t); have != want {
			t.Errorf("the effects after the kill are\n%s\nand without it\n%s", have, want)
		}
		attempts := in.rows(t, "SELECT count(*) FROM enrichment_tasks WHERE attempts > 1")[0][0]
		t.Logf("%s: killed in a fetch and with %d tasks leased (%s of 201 tasks were begun twice); all done %s after the kill, effects as without it: %s",
			engine, leased, attempts, took.Round(time.Second), strings.ReplaceAll(in.effects(t), "\n", ", "))
		again.do("GET", "/ready", "").want(t, 200)
	})
}

func is(state string) func([]string) bool {
	return func(row []string) bool { return row[0] == state }
}

// grantFeed is a feed of items that name what the mock finds.
func grantFeed(n int) string {
	items := make([]item, n)
	for i := range items {
		items[i] = item{
			guid: fmt.Sprint("urn:drill:grant:", i), link: fmt.Sprint("https://drill.example.org/grant/", i),
			title: fmt.Sprintf("Grant %d for creators", i), published: time.Date(2026, 3, 1, 12, 0, i, 0, time.UTC),
			text: fmt.Sprintf("The Mozilla Foundation and the Knight Foundation announce the Creator Fund number %d with Patreon and YouTube. "+
				"Applications for %d close soon, and the words %d %d %d make this a text of its own.", i, i, i*7, i*11, i*13),
		}
	}
	return rssFeed("Grants", items...)
}

// effects counts what fetches and enrichments leave.
func (in *installation) effects(t *testing.T) string {
	t.Helper()
	var lines []string
	for _, table := range []string{"contents", "entities", "mentions", "relationships", "relationship_evidence", "enrichment_tasks", "extraction_runs"} {
		lines = append(lines, fmt.Sprint(in.rows(t, "SELECT count(*) FROM "+table)[0][0], " ", table))
	}
	for _, row := range in.rows(t, "SELECT type, count(*) FROM events WHERE type NOT LIKE 'entity.updated' AND type NOT LIKE 'relationship.updated' GROUP BY type ORDER BY type") {
		lines = append(lines, row[1]+" "+row[0])
	}
	return strings.Join(lines, "\n")
}
