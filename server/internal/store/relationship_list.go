package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const relationshipColumns sqlText = `SELECT r.id, r.from_entity_id, r.to_entity_id, r.type, r.confidence, r.extractor,
  r.evidence_count, r.version, r.created_at, r.updated_at, r.status, r.merged_into, r.weight, r.fact, r.valid_from, r.valid_to,
  f.name, f.type, t.name, t.type
FROM relationships r JOIN entities f ON f.id = r.from_entity_id JOIN entities t ON t.id = r.to_entity_id`

// Relationships implements kgl.RelationshipStore.
func (db *DB) Relationships(ctx context.Context, f kgl.RelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) (kgl.List[kgl.Relationship], error) {
	position := relationshipPosition
	if sort == kgl.RelationshipHeaviestFirst {
		position = weightPosition
	}
	var out kgl.List[kgl.Relationship]
	err := db.read(ctx, func(c *conn) (err error) {
		out, err = readList(ctx, c, relationshipsQuery(c.engine, f, sort, p), p, scanRelationship, position)
		return err
	})
	return out, err
}

func relationshipsQuery(e Engine, f kgl.RelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) *listQuery {
	q := newList(e, relationshipColumns)
	q.relationshipStatus(f.Status)
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
	if sort == kgl.RelationshipHeaviestFirst {
		var after []any
		if p.After != nil {
			after = []any{p.After.Number, p.After.ID}
		}
		q.orderBy(descending, []sqlText{"r.weight", "r.id"}, after)
		return q
	}
	q.orderBy(descending, []sqlText{"r.created_at", "r.id"}, afterTime(p))
	return q
}

// relationshipStatus adds the state, of which the words stand in the partial
// indexes, and so in the statement.
func (q *listQuery) relationshipStatus(s kgl.RelationshipStatus) {
	if s == "" || s == kgl.RelationshipActive {
		q.where("r.status = 'active'")
		return
	}
	q.where("r.status <> 'active'")
	q.compare("r.status", "=", string(s))
}

func scanRelationship(rs rows) (kgl.Relationship, error) {
	var row sqlitedb.RelationshipRow
	err := rs.Scan(&row.ID, &row.FromEntityID, &row.ToEntityID, &row.Type, &row.Confidence, &row.Extractor,
		&row.EvidenceCount, &row.Version, &row.CreatedAt, &row.UpdatedAt,
		&row.Status, &row.MergedInto, &row.Weight, &row.Fact, &row.ValidFrom, &row.ValidTo, &row.FromName, &row.FromType, &row.ToName, &row.ToType)
	return relationshipOf(row), err
}

func relationshipPosition(r kgl.Relationship) kgl.Position {
	return kgl.Position{Int: micros(r.CreatedAt), ID: r.ID}
}

func weightPosition(r kgl.Relationship) kgl.Position {
	return kgl.Position{Number: r.Weight, ID: r.ID}
}

// EntityRelationships implements kgl.RelationshipStore. Either direction reads
// its own index; no relationship leads from an entity to itself, so that none
// comes twice.
func (db *DB) EntityRelationships(ctx context.Context, entityID string, f kgl.EntityRelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) (kgl.List[kgl.Relationship], error) {
	p.Limit = pageLimit(p)
	order := edgeOrderOf(entityID, sort)
	var rs []kgl.Relationship
	err := db.read(ctx, func(c *conn) error {
		for _, d := range []kgl.Direction{kgl.DirectionOut, kgl.DirectionIn} {
			if f.Direction != d && f.Direction != kgl.DirectionAny && f.Direction != "" {
				continue
			}
			one := p
			one.Limit = p.Limit + 1 // whether more follow is known of both together
			l, err := readList(ctx, c, edgesQuery(c.engine, entityID, d, f, sort, one), one, scanRelationship, order.position)
			if err != nil {
				return err
			}
			rs = append(rs, l.Rows...)
		}
		return nil
	})
	if err != nil {
		return kgl.List[kgl.Relationship]{}, err
	}
	slices.SortFunc(rs, order.compare)
	if len(rs) > p.Limit+1 {
		rs = rs[:p.Limit+1]
	}
	return pageOf(rs, p, order.position), nil
}

// edgeListOrder is an order of the relationships of one entity.
type edgeListOrder struct {
	compare  func(a, b kgl.Relationship) int
	position func(kgl.Relationship) kgl.Position
}

func edgeOrderOf(entityID string, sort kgl.RelationshipSort) edgeListOrder {
	if sort != kgl.RelationshipHeaviestFirst {
		return edgeListOrder{
			compare: func(a, b kgl.Relationship) int {
				return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
			},
			position: relationshipPosition,
		}
	}
	other := func(r kgl.Relationship) string {
		if r.From.ID == entityID {
			return r.To.ID
		}
		return r.From.ID
	}
	return edgeListOrder{
		compare: func(a, b kgl.Relationship) int {
			return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(other(a), other(b)), cmp.Compare(a.ID, b.ID))
		},
		position: func(r kgl.Relationship) kgl.Position {
			return kgl.Position{Number: r.Weight, Text: other(r), ID: r.ID}
		},
	}
}

// edgesQuery selects active relationships of an entity in one direction, by
// weight in the order of the indexes that steps through the graph read.
func edgesQuery(e Engine, entityID string, d kgl.Direction, f kgl.EntityRelationshipFilter, sort kgl.RelationshipSort, p kgl.Page) *listQuery {
	q := newList(e, relationshipColumns)
	q.relationshipStatus(kgl.RelationshipActive)
	self, other := sqlText("r.from_entity_id"), sqlText("r.to_entity_id")
	if d == kgl.DirectionIn {
		self, other = other, self
	}
	q.compare(self, "=", entityID)
	if f.Type != "" {
		q.compare("r.type", "=", f.Type)
	}
	if f.MinConfidence > 0 {
		q.compare("r.confidence", ">=", f.MinConfidence)
	}
	if sort != kgl.RelationshipHeaviestFirst {
		q.orderBy(descending, []sqlText{"r.created_at", "r.id"}, afterTime(p))
		return q
	}
	q.order = "r.weight DESC, " + string(other) + ", r.id"
	if p.After != nil {
		weight, end, id := q.bind(p.After.Number), q.bind(p.After.Text), q.bind(p.After.ID)
		q.conds = append(q.conds, "r.weight <= "+weight,
			"(r.weight < "+weight+" OR ("+string(other)+", r.id) > ("+end+", "+id+"))")
	}
	return q
}
