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

// story is an article; award makes one of many from a template.
const story = `The council of Fenton voted on Tuesday to keep the old library open for another five years. Members said that the house, which was built
in 1921, needs a new roof, and that the town will pay 40,000 for it. We could not let it go, said Mara Holm, who leads the council. Readers had
collected signatures for months. The vote was close. Those against it asked for a new house near the station, with room for a cinema and a cafe.
A decision on that is expected in spring.`

func award(who, amount string) string {
	return fmt.Sprintf(`The fund opens a new round of its grant for %s. Every project gets up to %s. Applicants send a short description of the project,
a budget and two samples of their work. A jury of people from the field reads all applications and answers within eight weeks after the deadline. Those who
were turned down before may apply again with a new project. Questions are answered by mail at any time.`, who, amount)
}

// agency is the story as an agency sends it, without its last sentence.
var agency = "FENTON (Agency) - " + strings.TrimSuffix(story, "A decision on that is expected in spring.") + " Read more"

// publish has a source of a host publish items now, and the worker fetch it.
func (w *world) publish(worker *Worker, host string, items ...string) kgl.Source {
	w.t.Helper()
	s := w.addAt(host)
	w.republish(worker, s, items...)
	return s
}

func (w *world) republish(worker *Worker, s kgl.Source, items ...string) {
	w.t.Helper()
	w.clock.Advance(time.Minute)
	w.web.serve(s.URL, answer(200, rss(s.Host, items...)))
	w.due(s.ID)
	w.round(worker)
}

func TestNearDuplicatesAreFolded(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		a := w.publish(worker, "a.example", "Library stays open|"+story)
		b := w.publish(worker, "b.example", "UPDATE 1-Library stays open|"+agency)
		c := w.publish(worker, "c.example", "Library stays open|"+story[:350]+"…")
		w.want("heads", w.heads(a, b, c), "b.example->a.example c.example->a.example")
		w.want("events", strings.Count(w.events(), "duplicate_linked"), 2)
		head := w.contents(a.ID)[0]
		w.want("duplicate count", head.Duplicates, 2)
		links, err := w.db.Duplicates(t.Context(), head.ID, kgl.Page{Limit: 5})
		w.must(err)
		for _, l := range links.Rows {
			if l.Reason != kgl.DuplicateNearText || l.Score < 0.7 || l.Score >= 1 {
				t.Errorf("%+v", l)
			}
		}

		d := w.publish(worker, "d.example", "Something else|"+strings.ToUpper(story))
		w.want("heads", w.heads(a, d), "d.example->a.example")
		w.want("reasons: an exact one wins", w.reasons(head.ID), []kgl.DuplicateReason{kgl.DuplicateNearText, kgl.DuplicateNearText, kgl.DuplicateSameText})
	})
}

func (w *world) reasons(id string) []kgl.DuplicateReason {
	w.t.Helper()
	links, err := w.db.Duplicates(w.t.Context(), id, kgl.Page{Limit: 50})
	w.must(err)
	var list []kgl.DuplicateReason
	for _, l := range links.Rows {
		list = append(list, l.Reason)
	}
	return list
}

// Announcements from one template are several, and a series of one source is not
// folded at all.
func TestLikeItemsStayApart(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		a := w.publish(worker, "a.example", "Grant for writers|"+award("writers", "5,000"))
		b := w.publish(worker, "b.example", "Grant for writers|"+award("writers", "8,000"))
		c := w.publish(worker, "c.example", "Grant for painters|"+award("painters", "5,000"))
		d := w.publish(worker, "d.example", "Library stays open|"+story, "Library stays open again|"+agency)
		e := w.publish(worker, "e.example", "Library|The council of Fenton voted on Tuesday to keep the old library open.")
		w.want("heads", w.heads(a, b, c, d, e), "")
	})
}

func TestEditsOfNearDuplicates(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		a := w.publish(worker, "a.example", "Library stays open|"+story)
		b := w.publish(worker, "b.example", "Library stays open|"+agency)
		c := w.publish(worker, "c.example", "Library stays open|"+agency+" of this on our site")
		w.want("heads", w.heads(a, b, c), "b.example->a.example c.example->a.example")

		w.republish(worker, b, "Library stays open|"+agency+" and more of it, as it comes in")
		w.want("heads after a small edit", w.heads(a, b, c), "b.example->a.example c.example->a.example")
		w.want("revision", w.contents(b.ID)[0].Revision, 2)
		linked := strings.Count(w.events(), "duplicate_linked")
		w.want("links that were told of", linked, 2)

		w.republish(worker, a, "Library stays open|"+award("writers", "5,000"))
		w.want("heads after the head became another story", w.heads(a, b, c), "c.example->b.example")
		w.republish(worker, c, "Library stays open|"+award("writers", "5,000")+" Read more")
		w.want("heads after the rest followed", w.heads(a, b, c), "c.example->a.example")
		w.republish(worker, c, "Library stays open|"+strings.Repeat("Rain in the north, wind in the south, and some sun in the west. ", 6))
		w.want("heads after the sameness ended", w.heads(a, b, c), "")
	})
}

