package store

import (
	"context"
	"errors"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// contentRow is an item as CreateContents takes it, by the names of the columns,
// and with the fields of sqlitedb.CreateContentParams.
type contentRow struct {
	ID                string  `json:"id"`
	SourceID          string  `json:"source_id"`
	Guid              string  `json:"guid"`
	IdentityKind      string  `json:"identity_kind"`
	IdentityKey       string  `json:"identity_key"`
	Status            string  `json:"status"`
	Revision          int64   `json:"revision"`
	DuplicateOf       *string `json:"duplicate_of"`
	Version           int64   `json:"version"`
	FetchedAt         int64   `json:"fetched_at"`
	UpdatedAt         int64   `json:"updated_at"`
	PublishedAt       int64   `json:"published_at"`
	PublishedInferred bool    `json:"published_inferred"`
	Language          string  `json:"language"`
	WordCount         int64   `json:"word_count"`
	ContentHash       string  `json:"content_hash"`
	TextHash          string  `json:"text_hash"`
	AltKey            string  `json:"alt_key"`
	RawHash           string  `json:"raw_hash"`
	ChangedAt         int64   `json:"changed_at"`
	DuplicateCount    int64   `json:"duplicate_count"`
	Details           string  `json:"details"`
	URL               string  `json:"url"`
	CanonicalURL      string  `json:"canonical_url"`
	Title             string  `json:"title"`
	Summary           string  `json:"summary"`
	Authors           string  `json:"authors"`
	Categories        string  `json:"categories"`
	Enclosures        string  `json:"enclosures"`
	ContentHTML       string  `json:"content_html"`
	ContentText       string  `json:"content_text"`
}

// rowOf returns a new item as it is stored. Links fold items, so DuplicateOf
// is not taken over.
func rowOf(c kgl.Content) (contentRow, error) {
	authors, err1 := listText(c.Authors)
	categories, err2 := listText(c.Categories)
	enclosures, err3 := listText(c.Enclosures)
	details, err4 := jsonText(c.Details)
	return contentRow{
		ID: c.ID, SourceID: c.SourceID, Guid: c.GUID, IdentityKind: string(c.IdentityKind), IdentityKey: c.IdentityKey,
		Status: string(c.Status), Revision: c.Revision, Version: c.Version, FetchedAt: micros(c.FetchedAt), UpdatedAt: micros(c.UpdatedAt),
		PublishedAt: micros(c.PublishedAt), PublishedInferred: c.PublishedInferred, Language: c.Language, WordCount: c.WordCount,
		ContentHash: c.ContentHash, TextHash: c.TextHash, AltKey: c.AltKey, RawHash: c.RawHash, ChangedAt: micros(c.ChangedAt), Details: details,
		URL: c.URL, CanonicalURL: c.CanonicalURL, Title: c.Title, Summary: c.Summary,
		Authors: authors, Categories: categories, Enclosures: enclosures, ContentHTML: c.HTML, ContentText: c.Text,
	}, errors.Join(err1, err2, err3, err4)
}

// CreateContents implements kgl.ContentStore. CodeConflict: the source does not
// exist.
func (db *DB) CreateContents(ctx context.Context, cs []kgl.Content) ([]string, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	rows, err := convert(cs, rowOf)
	if err != nil {
		return nil, failure(err)
	}
	var stored map[string]bool
	err = db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		stored, err = insertContents(ctx, c, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	// In the order given, which RETURNING does not promise.
	ids := make([]string, 0, len(stored))
	for _, c := range cs {
		if stored[c.ID] {
			ids = append(ids, c.ID)
		}
	}
	return ids, nil
}

// insertContents stores the rows whose identity is not stored yet, and returns
// their ids. Postgres gets all in one statement. For SQLite one each is cheaper:
// it would take the one text apart again for every column.
func insertContents(ctx context.Context, c *conn, rows []contentRow) (map[string]bool, error) {
	stored := make(map[string]bool, len(rows))
	if c.engine == SQLite {
		for _, row := range rows {
			n, err := c.CreateContent(ctx, sqlitedb.CreateContentParams(row))
			if err != nil {
				return nil, err
			}
			stored[row.ID] = n > 0
		}
		return stored, nil
	}
	text, err := jsonText(rows)
	if err != nil {
		return nil, err
	}
	ids, err := c.CreateContents(ctx, text)
	for _, id := range ids {
		stored[id] = true
	}
	return stored, err
}

// ReviseContent implements kgl.ContentStore.
func (db *DB) ReviseContent(ctx context.Context, ct kgl.Content) error {
	row, err := rowOf(ct)
	if err != nil {
		return failure(err)
	}
	changed, err := listText(ct.ChangedFields)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		old, err := c.LockContent(ctx, ct.ID)
		if isNoRows(err) {
			return kgl.NotFound("content item")
		}
		if err != nil {
			return err
		}
		if old.Revision != ct.Revision-1 {
			return kgl.Errorf(kgl.CodeConflict, "the item has another revision by now")
		}
		if err := c.KeepRevision(ctx, sqlitedb.KeepRevisionParams{ID: ct.ID, RecordedAt: row.UpdatedAt, Changed: changed}); err != nil {
			return err
		}
		if err := c.ReviseContent(ctx, revisionOf(row)); err != nil {
			return err
		}
		if err := dropTasks(ctx, c, ct.ID, row.UpdatedAt); err != nil {
			return err
		}
		return unlinkChanged(ctx, c, old, ct)
	})
}

func revisionOf(r contentRow) sqlitedb.ReviseContentParams {
	return sqlitedb.ReviseContentParams{
		ID: r.ID, UpdatedAt: r.UpdatedAt, Guid: r.Guid, IdentityKind: r.IdentityKind, IdentityKey: r.IdentityKey,
		AltKey: r.AltKey, RawHash: r.RawHash, ChangedAt: r.ChangedAt, Details: r.Details,
		PublishedAt: r.PublishedAt, PublishedInferred: r.PublishedInferred, Language: r.Language,
		WordCount: r.WordCount, ContentHash: r.ContentHash, TextHash: r.TextHash, URL: r.URL, CanonicalURL: r.CanonicalURL,
		Title: r.Title, Summary: r.Summary, Authors: r.Authors, Categories: r.Categories, Enclosures: r.Enclosures,
		ContentHTML: r.ContentHTML, ContentText: r.ContentText,
	}
}

// SetContentStatus implements kgl.ContentStore.
func (db *DB) SetContentStatus(ctx context.Context, id string, status kgl.ContentStatus, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.SetContentStatus(ctx, sqlitedb.SetContentStatusParams{ID: id, Status: string(status), UpdatedAt: micros(now)})
		return affected(n, err, "content item")
	})
}
