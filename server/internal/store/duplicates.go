package store

import (
	"context"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// candidateKey asks for items like a candidate; Idx is its place in the list.
type candidateKey struct {
	Idx          int    `json:"idx"`
	SourceID     string `json:"source_id"`
	CanonicalURL string `json:"canonical_url,omitempty"`
	TextHash     string `json:"text_hash,omitempty"`
}

// FindDuplicates implements kgl.DuplicateStore. ContentID and CreatedAt of the
// links are left to the caller.
func (db *DB) FindDuplicates(ctx context.Context, cs []kgl.DuplicateCandidate) ([]*kgl.DuplicateLink, error) {
	var urls, hashes []candidateKey
	for i, c := range cs {
		if c.CanonicalURL != "" {
			urls = append(urls, candidateKey{Idx: i, SourceID: c.SourceID, CanonicalURL: c.CanonicalURL})
		}
		if c.TextHash != "" {
			hashes = append(hashes, candidateKey{Idx: i, SourceID: c.SourceID, TextHash: c.TextHash})
		}
	}
	urlText, err := listText(urls)
	if err != nil {
		return nil, failure(err)
	}
	hashText, err := listText(hashes)
	if err != nil {
		return nil, failure(err)
	}
	found := newFirstSeen(len(cs))
	if t := db.txOf(ctx); t != nil {
		if err := lockDuplicates(ctx, t); err != nil {
			return nil, failure(err)
		}
	}
	err = db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		byURL, err := c.FirstByURL(ctx, urlText)
		if err != nil {
			return err
		}
		for _, r := range byURL {
			found.add(r, kgl.DuplicateSameURL)
		}
		byText, err := c.FirstByText(ctx, hashText)
		for _, r := range byText {
			found.add(sqlitedb.FirstByURLRow(r), kgl.DuplicateSameText)
		}
		return err
	})
	return found.links, err
}

// firstSeen keeps the item that was seen first for each candidate; a shared
// URL counts before a shared text of the same item.
type firstSeen struct {
	links []*kgl.DuplicateLink
	rows  []sqlitedb.FirstByURLRow
}

func newFirstSeen(n int) *firstSeen {
	return &firstSeen{links: make([]*kgl.DuplicateLink, n), rows: make([]sqlitedb.FirstByURLRow, n)}
}

func (f *firstSeen) add(r sqlitedb.FirstByURLRow, reason kgl.DuplicateReason) {
	if old := f.rows[r.Idx]; f.links[r.Idx] != nil &&
		(old.FetchedAt < r.FetchedAt || old.FetchedAt == r.FetchedAt && old.ID <= r.ID) {
		return
	}
	f.rows[r.Idx] = r
	f.links[r.Idx] = &kgl.DuplicateLink{DuplicateOf: r.ID, Reason: reason, Score: 1}
}

// LinkDuplicates implements kgl.DuplicateStore. When both items have groups, the
// first one's becomes part of the second one's.
func (db *DB) LinkDuplicates(ctx context.Context, links []kgl.DuplicateLink) ([]kgl.DuplicateLink, error) {
	if len(links) == 0 {
		return nil, nil
	}
	var made []kgl.DuplicateLink
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		made, err = fold(ctx, c, links)
		return err
	})
	return made, err
}

// Duplicates implements kgl.DuplicateStore. Position also holds the reason, as
// Text.
func (db *DB) Duplicates(ctx context.Context, contentID string, p kgl.Page) (kgl.List[kgl.DuplicateLink], error) {
	p.Limit = pageLimit(p)
	var after kgl.Position
	if p.After != nil {
		after = *p.After
	}
	var list kgl.List[kgl.DuplicateLink]
	err := db.read(ctx, func(c *conn) error {
		rows, err := c.Duplicates(ctx, sqlitedb.DuplicatesParams{
			ContentID: contentID, AfterAt: after.Int, AfterID: after.ID, AfterReason: after.Text, RowLimit: int64(p.Limit) + 1,
		})
		if err != nil {
			return err
		}
		links, err := convert(rows, linkOf)
		list = pageOf(links, p, func(l kgl.DuplicateLink) kgl.Position {
			return kgl.Position{Int: micros(l.CreatedAt), ID: l.ContentID, Text: string(l.Reason)}
		})
		return err
	})
	return list, err
}

func linkOf(r sqlitedb.DuplicatesRow) (kgl.DuplicateLink, error) {
	return kgl.DuplicateLink{
		ContentID: r.ContentID, DuplicateOf: r.DuplicateOf, Reason: kgl.DuplicateReason(r.Reason), Score: r.Score,
		CreatedBy: r.CreatedBy, CreatedAt: timeOf(r.CreatedAt),
	}, nil
}
