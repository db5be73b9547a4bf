package feed

import (
	"context"
	"strings"
	"testing"
)

// TestSalvagedItems parses item by item, as is done when the parser refuses a
// document, and compares with what it reads of the whole.
func TestSalvagedItems(t *testing.T) {
	for _, name := range []string{"rss2.xml", "rdf.xml", "atom10.xml", "atom03.xml", "podcast.xml", "rss091.xml"} {
		text, err := decode(fixture(t, name), "", 1<<20, &notes{})
		if err != nil {
			t.Fatal(err)
		}
		o, err := scan(text, Limits{}.withDefaults(), &notes{})
		if err != nil || !o.sound {
			t.Fatalf("%s: %v", name, err)
		}
		whole, err := o.parse(context.Background(), o.document())
		if err != nil {
			t.Fatal(err)
		}
		n := &notes{}
		parts, err := o.salvage(context.Background(), n)
		if err != nil || len(parts.items) != len(whole.items) || parts.title.value != whole.title.value || n.repaired {
			t.Fatalf("%s: %d of %d items, %v", name, len(parts.items), len(whole.items), err)
		}
		for i := range whole.items {
			if a, b := whole.items[i], parts.items[i]; a.id != b.id || a.title != b.title || len(a.links) != len(b.links) || len(a.published) != len(b.published) {
				t.Errorf("%s: item %d is\n%+v, not\n%+v", name, i, b, a)
			}
		}
	}
}

// TestSalvageLeavesOutOneItem makes one item unreadable for the parser behind
// the back of the scan: it costs no other.
func TestSalvageLeavesOutOneItem(t *testing.T) {
	doc := rssDoc(strings.Repeat(`<item><title>good</title></item>`, 3))
	o, err := scan([]byte(doc), Limits{}.withDefaults(), &notes{})
	if err != nil || !o.sound {
		t.Fatal(err)
	}
	second := o.items[1].start
	o.edits = append(o.edits[:2:2], append([]edit{{at: second + len("<item><title>"), del: 4, ins: "<x"}}, o.edits[2:]...)...)
	if _, err := o.parse(context.Background(), o.document()); err == nil {
		t.Fatal("the parser reads the damaged document")
	}
	n := &notes{}
	n.enter(StageSalvage)
	raw, err := o.salvage(context.Background(), n)
	if err != nil || len(raw.items) != 2 || raw.skipped != 1 || codes(n.list) != string(WarnItemSkipped) {
		t.Errorf("%+v, %v, %v", raw, err, n.list)
	}
}

// FuzzSalvage checks that parsing item by item ends, and gives no more items
// than there are.
func FuzzSalvage(f *testing.F) {
	addFixtures(f)
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		text, err := decode(body, contentType, 1<<14, &notes{})
		if err != nil {
			return
		}
		mended, err := repair(text, &notes{})
		if err != nil {
			return
		}
		o, err := scan(mended, Limits{MaxItems: 20}.withDefaults(), &notes{})
		if err != nil {
			return
		}
		raw, err := o.salvage(context.Background(), &notes{})
		if err == nil && len(raw.items) > len(o.items) {
			t.Fatalf("%d items of %d\n%q", len(raw.items), len(o.items), mended)
		}
	})
}
