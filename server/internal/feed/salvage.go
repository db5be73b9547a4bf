package feed

import "context"

// salvage parses every item as a document of its own, so that an item that the
// parser refuses costs no other.
func (o *outline) salvage(ctx context.Context, n *notes) (*rawFeed, error) {
	raw, err := o.parse(ctx, o.header())
	if err != nil {
		raw = &rawFeed{format: o.format(), base: o.base, language: o.lang}
	}
	raw.items = nil
	for i := range o.items {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		one, err := o.parse(ctx, o.single(i))
		if err != nil || len(one.items) == 0 {
			n.mend(WarnItemSkipped, "item %d could not be read", i+1)
			raw.skipped++
			continue
		}
		raw.items = append(raw.items, one.items...)
	}
	if len(raw.items) == 0 {
		return nil, invalid("the parser could read nothing of the document")
	}
	return raw, nil
}

// dropCutItem leaves out the last item of a truncated document when the
// document ends before the item says its id, and others of its kind do: under
// the identity that is left of it, it would be stored as another item.
func dropCutItem(raw *rawFeed, n *notes) {
	last := len(raw.items) - 1
	if !n.cutItem || last < 1 || raw.items[last].id != "" {
		return
	}
	for _, it := range raw.items[:last] {
		if it.id == "" {
			return
		}
	}
	n.mend(WarnItemSkipped, "the last item was left out: the document ends before the item says its id")
	n.cutItem = false
	raw.items = raw.items[:last]
	raw.skipped++
}
