package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The halves of a step: the active relationships from an entity and to it.
// other is the end that is not the entity; an index of either holds all of the
// columns, in the order of the step.
const (
	edgesOut sqlText = `SELECT id, to_entity_id AS other, 1 AS outgoing, type, weight, confidence
FROM relationships WHERE status = 'active' AND from_entity_id = `
	edgesIn sqlText = `SELECT id, from_entity_id AS other, 0 AS outgoing, type, weight, confidence
FROM relationships WHERE status = 'active' AND to_entity_id = `
	edgeOrder sqlText = ` ORDER BY weight DESC, other, id LIMIT `
)

// Neighbors implements kgl.GraphStore.
func (db *DB) Neighbors(ctx context.Context, q kgl.NeighborQuery) ([]kgl.EntityEdges, error) {
	out := make([]kgl.EntityEdges, len(q.IDs))
	if len(q.IDs) == 0 || q.PerEntity < 1 {
		return out, nil
	}
	err := db.read(ctx, func(c *conn) error {
		hubs, err := hubsOf(ctx, c, q)
		if err != nil {
			return err
		}
		if c.engine == SQLite {
			err = neighborsSQLite(ctx, c, q, hubs, out)
		} else {
			err = neighborsPostgres(ctx, c, q, out)
		}
		if err != nil {
			return err
		}
		for i, id := range q.IDs {
			if q.Among != nil {
				break
			}
			if edges := out[i].Edges; len(edges) > q.PerEntity {
				out[i] = kgl.EntityEdges{Edges: edges[:q.PerEntity], Cut: true}
			} else if hubs[id] {
				// Either index may hold fewer than were looked at: only more than
				// that in one of them leave some that nobody has seen.
				if out[i].Cut, err = beyond(ctx, c, id, q.Scan); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return out, err
}

// hubsOf returns the entities of which not all relationships are looked at.
// Without a filter none is: the first ones are all that is read.
func hubsOf(ctx context.Context, c *conn, q kgl.NeighborQuery) (map[string]bool, error) {
	if q.Filter.Empty() || c.engine == Postgres && q.Among != nil {
		return nil, nil
	}
	list, err := listText(q.IDs)
	if err != nil {
		return nil, err
	}
	ids, err := c.Hubs(ctx, sqlitedb.HubsParams{Ids: list, Degree: int64(q.Scan)})
	hubs := make(map[string]bool, len(ids))
	for _, id := range ids {
		hubs[id] = true
	}
	return hubs, err
}

// beyond reports whether an entity has more than n relationships in one
// direction.
func beyond(ctx context.Context, c *conn, id string, n int) (bool, error) {
	more := false
	for _, half := range []sqlText{edgesOut, edgesIn} {
		l := newList(c.engine, "")
		one := l.bind(id)
		rs, err := c.query(ctx, "SELECT COUNT(*) FROM ("+string(half)+one+" LIMIT "+l.bind(int64(n)+1)+") AS e", l.args)
		if err != nil {
			return false, err
		}
		var count int64
		if rs.Next() {
			err = rs.Scan(&count)
		}
		rs.Close()
		if err := cmp.Or(err, rs.Err()); err != nil {
			return false, err
		}
		more = more || count > int64(n)
	}
	return more, nil
}

// stepLimit is how many edges of an entity a statement reads: one more than are
// asked for tells whether there are more.
func stepLimit(q kgl.NeighborQuery) int {
	if q.Among != nil {
		return q.PerEntity
	}
	return q.PerEntity + 1
}

// filterEdges adds the conditions of a filter to a query of edges, each after
// the word before.
func filterEdges(l *listQuery, before sqlText, f kgl.EdgeFilter) string {
	text := ""
	if len(f.Types) > 0 {
		marks := ""
		for i, t := range f.Types {
			if i > 0 {
				marks += ", "
			}
			marks += l.bind(t)
		}
		text += string(before) + " type IN (" + marks + ")"
		before = " AND"
	}
	if f.MinConfidence > 0 {
		text += string(before) + " confidence >= " + l.bind(f.MinConfidence)
	}
	return text
}

// EdgesBetween implements kgl.GraphStore. There is one of each type and
// direction at most, so that all are read.
func (db *DB) EdgesBetween(ctx context.Context, a, b string, f kgl.EdgeFilter, limit int) ([]kgl.GraphEdge, error) {
	out := []kgl.GraphEdge{}
	err := db.read(ctx, func(c *conn) error {
		for _, ends := range []sqlitedb.EdgesBetweenParams{{FromID: a, ToID: b}, {FromID: b, ToID: a}} {
			rows, err := c.EdgesBetween(ctx, ends)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if r.Confidence >= f.MinConfidence && (len(f.Types) == 0 || slices.Contains(f.Types, r.Type)) {
					out = append(out, kgl.GraphEdge{
						ID: r.ID, FromID: r.FromEntityID, ToID: r.ToEntityID, Type: r.Type, Weight: r.Weight, Confidence: r.Confidence,
					})
				}
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b kgl.GraphEdge) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), limit)], err
}

// EntityBriefs implements kgl.GraphStore.
func (db *DB) EntityBriefs(ctx context.Context, ids []string) ([]kgl.EntityBrief, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	var rows []sqlitedb.EntityBriefsRow
	err = db.read(ctx, func(c *conn) (err error) {
		rows, err = c.EntityBriefs(ctx, list)
		return err
	})
	byID := make(map[string]kgl.EntityBrief, len(rows))
	for _, r := range rows {
		byID[r.ID] = kgl.EntityBrief{
			ID: r.ID, Name: r.Name, Type: r.Type, Confidence: r.Confidence, Degree: r.Degree,
			Status: kgl.EntityStatus(r.Status), MergedInto: r.MergedInto,
		}
	}
	out := make([]kgl.EntityBrief, 0, len(rows))
	for _, id := range ids {
		if b, ok := byID[id]; ok {
			out = append(out, b)
		}
	}
	return out, err
}
