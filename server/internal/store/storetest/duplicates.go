package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runDuplicates(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"the first-seen item of another source is found", findDuplicates},
		{"nothing is found for empty keys and own items", findNoDuplicates},
		{"a link folds its item", linkFolds},
		{"a link to a folded item goes to the head", linkToFolded},
		{"a chain in one call becomes one group", linkChain},
		{"groups are merged", linkMerges},
		{"a link that exists stays", linkAgain},
		{"links that lead nowhere are left out", linkNowhere},
		{"concurrent links make one group", linkRace},
		{"of concurrent writers of one story, all but one find another", findRace},
		{"the links of a group page from any of its items", duplicatePages},
		{"a deleted head leaves its group to the first-seen item", deleteHead},
		{"a deleted source leaves its groups to items of other sources", deleteHeads},
		{"a deleted member leaves the group", deleteMember},
		{"an edited member leaves the group", reviseMember},
		{"an edit that keeps the reason keeps the link", reviseKeepsLink},
		{"an edited head leaves its group", reviseHead},
	})
}

// link says that the n-th item repeats the head-th.
func link(n, head int) kgl.DuplicateLink {
	return kgl.DuplicateLink{ContentID: id(10_000 + n), DuplicateOf: id(10_000 + head), Reason: kgl.DuplicateSameURL, Score: 1, CreatedAt: second(n)}
}

func textLink(n, head int) kgl.DuplicateLink {
	l := link(n, head)
	l.Reason = kgl.DuplicateSameText
	return l
}

// items stores the items 1 to n, each in the source with its number.
func items(t *testing.T, db *store.DB, n int) []kgl.Content {
	t.Helper()
	var cs []kgl.Content
	for i := 1; i <= n; i++ {
		cs = append(cs, newContent(i, addSource(t, db, i, "a.example", nil)))
	}
	return addContents(t, db, cs...)
}

// wantHeads checks what each of the items 1 to n is folded under; 0: nothing.
func wantHeads(t *testing.T, db *store.DB, heads ...int) {
	t.Helper()
	for i, head := range heads {
		want := ""
		if head != 0 {
			want = id(10_000 + head)
		}
		if have := content(t, db, id(10_001+i)).DuplicateOf; have != want {
			t.Errorf("item %d is folded under %q, want %q", i+1, have, want)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// group returns the links of the group of the n-th item without their times.
func group(t *testing.T, db *store.DB, n int) []kgl.DuplicateLink {
	t.Helper()
	ls := got(db.Duplicates(ctx(t), id(10_000+n), kgl.Page{Limit: 50}))(t).Rows
	for i := range ls {
		ls[i].CreatedAt = time.Time{}
	}
	return ls
}

func untimed(ls ...kgl.DuplicateLink) []kgl.DuplicateLink {
	for i := range ls {
		ls[i].CreatedAt = time.Time{}
	}
	return ls
}

func findDuplicates(t *testing.T, db *store.DB) {
	var sources []kgl.Source
	for i := 1; i <= 4; i++ {
		sources = append(sources, addSource(t, db, i, "a.example", nil))
	}
	item := func(n int, s kgl.Source, url, text string, seen int) kgl.Content {
		c := newContent(n, s)
		c.CanonicalURL, c.TextHash, c.FetchedAt = url, text, second(seen)
		return c
	}
	addContents(t, db,
		item(1, sources[0], "u1", "t1", 9), item(2, sources[1], "u1", "t2", 5), item(3, sources[2], "u1", "t2", 5),
		item(4, sources[2], "u4", "t4", 1), item(5, sources[1], "", "", 1))
	found := got(db.FindDuplicates(ctx(t), []kgl.DuplicateCandidate{
		{SourceID: sources[3].ID, CanonicalURL: "u1", TextHash: "t9"}, // 2 and 3 were seen at the same time
		{SourceID: sources[1].ID, CanonicalURL: "u1", TextHash: "t9"}, // not the own one
		{SourceID: sources[3].ID, CanonicalURL: "u9", TextHash: "t2"},
		{SourceID: sources[3].ID, CanonicalURL: "u1", TextHash: "t4"}, // 4 was seen before 2
		{SourceID: sources[3].ID, CanonicalURL: "u4", TextHash: "t4"}, // one item, two reasons
		{SourceID: sources[3].ID, CanonicalURL: "u9", TextHash: "t9"},
	}))(t)
	by := func(n int, r kgl.DuplicateReason) *kgl.DuplicateLink {
		return &kgl.DuplicateLink{DuplicateOf: id(10_000 + n), Reason: r, Score: 1}
	}
	same(t, found, []*kgl.DuplicateLink{
		by(2, kgl.DuplicateSameURL), by(3, kgl.DuplicateSameURL), by(2, kgl.DuplicateSameText),
		by(4, kgl.DuplicateSameText), by(4, kgl.DuplicateSameURL), nil,
	})
}

func findNoDuplicates(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example", nil), addSource(t, db, 2, "b.example", nil)
	c := newContent(1, a)
	bare := newContent(2, a)
	bare.CanonicalURL, bare.TextHash = "", ""
	addContents(t, db, c, bare)
	same(t, got(db.FindDuplicates(ctx(t), []kgl.DuplicateCandidate{
		{SourceID: a.ID, CanonicalURL: c.CanonicalURL, TextHash: c.TextHash}, {SourceID: b.ID},
	}))(t), []*kgl.DuplicateLink{nil, nil})
	if found := got(db.FindDuplicates(ctx(t), nil))(t); len(found) != 0 {
		t.Fatal(found)
	}
}

func linkFolds(t *testing.T, db *store.DB) {
	items(t, db, 3)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), textLink(3, 1)}))(t)
	wantHeads(t, db, 0, 1, 1)
	same(t, group(t, db, 1), untimed(link(2, 1), textLink(3, 1)))
	if v := content(t, db, id(10_002)).Version; v != 2 {
		t.Fatalf("the folded item has version %d", v)
	}
	got(db.LinkDuplicates(ctx(t), nil))(t)
}

