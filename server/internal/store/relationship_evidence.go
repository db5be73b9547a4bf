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
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		rows, err := c.DeleteEvidence(ctx, sqlitedb.DeleteEvidenceParams{ContentID: contentID, Extractor: extractor})
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
		gone, err = settleRemoved(ctx, c, removedEvidenceOf(rows), added)
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
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
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
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		rows, err := c.DeleteRunEvidence(ctx, sqlitedb.DeleteRunEvidenceParams{
			// The run of no id is that of no row.
			ContentID: contentID, RunID: &runID, Name: name, VersionFrom: name + "@", VersionUntil: name + "A",
		})
		if err != nil {
			return err
		}
		removed := make([]sqlitedb.DeleteEvidenceRow, len(rows))
		for i, row := range rows {
			removed[i] = sqlitedb.DeleteEvidenceRow(row)
		}
		gone, err = settleRemoved(ctx, c, removedEvidenceOf(removed), nil)
		return err
	})
	return gone, err
}

// removedEvidence is evidence that was removed: the relationship that held each
// piece, and the merged ones that pieces were found for.
type removedEvidence struct{ held, found []string }

func removedEvidenceOf(rows []sqlitedb.DeleteEvidenceRow) removedEvidence {
	var out removedEvidence
	for _, row := range rows {
		out.add(row.RelationshipID, row.OriginID)
	}
	return out
}

func (r *removedEvidence) add(held string, found *string) {
	r.held = append(r.held, held)
	if found != nil {
		r.found = append(r.found, *found)
	}
}

// settleRemoved counts evidence that was removed and added (the relationship of
// each piece), removes the relationships that nothing supports any more, and
// returns their ids.
func settleRemoved(ctx context.Context, c *conn, removed removedEvidence, added []string) ([]string, error) {
	if err := countEvidence(ctx, c, removed.held, added); err != nil {
		return nil, err
	}
	// A merged relationship holds what was found at the places that the one
	// which stands for it has too.
	if merged := unique(slices.Concat(removed.found, removed.held)); len(merged) > 0 {
		list, err := listText(merged)
		if err != nil {
			return nil, err
		}
		if _, err := c.DeleteHollowRelationships(ctx, sqlitedb.DeleteHollowRelationshipsParams{Manual: kgl.ExtractorManual, Ids: list}); err != nil {
			return nil, err
		}
	}
	return deleteUnsupported(ctx, c, removed.held)
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
	if err := lockEndsOfLosers(ctx, c, deltas); err != nil {
		return err
	}
	if _, err := lockRelationships(ctx, c, slices.Collect(maps.Keys(deltas))); err != nil {
		return err
	}
	return eachDelta(deltas, func(delta int64, ids string) error {
		return c.AddEvidenceCount(ctx, sqlitedb.AddEvidenceCountParams{Delta: delta, Ids: ids})
	})
}

// lockEndsOfLosers locks the ends of relationships that lose evidence, and with
// the last piece may have to go: entities are locked before relationships.
func lockEndsOfLosers(ctx context.Context, c *conn, deltas map[string]int64) error {
	var ids []string
	for id, n := range deltas {
		if n < 0 {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	ends, err := relationshipEnds(ctx, c, ids)
	if err != nil {
		return err
	}
	_, err = lockEntities(ctx, c, ends)
	return err
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
	if err != nil {
		return nil, err
	}
	rows := make([]sqlitedb.DeleteRelationshipsRow, len(gone))
	var ids []string
	for i, row := range gone {
		rows[i] = sqlitedb.DeleteRelationshipsRow(row)
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return ids, countDegrees(ctx, c, endsOf(rows), nil)
}

// forgetEvidence counts evidence that was removed with its item, and removes the
// relationships that nothing supports any more.
func forgetEvidence(ctx context.Context, c *conn, removed removedEvidence) error {
	if len(removed.held) == 0 {
		return nil
	}
	_, err := settleRemoved(ctx, c, removed, nil)
	return err
}
