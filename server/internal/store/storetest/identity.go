package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runIdentity(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"similar items are found by each trait", similarContents},
		{"what many items share is bounded", similarBounded},
		{"removed items are found by their traits", similarRemoved},
		{"an identity moves without a revision", moveContents},
		{"an identity of another item conflicts", moveConflict},
		{"removed items are forgotten when they are not listed", seeRemoved},
		{"marks of revisions leave bodies out, and revisions are dropped", revisionMarks},
		{"content is listed in the order of its changes", changedAfter},
		{"a follower of changes misses none", followChanges},
	})
}

func idents(c kgl.Content) kgl.ContentIdentity {
	return kgl.ContentIdentity{Kind: c.IdentityKind, Key: c.IdentityKey}
}

// similarOf returns what SimilarContents tells of a stored item.
func similarOf(c kgl.Content) kgl.ContentState {
	s := stateOf(c)
	s.CanonicalURL, s.TextHash, s.TitleKey, s.Summary = c.CanonicalURL, c.TextHash, kgl.TitleKey(c.Title), c.Summary
	return s
}

func similarContents(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	cs := make([]kgl.Content, 6)
	for i := range cs {
		cs[i] = newContent(i, a)
		cs[i].AltKey = fmt.Sprintf("alt-%d", i)
	}
	other := newContent(20, b) // of another source, and like the first in everything
	other.AltKey, other.CanonicalURL, other.TextHash, other.PublishedAt = cs[0].AltKey, cs[0].CanonicalURL, cs[0].TextHash, cs[0].PublishedAt
	cs[5].AltKey, cs[5].CanonicalURL, cs[5].TextHash = "", "", "" // which nobody asks for
	addContents(t, db, append(slices.Clone(cs), other)...)
	states := got(db.SimilarContents(ctx(t), a.ID, []kgl.ContentTraits{
		{AltKey: "alt-0"}, {CanonicalURL: cs[1].CanonicalURL}, {TextHash: cs[2].TextHash, PublishedAt: cs[3].PublishedAt}, {}, {AltKey: "alt-0", CanonicalURL: cs[0].CanonicalURL},
	}))(t)
	slices.SortFunc(states, func(x, y kgl.ContentState) int { return slices.Compare([]byte(x.ID), []byte(y.ID)) })
	same(t, states, []kgl.ContentState{similarOf(cs[0]), similarOf(cs[1]), similarOf(cs[2]), similarOf(cs[3])})
	same(t, got(db.SimilarContents(ctx(t), a.ID, nil))(t), nil)
}

func similarBounded(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	cs := make([]kgl.Content, 60)
	for i := range cs {
		cs[i] = newContent(i, s)
		cs[i].AltKey, cs[i].PublishedAt = "alt", second(1)
	}
	addContents(t, db, cs...)
	for name, trait := range map[string]kgl.ContentTraits{"alternate id": {AltKey: "alt"}, "date": {PublishedAt: second(1)}} {
		if n := len(got(db.SimilarContents(ctx(t), s.ID, []kgl.ContentTraits{trait}))(t)); n != 20 {
			t.Errorf("%d items have the %s", n, name)
		}
	}
}

func similarRemoved(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	c := newContent(1, s)
	c.AltKey = "alt"
	addContents(t, db, c)
	must(t, db.DeleteContent(ctx(t), c.ID, kgl.RemovedByAge, second(9)))
	want := similarOf(c)
	want.ID, want.RawHash, want.Revision, want.Summary, want.Removed, want.RemovedAt = "", "", 0, "", kgl.RemovedByAge, second(9)
	for _, trait := range []kgl.ContentTraits{{AltKey: "alt"}, {CanonicalURL: c.CanonicalURL}, {TextHash: c.TextHash}} {
		same(t, got(db.SimilarContents(ctx(t), s.ID, []kgl.ContentTraits{trait}))(t), []kgl.ContentState{want})
	}
}

func moveContents(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	cs := addContents(t, db, newContent(1, s), newContent(2, s), newContent(3, s))
	must(t, db.MoveContents(ctx(t), []kgl.ContentMove{
		{ID: cs[0].ID, Identity: kgl.ContentIdentity{Kind: kgl.IdentityURL, Key: `https://a.example/"x"`}, GUID: "new \"id\"", AltKey: "alt", RawHash: "raw", ContentHash: "c"},
		{ID: cs[1].ID, Identity: idents(cs[1]), GUID: cs[1].GUID, AltKey: "alt-2", RawHash: "raw-2", ContentHash: cs[1].ContentHash},
		{ID: id(99), Identity: kgl.ContentIdentity{Kind: kgl.IdentityGUID, Key: "none"}},
	}, second(50)))
	moved := cs[0]
	moved.IdentityKind, moved.IdentityKey, moved.GUID, moved.AltKey, moved.RawHash, moved.ContentHash = kgl.IdentityURL, `https://a.example/"x"`, "new \"id\"", "alt", "raw", "c"
	moved.Version, moved.UpdatedAt = 2, second(50)
	same(t, content(t, db, moved.ID), moved)
	hashed := cs[1]
	hashed.AltKey, hashed.RawHash = "alt-2", "raw-2"
	same(t, content(t, db, hashed.ID), hashed)
	same(t, content(t, db, cs[2].ID), cs[2])
	must(t, db.MoveContents(ctx(t), nil, second(60)))
}