func linkToFolded(t *testing.T, db *store.DB) {
	items(t, db, 3)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1)}))(t)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{textLink(3, 2)}))(t)
	wantHeads(t, db, 0, 1, 1)
	same(t, group(t, db, 3), untimed(link(2, 1), textLink(3, 1)))
}

func linkChain(t *testing.T, db *store.DB) {
	items(t, db, 4)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(4, 3), link(3, 2), link(2, 1)}))(t)
	wantHeads(t, db, 0, 1, 1, 1)
	same(t, group(t, db, 4), untimed(link(2, 1), link(3, 1), link(4, 1)))
}

func linkMerges(t *testing.T, db *store.DB) {
	items(t, db, 6)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), link(3, 1), link(5, 4), link(6, 4)}))(t)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{textLink(5, 2)}))(t)
	wantHeads(t, db, 0, 1, 1, 1, 1, 1)
	have := group(t, db, 6)
	for _, want := range untimed(link(2, 1), link(3, 1), textLink(4, 1), link(5, 1), textLink(5, 1), link(6, 1)) {
		if !slices.Contains(have, want) {
			t.Errorf("the group lacks %+v", want)
		}
	}
	if len(have) != 6 {
		t.Errorf("the group has %d links: %+v", len(have), have)
	}
}

func linkAgain(t *testing.T, db *store.DB) {
	items(t, db, 2)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1)}))(t)
	again := link(2, 1)
	again.CreatedAt, again.Score = after(time.Hour), 0.5
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{again, again}))(t)
	same(t, got(db.Duplicates(ctx(t), id(10_001), kgl.Page{Limit: 5}))(t).Rows, []kgl.DuplicateLink{link(2, 1)})
}

func linkNowhere(t *testing.T, db *store.DB) {
	items(t, db, 2)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(1, 9), link(9, 1), link(1, 1), link(2, 1)}))(t)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(1, 2)}))(t) // back to the own group
	wantHeads(t, db, 0, 1)
	same(t, group(t, db, 2), untimed(link(2, 1)))
}

func linkRace(t *testing.T, db *store.DB) {
	items(t, db, 6)
	for _, err := range parallel(5, func(i int) error {
		_, err := db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(i+2, i+1)})
		return err
	}) {
		must(t, err)
	}
	wantHeads(t, db, 0, 1, 1, 1, 1, 1)
}

func findRace(t *testing.T, db *store.DB) {
	const writers = 4
	var cs []kgl.Content
	for i := range writers {
		c := newContent(i+1, addSource(t, db, i+1, "a.example", nil))
		c.CanonicalURL = "https://a.example/story"
		cs = append(cs, c)
	}
	alone := make([]bool, writers)
	for _, err := range parallel(writers, func(i int) error {
		return db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
			if _, err := tx.CreateContents(ctx, cs[i:i+1]); err != nil {
				return err
			}
			found, err := tx.FindDuplicates(ctx, []kgl.DuplicateCandidate{{SourceID: cs[i].SourceID, CanonicalURL: cs[i].CanonicalURL}})
			if err == nil {
				alone[i] = found[0] == nil
			}
			return err
		})
	}) {
		must(t, err)
	}
	first := 0
	for _, a := range alone {
		if a {
			first++
		}
	}
	if first != 1 {
		t.Fatalf("%d of %d writers found nothing, want the first one only", first, writers)
	}
}

