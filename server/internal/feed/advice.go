package feed

import (
	"cmp"
	"fmt"
	"slices"
)

// Advice is what a publisher would want to know of the items of a feed: one
// line for each kind of oddity, with the number of items that have it, the most
// frequent first. What is wrong with the document as a whole is in its Warnings.
func Advice(doc *Document) []string {
	counts := map[string]int{}
	for i := range doc.Items {
		for _, what := range doc.Items[i].oddities() {
			counts[what]++
		}
	}
	list := make([]string, 0, len(counts))
	for what := range counts {
		list = append(list, what)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	for i, what := range list {
		list[i] = fmt.Sprintf("%d of %d items: %s", counts[what], len(doc.Items), what)
	}
	return list
}

// oddities lists what is odd about an item, in words that do not depend on it.
func (it *Item) oddities() []string {
	var list []string
	add := func(odd bool, what string) {
		if odd && !slices.Contains(list, what) {
			list = append(list, what)
		}
	}
	for _, w := range it.Warnings {
		switch w.Code {
		case WarnDateInvalid:
			add(true, "the date of publication cannot be read")
		case WarnDateMissing:
			add(true, "no date of publication")
		default:
			add(true, w.Message)
		}
	}
	add(it.PublishedAtSource == PublishedUpdated, "no date of publication that can be used; the date of the last edit stands for it")
	add(it.GUID == "" && it.IdentityKind == IdentityURL, "no id; the link stands for it, and a changed link makes another item")
	add(it.IdentityKind == IdentityHash, "no id and no link of its own; an edit makes another item")
	add(it.Title == "", "no title")
	add(it.ContentHTML == "", "no content")
	return list
}
