package feed

import (
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
func identify(items []Item, doc *Document, n *notes) []Item {
	type whole struct{ guid, url, hash string }
	seen := make(map[whole]bool, len(items))
	guids := make(map[string]int, len(items))
	urls := make(map[string]int, len(items))
	kept := items[:0]
	for _, it := range items {
		w := whole{it.GUID, it.CanonicalURL, it.ContentHash}
		if seen[w] {
			doc.Skipped++
			n.add(WarnItemRepeated, "an item that repeats another was left out")
			continue
		}
		seen[w] = true
		guids[it.GUID]++
		urls[it.CanonicalURL]++
		kept = append(kept, it)
	}
	hashes := make(map[string]bool)
	out := kept[:0]
	for _, it := range kept {
		if it.GUID != "" && guids[it.GUID] > 1 {
			it.warn(WarnGUIDRepeated, "the id is that of several items of the document")
			n.add(WarnGUIDRepeated, "several items have the id %q", clip(it.GUID, 80))
		}
		switch {
		case it.GUID != "" && guids[it.GUID] == 1:
			it.IdentityKind, it.IdentityKey = IdentityGUID, boundKey(it.GUID)
		case it.CanonicalURL != "" && urls[it.CanonicalURL] == 1:
			it.IdentityKind, it.IdentityKey = IdentityURL, boundKey(it.CanonicalURL)
		case hashes[it.ContentHash]:
			doc.Skipped++
			n.add(WarnItemRepeated, "an item that repeats another was left out")
			continue
		default:
			hashes[it.ContentHash] = true
			it.IdentityKind, it.IdentityKey = IdentityHash, it.ContentHash
		}
		out = append(out, it)
	}
	return out
}

// guidText returns an id as it was published, without white space around it
// and without control characters.
func guidText(id string) string {
	id = strings.TrimSpace(dropControls(id))
	if len(id) > maxGUID {
		id = strings.ToValidUTF8(id[:maxGUID], "")
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
