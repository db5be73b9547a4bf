package store

import (
	"context"
	"math"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Relationship implements kgl.RelationshipStore.
func (db *DB) Relationship(ctx context.Context, id string) (kgl.Relationship, error) {
	row, err := one(ctx, db, "relationship", func(c *conn) (sqlitedb.RelationshipRow, error) {
		return c.Relationship(ctx, id)
	})
	return relationshipOf(row), err
}

func relationshipOf(row sqlitedb.RelationshipRow) kgl.Relationship {
	return kgl.Relationship{
		ID:   row.ID,
		From: kgl.EntityRef{ID: row.FromEntityID, Name: row.FromName, Type: row.FromType},
		To:   kgl.EntityRef{ID: row.ToEntityID, Name: row.ToName, Type: row.ToType},
		Type: row.Type, Confidence: row.Confidence, Extractor: row.Extractor, EvidenceCount: row.EvidenceCount,
		Fact: row.Fact, Weight: row.Weight, Status: kgl.RelationshipStatus(row.Status), MergedInto: row.MergedInto,
		ValidFrom: row.ValidFrom, ValidTo: row.ValidTo,
		Version: row.Version, CreatedAt: timeOf(row.CreatedAt), UpdatedAt: timeOf(row.UpdatedAt),
	}
}

// RelationshipEvidence implements kgl.RelationshipStore.
func (db *DB) RelationshipEvidence(ctx context.Context, relationshipID string, p kgl.Page) (kgl.List[kgl.Evidence], error) {
	p.Limit = pageLimit(p)
	after := kgl.Position{Int: math.MaxInt64}
	if p.After != nil {
		after = *p.After
	}
	var rows []sqlitedb.RelationshipEvidenceRow
	err := db.read(ctx, func(c *conn) (err error) {
		rows, err = c.RelationshipEvidence(ctx, sqlitedb.RelationshipEvidenceParams{
			RelationshipID: relationshipID, AfterAt: after.Int, AfterID: after.ID, RowLimit: int64(p.Limit) + 1,
		})
		return err
	})
	if err != nil {
		return kgl.List[kgl.Evidence]{}, err
	}
	out := make([]kgl.Evidence, len(rows))
	for i, row := range rows {
		out[i] = kgl.Evidence{
			ID: row.ID, RelationshipID: row.RelationshipID, ContentID: row.ContentID, Revision: row.Revision,
			Start: row.StartOffset, End: row.EndOffset, Quote: row.Quote, Confidence: row.Confidence,
			Extractor: row.Extractor, RunID: row.RunID, CreatedAt: timeOf(row.CreatedAt),
		}
	}
	return pageOf(out, p, func(e kgl.Evidence) kgl.Position { return kgl.Position{Int: micros(e.CreatedAt), ID: e.ID} }), nil
}
