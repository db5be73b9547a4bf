package feed

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// RulesVersion numbers the rules that make an item of what a document says. It
// is part of every RawHash: a release that raises it reads all items again,
// also those whose feed did not change. Raise it with every change of mapping,
// normalising, sanitising or hashing that changes what is stored.
const RulesVersion = 3

// ParseDeferred reads a document as [Parse] does, and leaves what is costly for
// each item to [Item.Finish]: to sanitise HTML, to make text of it, to hash
// both. A reader that knows most of the items already finishes only the others:
//
//	doc, err := feed.ParseDeferred(ctx, body, opts)
//	// look the items up by IdentityKind and IdentityKey
//	for i := range doc.Items {
//		it := &doc.Items[i]
//		if stored[key(it)].RawHash == it.RawHash {
//			continue // nothing that the document says of it has changed
//		}
//		if err := it.Finish(ctx); err != nil { ... }
//	}
//
// Items, their order, identities, document warnings and Skipped are those of
// Parse. Until it is finished an item has these fields: GUID, IdentityKind,
// IdentityKey, URL, CanonicalURL, Title, the dates with their source, RawHash,
// and the warnings about them. The others are zero.
//
// Items without an identity but their content are finished already, and so are
// items that may repeat each other; [Item.Finished] tells.
//
// An unfinished item holds its own texts, not the document: the caller may drop
// body at once. All of them together take about the size of the decoded
// document; finishing an item, or dropping it, frees its part.
func ParseDeferred(ctx context.Context, body []byte, opts Options) (doc *Document, err error) {
	// No document is known to get here; one that does must not end the worker
	// that reads the other feeds.
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, kgl.Wrap(fmt.Errorf("%w: %v", errPanic, p), kgl.CodeFeedInvalid, "the document could not be read")
		}
	}()
	opts.Limits = opts.Limits.withDefaults()
	n := &notes{}
	text, err := decode(body, opts.ContentType, opts.Limits.MaxBytes, n)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var raw *rawFeed
	if from := jsonStart(text); from >= 0 {
		raw, err = readJSONDocument(ctx, text, from, opts.Limits, n)
	} else {
		raw, err = parseXML(ctx, text, opts.Limits, n)
	}
	if err != nil {
		return nil, err
	}
	return normalise(ctx, raw, opts, n)
}

// pending is what an unfinished item is made of.
type pending struct {
	raw   rawItem
	scope *scope
}

// Finished reports whether all fields of the item are filled.
func (it *Item) Finished() bool { return it.pending == nil }

// Finish fills the fields that [ParseDeferred] left out; a finished item stays
// as it is. Different items, and copies of one, may be finished at the same
// time. The error is the context's, or a *kgl.Error with kgl.CodeFeedInvalid
// when the item cannot be read: it is then left as it was.
func (it *Item) Finish(ctx context.Context) (err error) {
	if it.pending == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	whole := *it
	whole.Warnings = slices.Clip(whole.Warnings) // copies of the item share the array
	defer func() {
		if p := recover(); p != nil {
			err = kgl.Wrap(fmt.Errorf("%w: %v", errPanic, p), kgl.CodeFeedInvalid, "the item could not be read")
			return
		}
		whole.pending = nil
		*it = whole
	}()
	it.pending.scope.finish(&it.pending.raw, &whole)
	return nil
}

// finishAll finishes the items of a document; those that cannot be read are
// left out.
func (d *Document) finishAll(ctx context.Context) error {
	kept := d.Items[:0]
	for i := range d.Items {
		if err := d.Items[i].Finish(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.Skipped++
			d.Repaired = true
			d.Warnings = append(d.Warnings, Warning{WarnItemSkipped, fmt.Sprintf("item %d could not be read", i+1)})
			continue
		}
		kept = append(kept, d.Items[i])
	}
	clear(d.Items[len(kept):])
	d.Items = kept
	return nil
}

// rawHash returns the RawHash of an item: 32 hex digits over everything that
// Finish reads, as it was published, with what the item inherits. Every part
// is preceded by its length, so that no two items give the same bytes.
func (s *scope) rawHash(raw *rawItem, links resolver) string {
	b := s.buf[:0]
	text := func(list ...string) {
		for _, t := range list {
			b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
		}
	}
	texts := func(list []string) {
		b = binary.AppendUvarint(b, uint64(len(list)))
		text(list...)
	}
	markups := func(list []markup) {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, m := range list {
			text(m.value, m.typ)
			b = append(b, '0')
			if m.escaped {
				b[len(b)-1] = '1'
			}
		}
	}
	authors := func(list []Author) {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, a := range list {
			text(a.Name, a.Email, a.URL)
		}
	}
	b = append(b, RulesVersion)
	text(raw.id, raw.title.value, raw.title.typ, raw.language)
	text(baseOf(links), raw.base, s.base, raw.contentBase)
	if raw.contentBase != "" {
		text(baseOf(s.document))
	}
	texts(raw.links)
	markups(raw.content)
	markups(raw.summary)
	texts(raw.published)
	texts(raw.updated)
	if s.order != orderOpen && strings.ContainsRune(strings.Join(raw.published, "")+strings.Join(raw.updated, ""), '/') {
		b = append(b, byte(s.order))
	}
	texts(raw.categories)
	b = binary.AppendUvarint(b, uint64(len(raw.enclosures)))
	for _, e := range raw.enclosures {
		text(e.URL, e.Type)
		b = binary.AppendVarint(b, e.Length)
	}
	texts(raw.comments)
	texts(raw.images)
	m := &raw.media
	text(m.duration, m.season, m.episode, m.episodeType, m.explicit, m.chapters)
	texts(m.keywords)
	b = binary.AppendUvarint(b, uint64(len(m.transcripts)))
	for _, t := range m.transcripts {
		text(t.URL, t.Type, t.Language)
	}
	b = binary.AppendUvarint(b, uint64(len(m.persons)))
	for _, p := range m.persons {
		text(p.Name, p.Role, p.URL)
	}
	if raw.language == "" {
		text(s.language)
	}
	if authors(raw.authors); len(raw.authors) == 0 {
		authors(s.authors)
	}
	s.buf = b
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func baseOf(r resolver) string {
	if r.base == nil {
		return ""
	}
	return r.base.String()
}
