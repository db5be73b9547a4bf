package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// identityKey asks for an item by its identity.
type identityKey struct {
	Kind     string `json:"kind"`
	Identity string `json:"identity"`
}

func identityKeys(ids []kgl.ContentIdentity) (string, error) {
	keys := make([]identityKey, len(ids))
	for i, id := range ids {
		keys[i] = identityKey{Kind: string(id.Kind), Identity: id.Key}
	}
	return listText(unique(keys))
}

// ContentStates implements kgl.ContentStore.
func (db *DB) ContentStates(ctx context.Context, sourceID string, ids []kgl.ContentIdentity) ([]kgl.ContentState, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	text, err := identityKeys(ids)
	if err != nil {
		return nil, failure(err)
	}
	var states []kgl.ContentState
	err = db.read(ctx, func(c *conn) error {
		rows, err := c.ContentStates(ctx, sqlitedb.ContentStatesParams{SourceID: sourceID, Keys: text})
		states = make([]kgl.ContentState, len(rows))
		for i, r := range rows {
			states[i] = kgl.ContentState{
				ID: r.ID, Identity: kgl.ContentIdentity{Kind: kgl.IdentityKind(r.IdentityKind), Key: r.IdentityKey}, GUID: r.Guid, AltKey: r.AltKey,
				RawHash: r.RawHash, ContentHash: r.ContentHash, Revision: r.Revision, PublishedAt: timeOf(r.PublishedAt),
				PublishedInferred: r.PublishedInferred, Removed: kgl.RemovalReason(r.Removed), RemovedAt: timeOf(r.RemovedAt),
			}
		}
		return err
	})
	return states, err
}

// traitKey asks for items by what they share; a field that is left out asks for
// nothing.
type traitKey struct {
	Alt       string `json:"alt,omitempty"`
	URL       string `json:"url,omitempty"`
	Text      string `json:"text,omitempty"`
	Published int64  `json:"published,omitempty"`
}

// SimilarContents implements kgl.ContentStore.
func (db *DB) SimilarContents(ctx context.Context, sourceID string, traits []kgl.ContentTraits) ([]kgl.ContentState, error) {
	if len(traits) == 0 {
		return nil, nil
	}
	keys := make([]traitKey, len(traits))
	for i, t := range traits {
		keys[i] = traitKey{Alt: t.AltKey, URL: t.CanonicalURL, Text: t.TextHash, Published: micros(t.PublishedAt)}
	}
	text, err := listText(unique(keys))
	if err != nil {
		return nil, failure(err)
	}
	var states []kgl.ContentState
	err = db.read(ctx, func(c *conn) error {
		rows, err := c.SimilarContents(ctx, sqlitedb.SimilarContentsParams{SourceID: sourceID, Keys: text})
		states = make([]kgl.ContentState, len(rows))
		for i, r := range rows {
			states[i] = similarOf(r)
		}
		return err
	})
	return states, err
}

// similarOf returns the state of a row, of which the title is a key already when
// the item was removed.
func similarOf(r sqlitedb.SimilarContentsRow) kgl.ContentState {
	title := r.Title
	if r.Removed == "" {
		title = kgl.TitleKey(r.Title)
	}
	return kgl.ContentState{
		ID: r.ID, Identity: kgl.ContentIdentity{Kind: kgl.IdentityKind(r.IdentityKind), Key: r.IdentityKey}, GUID: r.Guid, AltKey: r.AltKey,
		RawHash: r.RawHash, ContentHash: r.ContentHash, Revision: r.Revision, PublishedAt: timeOf(r.PublishedAt),
		PublishedInferred: r.PublishedInferred, Removed: kgl.RemovalReason(r.Removed), RemovedAt: timeOf(r.RemovedAt),
		CanonicalURL: r.CanonicalURL, TextHash: r.TextHash, TitleKey: title, Summary: r.Summary,
	}
}

// moveRow is a move as MoveContents takes it, by the id of the item.
type moveRow struct {
	IdentityKind string `json:"identity_kind"`
	IdentityKey  string `json:"identity_key"`
	GUID         string `json:"guid"`
	AltKey       string `json:"alt_key"`
	RawHash      string `json:"raw_hash"`
	ContentHash  string `json:"content_hash"`
}

// MoveContents implements kgl.ContentStore.
func (db *DB) MoveContents(ctx context.Context, moves []kgl.ContentMove, now time.Time) error {
	if len(moves) == 0 {
		return nil
	}
	rows := make(map[string]moveRow, len(moves))
	for _, m := range moves {
		rows[m.ID] = moveRow{
			IdentityKind: string(m.Identity.Kind), IdentityKey: m.Identity.Key, GUID: m.GUID, AltKey: m.AltKey, RawHash: m.RawHash, ContentHash: m.ContentHash,
		}
	}
	text, err := jsonText(rows)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.MoveContents(ctx, sqlitedb.MoveContentsParams{RowsJSON: text, UpdatedAt: micros(now)})
	})
}

// RevisionMarks implements kgl.ContentStore.
func (db *DB) RevisionMarks(ctx context.Context, contentIDs []string) ([]kgl.RevisionMark, error) {
	if len(contentIDs) == 0 {
		return nil, nil
	}
	text, err := listText(contentIDs)
	if err != nil {
		return nil, failure(err)
	}
	var marks []kgl.RevisionMark
	err = db.read(ctx, func(c *conn) error {
		rows, err := c.RevisionMarks(ctx, text)
		marks = make([]kgl.RevisionMark, len(rows))
		for i, r := range rows {
			marks[i] = kgl.RevisionMark{ContentID: r.ContentID, Revision: r.Revision, RecordedAt: timeOf(r.RecordedAt), ContentHash: r.ContentHash}
		}
		return err
	})
	return marks, err
}

// DropRevisions implements kgl.ContentStore.
func (db *DB) DropRevisions(ctx context.Context, contentID string, newest int64) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.DropRevisions(ctx, sqlitedb.DropRevisionsParams{ContentID: contentID, Newest: newest})
	})
}
