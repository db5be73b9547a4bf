package store

import (
	"context"
	"errors"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// unique returns the values without repetitions, in the order of their first
// appearance.
func unique[T comparable](values []T) []T {
	seen := make(map[T]bool, len(values))
	out := make([]T, 0, len(values))
	for _, v := range values {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// Content implements kgl.ContentStore.
func (db *DB) Content(ctx context.Context, id string) (kgl.Content, error) {
	row, err := one(ctx, db, "content item", func(c *conn) (sqlitedb.ContentRow, error) { return c.Content(ctx, id) })
	if err != nil {
		return kgl.Content{}, err
	}
	return mapped(contentOf(&row))
}

// Columns of contents: those that people ask for, and the rest. Reading a list
// costs a good part of its time by the column, hence the two selections.
const (
	summaryColumns sqlText = `SELECT id, source_id, guid, status, revision, duplicate_of, version, fetched_at, updated_at, changed_at,
  published_at, published_inferred, language, word_count, duplicate_count, details, url, canonical_url, title, summary, authors, categories,
  enclosures`
	selectSummaries = summaryColumns + " FROM contents"
	selectContents  = summaryColumns + ", identity_kind, identity_key, content_hash, text_hash, alt_key, raw_hash, content_html, content_text FROM contents"
)

// summaryFields returns where the columns of selectSummaries go.
func summaryFields(r *sqlitedb.ContentRow) []any {
	return []any{&r.ID, &r.SourceID, &r.Guid, &r.Status, &r.Revision, &r.DuplicateOf, &r.Version, &r.FetchedAt, &r.UpdatedAt, &r.ChangedAt,
		&r.PublishedAt, &r.PublishedInferred, &r.Language, &r.WordCount, &r.DuplicateCount, &r.Details, &r.URL, &r.CanonicalURL, &r.Title, &r.Summary, &r.Authors, &r.Categories, &r.Enclosures}
}

// contentScanner returns what reads the rows of contentsQuery. It reads all of
// them into the same fields.
func contentScanner(withBody bool) func(rows) (kgl.Content, error) {
	r := &sqlitedb.ContentRow{}
	fields := summaryFields(r)
	if withBody {
		fields = append(fields, &r.IdentityKind, &r.IdentityKey, &r.ContentHash, &r.TextHash, &r.AltKey, &r.RawHash, &r.ContentHTML, &r.ContentText)
	}
	return func(rs rows) (kgl.Content, error) {
		if err := rs.Scan(fields...); err != nil {
			return kgl.Content{}, err
		}
		return contentOf(r)
	}
}

// unpublished is the condition that the publication of an item is not allowed.
const unpublished sqlText = `EXISTS (SELECT 1 FROM source_consents p WHERE p.source_id = contents.source_id AND p.purpose = 'publication' AND NOT p.allowed)`

// contentsQuery builds the list of items.
func contentsQuery(e Engine, f kgl.ContentFilter, sort kgl.ContentSort, withBody bool, p kgl.Page) *listQuery {
	q := newList(e, selectSummaries)
	if withBody {
		q.from = selectContents
	}
	if f.SourceID != "" {
		q.compare("source_id", "=", f.SourceID)
	}
	q.in("status", texts(f.Status))
	if f.Language != "" {
		q.compare("language", "=", f.Language)
	}
	switch f.Duplicates {
	case kgl.DuplicatesAll:
	case kgl.DuplicatesOnly:
		q.where("duplicate_of IS NOT NULL")
	default:
		q.where("duplicate_of IS NULL")
	}
	switch {
	case f.Publishable == nil:
	case *f.Publishable:
		q.where("NOT " + unpublished)
	default:
		q.where(unpublished)
	}
	q.within("published_at", f.Published)
	if !f.ChangedAfter.IsZero() {
		q.compare("changed_at", ">", micros(f.ChangedAfter))
	}
	var after []any
	if p.After != nil {
		after = []any{p.After.Int, p.After.ID}
	}
	column, dir := contentOrder(sort)
	q.orderBy(dir, []sqlText{column, "id"}, after)
	return q
}

func contentOrder(sort kgl.ContentSort) (sqlText, direction) {
	switch sort {
	case kgl.ContentOldestFirst:
		return "published_at", ascending
	case kgl.ContentByChange:
		return "changed_at", ascending
	case kgl.ContentLastChanged:
		return "changed_at", descending
	default:
		return "published_at", descending
	}
}

// contentPosition returns where an item stands in an order.
func contentPosition(sort kgl.ContentSort) func(kgl.Content) kgl.Position {
	if column, _ := contentOrder(sort); column == "changed_at" {
		return func(c kgl.Content) kgl.Position { return kgl.Position{Int: micros(c.ChangedAt), ID: c.ID} }
	}
	return func(c kgl.Content) kgl.Position { return kgl.Position{Int: micros(c.PublishedAt), ID: c.ID} }
}

// Contents implements kgl.ContentStore.
func (db *DB) Contents(ctx context.Context, f kgl.ContentFilter, sort kgl.ContentSort, withBody bool, p kgl.Page) (kgl.List[kgl.Content], error) {
	var list kgl.List[kgl.Content]
	err := db.read(ctx, func(c *conn) (err error) {
		list, err = readList(ctx, c, contentsQuery(c.engine, f, sort, withBody, p), p, contentScanner(withBody),
			contentPosition(sort))
		return err
	})
	return list, err
}

const selectRevisions sqlText = `SELECT content_id, revision, recorded_at, published_at, published_inferred, language, word_count, content_hash,
  text_hash, url, canonical_url, title, summary, authors, categories, enclosures, content_html, content_text, changed
FROM content_revisions`

func scanRevision(rs rows) (kgl.ContentRevision, error) {
	var r sqlitedb.ContentRow
	var recordedAt int64
	var changed string
	err := rs.Scan(&r.ID, &r.Revision, &recordedAt, &r.PublishedAt, &r.PublishedInferred, &r.Language, &r.WordCount, &r.ContentHash,
		&r.TextHash, &r.URL, &r.CanonicalURL, &r.Title, &r.Summary, &r.Authors, &r.Categories, &r.Enclosures, &r.ContentHTML, &r.ContentText, &changed)
	if err != nil {
		return kgl.ContentRevision{}, err
	}
	body, err := bodyOf(&r)
	rev := kgl.ContentRevision{ContentID: r.ID, Revision: r.Revision, RecordedAt: timeOf(recordedAt), ContentBody: body}
	return rev, errors.Join(err, textsOf(changed, &rev.Changed))
}

func revisionsQuery(e Engine, contentID string, p kgl.Page) *listQuery {
	q := newList(e, selectRevisions)
	q.compare("content_id", "=", contentID)
	var after []any
	if p.After != nil {
		after = []any{p.After.Int}
	}
	q.orderBy(descending, []sqlText{"revision"}, after)
	return q
}

// ContentRevisions implements kgl.ContentStore. It is empty for an unknown
// item.
func (db *DB) ContentRevisions(ctx context.Context, contentID string, p kgl.Page) (kgl.List[kgl.ContentRevision], error) {
	var list kgl.List[kgl.ContentRevision]
	err := db.read(ctx, func(c *conn) (err error) {
		list, err = readList(ctx, c, revisionsQuery(c.engine, contentID, p), p, scanRevision,
			func(r kgl.ContentRevision) kgl.Position { return kgl.Position{Int: r.Revision} })
		return err
	})
	return list, err
}

// contentOf returns an item from its row.
func contentOf(r *sqlitedb.ContentRow) (kgl.Content, error) {
	body, err := bodyOf(r)
	c := kgl.Content{
		ID: r.ID, SourceID: r.SourceID, GUID: r.Guid, IdentityKind: kgl.IdentityKind(r.IdentityKind), IdentityKey: r.IdentityKey,
		ContentBody: body, Status: kgl.ContentStatus(r.Status), Revision: r.Revision, Version: r.Version,
		AltKey: r.AltKey, RawHash: r.RawHash, Duplicates: r.DuplicateCount,
		FetchedAt: timeOf(r.FetchedAt), UpdatedAt: timeOf(r.UpdatedAt), ChangedAt: timeOf(r.ChangedAt),
	}
	if r.DuplicateOf != nil {
		c.DuplicateOf = *r.DuplicateOf
	}
	return c, err
}

func bodyOf(r *sqlitedb.ContentRow) (kgl.ContentBody, error) {
	b := kgl.ContentBody{
		URL: r.URL, CanonicalURL: r.CanonicalURL, Title: r.Title, Summary: r.Summary, HTML: r.ContentHTML, Text: r.ContentText,
		Language: r.Language, WordCount: r.WordCount, PublishedAt: timeOf(r.PublishedAt), PublishedInferred: r.PublishedInferred,
		ContentHash: r.ContentHash, TextHash: r.TextHash,
	}
	if r.Details != "" && r.Details != "{}" {
		if err := fromJSON(r.Details, &b.Details); err != nil {
			return b, err
		}
	}
	return b, errors.Join(authorsOf(r.Authors, &b.Authors), textsOf(r.Categories, &b.Categories), listOf(r.Enclosures, &b.Enclosures))
}
