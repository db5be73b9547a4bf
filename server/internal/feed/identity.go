package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	maxGUID = 4096 // bytes of a guid that is kept
	maxKey  = 512  // bytes of an identity key; a longer one is hashed
)

// identify gives every item its identity inside the source and returns the
// items without exact repetitions. The rules, in order:
//
//  1. The published id, when exactly one item of the document has it.
//  2. The canonical URL, when exactly one item of the document has it.
//  3. The content hash.
//
// An item that repeats another in id, link and content is the same item and is
// left out. A key longer than 512 bytes is replaced by its SHA-256.
func identify(ctx context.Context, items []Item, doc *Document, n *notes) []Item {
	kept := withoutRepeats(ctx, items, doc, n)
	guids := make(map[string]int, len(kept))
	urls := make(map[string]int, len(kept))
	for i := range kept {
		guids[kept[i].GUID]++
		urls[kept[i].CanonicalURL]++
	}
	hashes := make(map[string]bool)
	out := kept[:0]
	for i := range kept {
		it := kept[i]
		if it.GUID != "" && guids[it.GUID] > 1 {
			it.warn(WarnGUIDRepeated, "the id is that of several items of the document")
			n.add(WarnGUIDRepeated, "several items have the id %q", clip(it.GUID, 80))
		}
		switch {
		case it.GUID != "" && guids[it.GUID] == 1:
			it.IdentityKind, it.IdentityKey = IdentityGUID, boundKey(it.GUID)
		case it.CanonicalURL != "" && urls[it.CanonicalURL] == 1:
			it.IdentityKind, it.IdentityKey = IdentityURL, boundKey(it.CanonicalURL)
		default:
			if !finished(ctx, &it, doc, n) {
				continue
			}
			if hashes[it.ContentHash] {
				doc.Skipped++
				n.add(WarnItemRepeated, "an item that repeats another was left out")
				continue
			}
			hashes[it.ContentHash] = true
			it.IdentityKind, it.IdentityKey = IdentityHash, it.ContentHash
		}
		out = append(out, it)
	}
	clear(items[len(out):])
	return out
}

// withoutRepeats leaves out the items that repeat another in id, link and
// content. Only of items that share id and link the content is looked at.
func withoutRepeats(ctx context.Context, items []Item, doc *Document, n *notes) []Item {
	type address struct{ guid, url string }
	type content struct {
		address
		hash string
	}
	addresses := make(map[address]int, len(items))
	for i := range items {
		addresses[address{items[i].GUID, items[i].CanonicalURL}]++
	}
	if len(addresses) == len(items) {
		return items
	}
	seen := make(map[content]bool)
	kept := items[:0]
	for i := range items {
		it := items[i]
		if at := (address{it.GUID, it.CanonicalURL}); addresses[at] > 1 {
			raw := content{at, it.RawHash}
			if !seen[raw] && !finished(ctx, &it, doc, n) {
				continue
			}
			whole := content{at, it.ContentHash}
			if seen[raw] || seen[whole] {
				doc.Skipped++
				n.add(WarnItemRepeated, "an item that repeats another was left out")
				continue
			}
			seen[raw], seen[whole] = true, true
		}
		kept = append(kept, it)
	}
	return kept
}

// finished finishes an item; false when it cannot be read, which is noted.
func finished(ctx context.Context, it *Item, doc *Document, n *notes) bool {
	if err := it.Finish(ctx); err != nil {
		doc.Skipped++
		n.mend(WarnItemSkipped, "an item could not be read")
		return false
	}
	return true
}

// guidText returns an id as it was published, without white space around it
// and without control characters.
func guidText(id string) string {
	id = strings.TrimSpace(dropControls(id))
	if len(id) > maxGUID {
		id = strings.TrimSpace(strings.ToValidUTF8(id[:maxGUID], ""))
	}
	return id
}

func boundKey(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}
