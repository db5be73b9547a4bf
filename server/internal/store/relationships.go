package store

import (
	"cmp"
	"context"
	"math"
	"slices"

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

// EntityRelationships implements kgl.RelationshipStore. Either direction reads
// its own index; no relationship leads from an entity to itself, so that none
// comes twice.
func (db *DB) EntityRelationships(ctx context.Context, entityID string, d kgl.Direction, typ string, p kgl.Page) (kgl.List[kgl.Relationship], error) {
	p.Limit = pageLimit(p)
	after := kgl.Position{Int: math.MaxInt64}
	if p.After != nil {
		after = *p.After
	}
	arg := sqlitedb.RelationshipsFromParams{
		EntityID: entityID, Type: typ, AfterAt: after.Int, AfterID: after.ID, RowLimit: int64(p.Limit) + 1,
	}
	var rs []kgl.Relationship
	err := db.read(ctx, func(c *conn) error {
		if d != kgl.DirectionIn {
			rows, err := c.RelationshipsFrom(ctx, arg)
			if err != nil {
				return err
			}
			for _, row := range rows {
				rs = append(rs, relationshipOf(sqlitedb.RelationshipRow(row)))
			}
		}
		if d != kgl.DirectionOut {
			rows, err := c.RelationshipsTo(ctx, sqlitedb.RelationshipsToParams(arg))
			if err != nil {
				return err
			}
			for _, row := range rows {
				rs = append(rs, relationshipOf(sqlitedb.RelationshipRow(row)))
			}
		}
		return nil
	})
	if err != nil {
		return kgl.List[kgl.Relationship]{}, err
	}
	slices.SortFunc(rs, func(a, b kgl.Relationship) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return pageOf(rs, p, relationshipPosition), nil
}

func relationshipPosition(r kgl.Relationship) kgl.Position {
	return kgl.Position{Int: micros(r.CreatedAt), ID: r.ID}
}

// RelationshipEvidence implements kgl.RelationshipStore.
func (db *DB) RelationshipEvidence(ctx context.Context, relationshipID string, limit int) ([]kgl.Evidence, error) {
	var rows []sqlitedb.RelationshipEvidenceRow
	err := db.read(ctx, func(c *conn) (err error) {
		rows, err = c.RelationshipEvidence(ctx, sqlitedb.RelationshipEvidenceParams{
			RelationshipID: relationshipID, RowLimit: int64(limit),
		})
		return err
	})
	out := make([]kgl.Evidence, len(rows))
	for i, row := range rows {
		out[i] = kgl.Evidence{
			ID: row.ID, RelationshipID: row.RelationshipID, ContentID: row.ContentID, Revision: row.Revision,
			Start: row.StartOffset, End: row.EndOffset, Quote: row.Quote, Confidence: row.Confidence,
			Extractor: row.Extractor, RunID: row.RunID, CreatedAt: timeOf(row.CreatedAt),
		}
	}
	return out, err
}

const relationshipColumns sqlText = `SELECT r.id, r.from_entity_id, r.to_entity_id, r.type, r.confidence, r.extractor,
  r.evidence_count, r.version, r.created_at, r.updated_at, r.status, r.merged_into, r.weight, r.fact, r.valid_from, r.valid_to,
  f.name, f.type, t.name, t.type
FROM relationships r JOIN entities f ON f.id = r.from_entity_id JOIN entities t ON t.id = r.to_entity_id`

// Relationships implements kgl.RelationshipStore.
func (db *DB) Relationships(ctx context.Context, f kgl.RelationshipFilter, p kgl.Page) (kgl.List[kgl.Relationship], error) {
	var out kgl.List[kgl.Relationship]
	err := db.read(ctx, func(c *conn) (err error) {
		out, err = readList(ctx, c, relationshipsQuery(c.engine, f, p), p, scanRelationship, relationshipPosition)
		return err
	})
	return out, err
}

func relationshipsQuery(e Engine, f kgl.RelationshipFilter, p kgl.Page) *listQuery {
	q := newList(e, relationshipColumns)
	if f.Type != "" {
		q.compare("r.type", "=", f.Type)
	}
	if f.FromEntityID != "" {
		q.compare("r.from_entity_id", "=", f.FromEntityID)
	}
	if f.ToEntityID != "" {
		q.compare("r.to_entity_id", "=", f.ToEntityID)
	}
	if f.MinConfidence > 0 {
		q.compare("r.confidence", ">=", f.MinConfidence)
	}
	q.orderBy(descending, []sqlText{"r.created_at", "r.id"}, afterTime(p))
	return q
}

func scanRelationship(rs rows) (kgl.Relationship, error) {
	var row sqlitedb.RelationshipRow
	err := rs.Scan(&row.ID, &row.FromEntityID, &row.ToEntityID, &row.Type, &row.Confidence, &row.Extractor,
		&row.EvidenceCount, &row.Version, &row.CreatedAt, &row.UpdatedAt,
		&row.Status, &row.MergedInto, &row.Weight, &row.Fact, &row.ValidFrom, &row.ValidTo, &row.FromName, &row.FromType, &row.ToName, &row.ToType)
	return relationshipOf(row), err
}
