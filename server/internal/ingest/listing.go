package ingest

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// listing is the list of items of one document while it is matched against what
// is stored of its source.
type listing struct {
	items    []incoming
	unstable bool           // the ids of the feed mean nothing
	guids    map[string]int // how many items of the document have an id
	urls     map[string]int // and a canonical URL
	claimed  map[*kgl.ContentState]bool
}

// newListing gives each item its identity. Where the ids of the feed mean
// nothing it is the canonical URL, or else the content; an item that repeats
// another is left out then.
func newListing(ctx context.Context, items []feed.Item, unstable bool) (*listing, error) {
	l := &listing{
		items: make([]incoming, 0, len(items)), unstable: unstable,
		guids: make(map[string]int, len(items)), urls: make(map[string]int, len(items)), claimed: map[*kgl.ContentState]bool{},
	}
	for i := range items {
		l.guids[items[i].GUID]++
		l.urls[items[i].CanonicalURL]++
	}
	seen := make(map[kgl.ContentIdentity]bool, len(items))
	for i := range items {
		in := incoming{item: &items[i], identity: identityOf(&items[i])}
		if unstable {
			if err := l.identifyWithoutID(ctx, &in); err != nil {
				return nil, err
			}
		} else {
			in.altKey = altKeyOf(in.item.GUID)
		}
		if !seen[in.identity] {
			seen[in.identity] = true
			l.items = append(l.items, in)
		}
	}
	return l, nil
}

func (l *listing) identifyWithoutID(ctx context.Context, in *incoming) error {
	if in.identity.Kind != kgl.IdentityGUID {
		return nil
	}
	if url := in.item.CanonicalURL; url != "" && l.urls[url] == 1 {
		in.identity = kgl.ContentIdentity{Kind: kgl.IdentityURL, Key: feed.IdentityKey(url)}
		return nil
	}
	if err := in.item.Finish(ctx); err != nil {
		return err
	}
	in.identity = kgl.ContentIdentity{Kind: kgl.IdentityHash, Key: in.item.ContentHash}
	return nil
}

func identityOf(item *feed.Item) kgl.ContentIdentity {
	return kgl.ContentIdentity{Kind: kgl.IdentityKind(item.IdentityKind), Key: item.IdentityKey}
}

// identities returns those of all items.
func (l *listing) identities() []kgl.ContentIdentity {
	ids := make([]kgl.ContentIdentity, len(l.items))
	for i := range l.items {
		ids[i] = l.items[i].identity
	}
	return ids
}

// match gives the items that are known by their identity what is stored of them.
func (l *listing) match(states []kgl.ContentState) {
	byIdentity := make(map[kgl.ContentIdentity]*kgl.ContentState, len(states))
	for i := range states {
		s := &states[i]
		if known := byIdentity[s.Identity]; known == nil || known.Removed != "" {
			byIdentity[s.Identity] = s
		}
	}
	for i := range l.items {
		if s := byIdentity[l.items[i].identity]; s != nil {
			l.claim(&l.items[i], s, layerIdentity)
		}
	}
}

func (l *listing) claim(in *incoming, s *kgl.ContentState, layer string) {
	in.state, in.layer = s, layer
	l.claimed[s] = true
}

// unknown returns the items that nothing is known of.
func (l *listing) unknown() []*incoming {
	var list []*incoming
	for i := range l.items {
		if l.items[i].state == nil {
			list = append(list, &l.items[i])
		}
	}
	return list
}

// matchSimilar pairs the items that are not known by their identity with stored
// ones that have another identity, layer by layer. A wrong pair loses an item,
// so an item and a stored one are a pair only when neither fits anything else in
// the layer. What is stored comes before what was removed.
func (l *listing) matchSimilar(states []kgl.ContentState) {
	claimed := make(map[string]bool, len(l.claimed))
	for s := range l.claimed {
		claimed[stateKey(s)] = true
	}
	seen := make(map[string]bool, len(states))
	var stored, removed []*kgl.ContentState
	for i := range states {
		s, key := &states[i], stateKey(&states[i])
		if seen[key] || claimed[key] {
			continue // found in several ways, or under its own identity
		}
		seen[key] = true
		if s.Removed == "" {
			stored = append(stored, s)
		} else {
			removed = append(removed, s)
		}
	}
	for _, list := range [][]*kgl.ContentState{stored, removed} {
		for _, way := range layers {
			l.matchLayer(way, list)
		}
	}
}

// stateKey tells stored items and removed ones apart.
func stateKey(s *kgl.ContentState) string {
	if s.Removed == "" {
		return s.ID
	}
	return string(s.Identity.Kind) + "\x00" + s.Identity.Key
}

type pair struct {
	in *incoming
	s  *kgl.ContentState
}

func (l *listing) matchLayer(way layer, states []*kgl.ContentState) {
	byKey := map[string][]*kgl.ContentState{}
	for _, s := range states {
		if key := way.state(s); key != "" && !l.claimed[s] {
			byKey[key] = append(byKey[key], s)
		}
	}
	if len(byKey) == 0 {
		return
	}
	var pairs []pair
	ofItem, ofState := map[*incoming]int{}, map[*kgl.ContentState]int{}
	for _, in := range l.unknown() {
		key := way.item(l, in)
		if key == "" {
			continue
		}
		for _, s := range byKey[key] {
			if l.mayBe(in, s) && way.same(l, in, s) {
				pairs = append(pairs, pair{in, s})
				ofItem[in]++
				ofState[s]++
			}
		}
	}
	sure := pairs[:0]
	for _, p := range pairs {
		if ofItem[p.in] == 1 && ofState[p.s] == 1 {
			sure = append(sure, p)
		}
	}
	if way.mass && !l.isMass(len(sure)) {
		return
	}
	for _, p := range sure {
		l.claim(p.in, p.s, way.name)
	}
}

// mayBe reports whether a stored item can have become another one of the
// document: not while the document lists it under its own id.
func (l *listing) mayBe(in *incoming, s *kgl.ContentState) bool {
	return s.GUID == "" || s.GUID == in.item.GUID || l.guids[s.GUID] == 0
}

// isMass reports whether so many further items, with those that were paired
// already, are most of the document.
func (l *listing) isMass(further int) bool {
	n := further
	for i := range l.items {
		if layer := l.items[i].layer; layer != "" && layer != layerIdentity {
			n++
		}
	}
	return n >= massItems && float64(n) >= massShare*float64(len(l.items))
}
