package store

import (
	"context"
	"maps"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// evidenceRow is a piece of evidence as InsertEvidence takes it.
type evidenceRow struct {
	ID             string  `json:"id"`
	RelationshipID string  `json:"relationship_id"`
	ContentID      string  `json:"content_id"`
	Revision       int64   `json:"revision"`
	StartOffset    int64   `json:"start_offset"`
	EndOffset      int64   `json:"end_offset"`
	Quote          string  `json:"quote"`
	Confidence     float64 `json:"confidence"`
	Extractor      string  `json:"extractor"`
	RunID          *string `json:"run_id"`
	CreatedAt      int64   `json:"created_at"`
}

// ReplaceEvidence implements kgl.RelationshipStore. The item and the extractor
// are those of the arguments; a place that is given twice for a relationship
// counts once.
func (db *DB) ReplaceEvidence(ctx context.Context, contentID, extractor string, es []kgl.Evidence) ([]string, error) {
	var gone []string
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		removed, err := c.DeleteEvidence(ctx, sqlitedb.DeleteEvidenceParams{ContentID: contentID, Extractor: extractor})
		if err != nil {
			return err
		}
		es := slices.Clone(es)
		for i := range es {
			es[i].ContentID, es[i].Extractor = contentID, extractor
		}
		added, err := insertEvidence(ctx, c, es)
		if err != nil {
			return err
		}
		if err := countEvidence(ctx, c, removed, added); err != nil {
			return err
		}
		gone, err = deleteUnsupported(ctx, c, removed)
		return err
	})
	return gone, err
}

// InsertEvidence implements kgl.RelationshipStore.
func (db *DB) InsertEvidence(ctx context.Context, es []kgl.Evidence) error {
	if len(es) == 0 {
		return nil
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := takeOverEvidence(ctx, c, es); err != nil {
			return err
		}
		added, err := insertEvidence(ctx, c, es)
		if err != nil {
			return err
		}
		return countEvidence(ctx, c, nil, added)
	})
}

// takeOverEvidence gives stored evidence to the run that found it again.
func takeOverEvidence(ctx context.Context, c *conn, es []kgl.Evidence) error {
	text, err := evidenceText(es)
	if err != nil {
		return err
	}
	rows, err := c.EvidenceAtPlaces(ctx, text)
	if err != nil || len(rows) == 0 {
		return err
	}
	stored := make(map[string]string, len(rows))
	for _, row := range rows {
		stored[row.NewID] = row.ID
	}
	for _, e := range es {
		id, ok := stored[e.ID]
		if !ok {
			continue
		}
		if err := c.TakeOverEvidence(ctx, sqlitedb.TakeOverEvidenceParams{
			ID: id, Revision: e.Revision, Quote: e.Quote, Confidence: e.Confidence, RunID: e.RunID,
		}); err != nil {
			return err
		}
	}
	return nil
}

// DeleteRunEvidence implements kgl.RelationshipStore.
func (db *DB) DeleteRunEvidence(ctx context.Context, contentID, runID, name string) ([]string, error) {
	var gone []string
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		removed, err := c.DeleteRunEvidence(ctx, sqlitedb.DeleteRunEvidenceParams{
			// The run of no id is that of no row.
			ContentID: contentID, RunID: &runID, Name: name, VersionFrom: name + "@", VersionUntil: name + "A",
		})
		if err != nil {
			return err
		}
		if err := countEvidence(ctx, c, removed, nil); err != nil {
			return err
		}
		gone, err = deleteUnsupported(ctx, c, removed)
		return err
	})
	return gone, err
}

// insertEvidence stores evidence, each place of an extractor once, and returns
// the relationship of each piece that is new.
func insertEvidence(ctx context.Context, c *conn, es []kgl.Evidence) ([]string, error) {
	if len(es) == 0 {
		return nil, nil
	}
	text, err := evidenceText(es)
	if err != nil {
		return nil, err
	}
	return c.InsertEvidence(ctx, text)
}

func evidenceText(es []kgl.Evidence) (string, error) {
	in := make([]evidenceRow, len(es))
	for i, e := range es {
		in[i] = evidenceRow{
			ID: e.ID, RelationshipID: e.RelationshipID, ContentID: e.ContentID, Revision: e.Revision, StartOffset: e.Start,
			EndOffset: e.End, Quote: e.Quote, Confidence: e.Confidence, Extractor: e.Extractor, RunID: e.RunID,
			CreatedAt: micros(e.CreatedAt),
		}
	}
	return jsonText(in)
}

// countEvidence is countMentions for evidence.
func countEvidence(ctx context.Context, c *conn, removed, added []string) error {
	deltas := changes(removed, added)
	if len(deltas) == 0 {
		return nil
	}
	if _, err := lockRelationships(ctx, c, slices.Collect(maps.Keys(deltas))); err != nil {
		return err
	}
	return eachDelta(deltas, func(delta int64, ids string) error {
		return c.AddEvidenceCount(ctx, sqlitedb.AddEvidenceCountParams{Delta: delta, Ids: ids})
	})
}

// deleteUnsupported removes those of the relationships, which may repeat, that
// nothing supports any more, and returns their ids in order. Those that a person
// made need no evidence.
func deleteUnsupported(ctx context.Context, c *conn, relationships []string) ([]string, error) {
	if len(relationships) == 0 {
		return nil, nil
	}
	list, err := listText(unique(relationships))
	if err != nil {
		return nil, err
	}
	gone, err := c.DeleteUnsupportedRelationships(ctx, sqlitedb.DeleteUnsupportedRelationshipsParams{
		Manual: kgl.ExtractorManual, Ids: list,
	})
	slices.Sort(gone)
	return gone, err
}

// forgetEvidence counts evidence that was removed with its item, given the
// relationship of each piece, and removes the relationships that nothing
// supports any more.
func forgetEvidence(ctx context.Context, c *conn, removed []string) error {
	if len(removed) == 0 {
		return nil
	}
	if err := countEvidence(ctx, c, removed, nil); err != nil {
		return err
	}
	_, err := deleteUnsupported(ctx, c, removed)
	return err
}
