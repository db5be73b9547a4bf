package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// When the ids of a feed count for nothing, and when they do again.
const (
	driftFetches   = 3  // in a row in which at least half of the known items have new ids
	settledFetches = 10 // in a row in which one item keeps its id
)

// warnUnstableIDs is the code of the warning about ids that drift.
const warnUnstableIDs = "ids_unstable"

const unstableReason = "the feed gives its items new ids at every fetch, so they are recognised by URL and text"

// noteDrift watches whether the ids of the feed last from one fetch to the next,
// and warns while they do not.
func (a *attempt) noteDrift(l *listing) {
	state := &a.result.State
	if l.unstable {
		a.noteSettling(l)
	} else {
		known, renamed := l.renamed()
		switch {
		case renamed > 0 && 2*renamed >= known:
			state.IDDrift++
		case known > 0:
			state.IDDrift = 0
		}
		if state.IDDrift >= driftFetches {
			state.UnstableIDs, state.IDDrift, state.IDSettled, state.IDProbe = true, 0, 0, ""
		}
	}
	if state.UnstableIDs {
		a.warn(warnUnstableIDs, "known items have new ids at every fetch; they are recognised by URL and text")
	}
}

// explainIDs adds to the reason of a source's health that its ids do not count.
func explainIDs(health kgl.SourceHealth, reason string, unstable bool) string {
	if !unstable || health != kgl.HealthOK && health != kgl.HealthQuiet {
		return reason
	}
	if reason == "" {
		return unstableReason
	}
	return reason + "; " + unstableReason
}

// renamed counts the stored items of the document that have an id, and those
// among them that have another one than before.
func (l *listing) renamed() (known, renamed int) {
	for i := range l.items {
		in := &l.items[i]
		if in.state == nil || in.state.Removed != "" || in.item.GUID == "" || in.state.GUID == "" {
			continue
		}
		known++
		if in.state.GUID != in.item.GUID {
			renamed++
		}
	}
	return known, renamed
}

// noteSettling follows the id of one item from fetch to fetch, because the ids
// of unstable feeds are not stored each time.
func (a *attempt) noteSettling(l *listing) {
	state := &a.result.State
	old, was, _ := strings.Cut(state.IDProbe, ":")
	next := ""
	for i := range l.items {
		in := &l.items[i]
		if in.item.GUID == "" || in.identity.Kind == kgl.IdentityHash {
			continue
		}
		name, id := shortHash(in.identity.Key), shortHash(in.item.GUID)
		if next == "" {
			next = name + ":" + id
		}
		if name != old {
			continue
		}
		if next = name + ":" + id; id == was {
			state.IDSettled++
		} else {
			state.IDSettled = 0
		}
		break
	}
	state.IDProbe = next
	if state.IDSettled >= settledFetches {
		state.UnstableIDs, state.IDSettled, state.IDProbe = false, 0, ""
	}
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