func duplicatePages(t *testing.T, db *store.DB) {
	items(t, db, 5)
	ls := []kgl.DuplicateLink{link(2, 1), textLink(2, 1), link(3, 1), link(4, 1), textLink(4, 1)}
	for i := range ls {
		ls[i].CreatedAt = second(i / 4)
	}
	got(db.LinkDuplicates(ctx(t), ls))(t)
	for limit := 1; limit <= 6; limit++ {
		for _, from := range []int{1, 3} {
			all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.DuplicateLink], error) {
				return db.Duplicates(ctx(t), id(10_000+from), p)
			})
			same(t, all, ls)
		}
	}
	for _, alone := range []string{id(10_005), id(9)} {
		same(t, got(db.Duplicates(ctx(t), alone, kgl.Page{Limit: 5}))(t).Rows, nil)
	}
}

func deleteHead(t *testing.T, db *store.DB) {
	cs := items(t, db, 4)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(4, 1), textLink(3, 1), link(2, 1)}))(t)
	must(t, db.DeleteContent(ctx(t), cs[0].ID, kgl.RemovedByPerson, epoch))
	for n, want := range map[int]string{2: "", 3: cs[1].ID, 4: cs[1].ID} {
		if have := content(t, db, id(10_000+n)).DuplicateOf; have != want {
			t.Errorf("item %d is folded under %q, want %q", n, have, want)
		}
	}
	same(t, group(t, db, 4), untimed(textLink(3, 2), link(4, 2)))
	folded := got(db.Contents(ctx(t), kgl.ContentFilter{}, kgl.ContentNewestFirst, false, kgl.Page{Limit: 5}))(t).Rows
	same(t, idsOf(folded, contentID), []string{cs[1].ID})
}

func deleteHeads(t *testing.T, db *store.DB) {
	gone := addSource(t, db, 100, "gone.example", nil)
	a, b := addSource(t, db, 101, "a.example", nil), addSource(t, db, 102, "b.example", nil)
	addContents(t, db, newContent(1, gone), newContent(2, gone), newContent(3, gone), newContent(4, a), newContent(5, b), newContent(6, a), newContent(7, b))
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{
		link(3, 1), link(4, 1), link(5, 1), // 1: a member of the same source, and two others
		link(6, 2), // 2: one other
	}))(t)
	must(t, db.DeleteSource(ctx(t), gone.ID))
	for n, head := range map[int]string{4: "", 5: id(10_004), 6: "", 7: ""} {
		if have := content(t, db, id(10_000+n)).DuplicateOf; have != head {
			t.Errorf("item %d is folded under %q, want %q", n, have, head)
		}
	}
	same(t, group(t, db, 4), untimed(link(5, 4)))
	same(t, group(t, db, 6), nil)
}

func deleteMember(t *testing.T, db *store.DB) {
	cs := items(t, db, 3)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), link(3, 1)}))(t)
	must(t, db.DeleteContent(ctx(t), cs[1].ID, kgl.RemovedByPerson, epoch))
	same(t, group(t, db, 1), untimed(link(3, 1)))
}

func reviseMember(t *testing.T, db *store.DB) {
	cs := items(t, db, 3)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), textLink(2, 1), link(3, 1)}))(t)
	must(t, db.ReviseContent(ctx(t), revised(content(t, db, cs[1].ID), second(60))))
	wantHeads(t, db, 0, 0, 1)
	same(t, group(t, db, 1), untimed(link(3, 1)))
}

func reviseKeepsLink(t *testing.T, db *store.DB) {
	cs := items(t, db, 2)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), textLink(2, 1)}))(t)
	edit := revised(cs[1], second(60))
	edit.CanonicalURL = cs[1].CanonicalURL
	must(t, db.ReviseContent(ctx(t), edit))
	wantHeads(t, db, 0, 1)
	same(t, group(t, db, 1), untimed(link(2, 1)))
	edit = revised(cs[0], second(60))
	edit.CanonicalURL = cs[0].CanonicalURL
	must(t, db.ReviseContent(ctx(t), edit))
	wantHeads(t, db, 0, 1)
	same(t, group(t, db, 1), untimed(link(2, 1)))
}

func reviseHead(t *testing.T, db *store.DB) {
	cs := items(t, db, 4)
	got(db.LinkDuplicates(ctx(t), []kgl.DuplicateLink{link(2, 1), link(3, 1), textLink(4, 1)}))(t)
	edit := revised(cs[0], second(60))
	edit.TextHash = cs[0].TextHash // still the text of item 4, another URL than 2 and 3
	must(t, db.ReviseContent(ctx(t), edit))
	wantHeads(t, db, 0, 0, 2, 1)
	same(t, group(t, db, 1), untimed(textLink(4, 1)))
	same(t, group(t, db, 2), untimed(link(3, 2)))
}