func moveConflict(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	cs := addContents(t, db, newContent(1, s), newContent(2, s))
	wantCode(t, db.MoveContents(ctx(t), []kgl.ContentMove{{ID: cs[0].ID, Identity: idents(cs[1]), GUID: "x"}}, second(50)), kgl.CodeConflict)
	same(t, content(t, db, cs[0].ID), cs[0])
}

func seeRemoved(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	cs := addContents(t, db, newContent(1, s), newContent(2, s), newContent(3, s))
	var all []kgl.ContentIdentity
	for i, c := range cs {
		all = append(all, idents(c))
		must(t, db.DeleteContent(ctx(t), c.ID, kgl.RemovedByPerson, second(10+i)))
	}
	known := func() int { return len(got(db.ContentStates(ctx(t), s.ID, all))(t)) }
	must(t, db.SeeRemoved(ctx(t), s.ID, all[:1], second(100), second(10)))
	if known() != 3 {
		t.Fatalf("%d are known", known())
	}
	must(t, db.SeeRemoved(ctx(t), s.ID, nil, second(110), second(12)))
	states := got(db.ContentStates(ctx(t), s.ID, all))(t)
	if len(states) != 2 || slices.ContainsFunc(states, func(x kgl.ContentState) bool { return x.Identity == all[1] }) {
		t.Fatalf("known: %+v", states)
	}
	must(t, db.ForgetRemoved(ctx(t), s.ID, all[2:]))
	if known() != 1 {
		t.Fatalf("%d are known", known())
	}
}

func revisionMarks(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	cs := addContents(t, db, newContent(1, s), newContent(2, s))
	next := cs[0]
	for n := range 3 {
		next = revised(next, second(20+n))
		must(t, db.ReviseContent(ctx(t), next))
	}
	must(t, db.ReviseContent(ctx(t), revised(cs[1], second(30))))
	mark := func(c kgl.Content, revision int64, at int, hash string) kgl.RevisionMark {
		return kgl.RevisionMark{ContentID: c.ID, Revision: revision, RecordedAt: second(at), ContentHash: hash}
	}
	hash := cs[0].ContentHash
	same(t, got(db.RevisionMarks(ctx(t), []string{cs[1].ID, cs[0].ID, id(99)}))(t), []kgl.RevisionMark{
		mark(cs[0], 1, 20, hash), mark(cs[0], 2, 21, hash+"'"), mark(cs[0], 3, 22, hash+"''"), mark(cs[1], 1, 30, cs[1].ContentHash),
	})
	must(t, db.DropRevisions(ctx(t), cs[0].ID, 2))
	same(t, got(db.RevisionMarks(ctx(t), []string{cs[0].ID}))(t), []kgl.RevisionMark{mark(cs[0], 3, 22, hash+"''")})
	same(t, got(db.RevisionMarks(ctx(t), nil))(t), nil)
}

func changedAfter(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", nil)
	var want []string
	for i := range 9 {
		c := newContent(i, s)
		c.PublishedAt, c.ChangedAt = second(100-i), second(i/2) // several at the same time
		want = append(want, addContents(t, db, c)[0].ID)
	}
	for limit := 1; limit <= 9; limit += 2 {
		for sort, order := range map[kgl.ContentSort][]string{kgl.ContentByChange: want[4:], kgl.ContentLastChanged: reversed(want[4:])} {
			all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.Content], error) {
				return db.Contents(ctx(t), kgl.ContentFilter{ChangedAfter: second(1)}, sort, false, p)
			})
			same(t, idsOf(all, contentID), order)
		}
	}
}

// followChanges reads changes page by page, and begins each time a little before
// the newest that it saw, while others revise items with times of their own that
// commit out of order.
func followChanges(t *testing.T, db *store.DB) {
	const overlap, items, writers, edits = time.Minute, 6, 3, 12
	s := addSource(t, db, 1, "a.example", nil)
	cs := make([]kgl.Content, writers*items)
	for i := range cs {
		cs[i] = newContent(i, s)
		cs[i].ChangedAt = second(1)
	}
	addContents(t, db, cs...)
	type state struct {
		id       string
		revision int64
	}
	seen := map[state]bool{}
	var newest time.Time
	follow := func() {
		after := newest.Add(-overlap)
		if newest.IsZero() {
			after = newest
		}
		for _, c := range pages(t, 4, func(p kgl.Page) (kgl.List[kgl.Content], error) {
			return db.Contents(ctx(t), kgl.ContentFilter{ChangedAfter: after}, kgl.ContentByChange, false, p)
		}) {
			seen[state{c.ID, c.Revision}] = true
			if c.ChangedAt.After(newest) {
				newest = c.ChangedAt
			}
		}
	}
	done := make(chan []error)
	go func() {
		done <- parallel(writers, func(w int) error {
			for edit := range edits {
				for i := range items {
					c := &cs[w*items+i]
					next := revised(*c, second(2+edit*5+(writers-w)*7)) // a writer is ahead of the others, by less than the overlap
					next.ChangedAt = next.UpdatedAt
					if err := db.ReviseContent(ctx(t), next); err != nil {
						return err
					}
					*c = next
				}
			}
			return nil
		})
	}()
	for ended := false; !ended; {
		follow()
		select {
		case errs := <-done:
			for _, err := range errs {
				must(t, err)
			}
			ended = true
		default:
		}
	}
	follow()
	for _, c := range cs {
		if !seen[state{c.ID, c.Revision}] {
			t.Errorf("revision %d of %s was not seen", c.Revision, c.ID)
		}
	}
}