func TestTakenApartForGood(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		contents := NewContents(w.db, w.clock, w.ids)
		ctx := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: "u1"})
		a := w.publish(worker, "a.example", "Library stays open|"+story)
		b := w.publish(worker, "b.example", "Library stays open|"+agency)
		c := w.publish(worker, "c.example", "Library stays open|"+agency+" of this")
		head, copied := w.contents(a.ID)[0].ID, w.contents(b.ID)[0].ID

		w.must(contents.TakeApart(ctx, copied))
		w.want("heads", w.heads(a, b, c), "c.example->a.example")
		w.want("told", strings.HasSuffix(w.events(), "duplicate_unlinked"), true)
		w.wantCode(contents.TakeApart(ctx, copied), kgl.CodeConflict)
		w.wantCode(contents.TakeApart(ctx, "nobody"), kgl.CodeNotFound)
		w.republish(worker, b, "Library stays open|"+story)
		w.want("heads after an edit to the same text", w.heads(a, b, c), "c.example->a.example")

		l, err := contents.LinkByHand(ctx, copied, w.contents(c.ID)[0].ID)
		w.must(err)
		w.want("link", fmt.Sprint(l.DuplicateOf, l.Reason, l.Score, l.CreatedBy), fmt.Sprint(head, kgl.DuplicateManual, 1.0, "u1"))
		w.want("heads", w.heads(a, b, c), "b.example->a.example c.example->a.example")
		_, err = contents.LinkByHand(ctx, copied, head)
		w.wantCode(err, kgl.CodeConflict)
		w.republish(worker, b, "Library stays open|Sun.")
		w.want("heads after an edit", w.heads(a, b, c), "b.example->a.example c.example->a.example")

		w.must(contents.TakeApart(ctx, head))
		w.want("heads without the head", strings.Contains(w.heads(a, b, c), "->a.example"), false)
		w.want("audit", w.audited("content.take_apart", "content.link_duplicate"), "content.take_apart content.link_duplicate content.take_apart")
	})
}

// audited returns the actions of the audit rows, the oldest first, that are
// among those given.
func (w *world) audited(actions ...string) string {
	w.t.Helper()
	var list []string
	for _, action := range actions {
		rows, err := w.db.AuditEvents(w.t.Context(), kgl.AuditFilter{Action: action}, kgl.Page{Limit: 50})
		w.must(err)
		for _, r := range rows.Rows {
			list = append(list, fmt.Sprintf("%06d %s", r.Seq, r.Action))
		}
	}
	slices.Sort(list)
	for i, row := range list {
		list[i] = row[7:]
	}
	return strings.Join(list, " ")
}

// Workers store the same story in other words at the same time.
func TestConcurrentNearDuplicates(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		w.want("heads of one story", w.headsStoredAtOnce(4, func(i int) string {
			return rss(fmt.Sprint("feed", i), fmt.Sprintf("Library stays open|%s Edition %s", story, strings.Repeat("x", i+1)))
		}), 1)
	})
}

// Items of a version that knew no keys get them once, and are folded.
func TestStoredItemsGetKeys(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		worker := w.worker(Config{})
		var sources []kgl.Source
		for i, text := range []string{story, agency, award("writers", "5,000"), "short"} {
			s := w.addAt(fmt.Sprintf("h%d.example", i))
			sources = append(sources, s)
			w.clock.Advance(time.Minute)
			w.store(s, "A title", text)
		}
		old := w.addAt("old.example")
		w.clock.Advance(-nearWindow - time.Hour)
		w.store(old, "A title", story)
		w.clock.Advance(nearWindow + time.Hour)
		var many []kgl.Content
		for i := range 2 * keysBatch {
			many = append(many, w.item(old, fmt.Sprintf("Item %d", i), fmt.Sprintf("Text %d", i)))
		}
		_, err := w.db.CreateContents(t.Context(), many)
		w.must(err)

		w.must(worker.tidyKeys(t.Context()))
		w.want("heads", w.heads(append(sources, old)...), "h1.example->h0.example")
		w.want("events", w.events(kgl.EventSourceCreated), kgl.EventDuplicateLinked)
		left, err := w.db.ContentsWithoutKeys(t.Context(), 1, start, 10)
		w.must(err)
		w.want("items without keys", len(left), 0)

		w.must(worker.tidyKeys(t.Context())) // nothing is left to do
		w.clock.Advance(2 * nearWindow)
		w.must(worker.tidyKeys(t.Context()))
		left, err = w.db.ContentsWithoutKeys(t.Context(), 1, start, 10)
		w.must(err)
		w.want("items whose keys were removed", len(left), 10)
	})
}

// item returns an item that is first seen now.
func (w *world) item(s kgl.Source, title, text string) kgl.Content {
	now := w.clock.Now()
	id := w.ids.NewID()
	return kgl.Content{
		ID: id, SourceID: s.ID, IdentityKind: kgl.IdentityGUID, IdentityKey: id, Status: kgl.ContentNew, Revision: 1, Version: 1,
		FetchedAt: now, UpdatedAt: now, ContentBody: kgl.ContentBody{Title: title, Text: text, ContentHash: id, PublishedAt: now},
	}
}

func (w *world) store(s kgl.Source, title, text string) {
	w.t.Helper()
	_, err := w.db.CreateContents(w.t.Context(), []kgl.Content{w.item(s, title, text)})
	w.must(err)
}

// The work ends with its context.
func TestKeysAreKeptUntilTheEnd(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			w.worker(Config{}).keepKeys(ctx)
			close(done)
		}()
		stop()
		<-done
	})
}
