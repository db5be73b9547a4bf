package store

import (
	"context"
	"maps"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// saveBatch is how many relationships are written in one statement.
const saveBatch = 5_000

func mergeEdgeOf(row sqlitedb.EdgesOfEntitiesRow) edge {
	e := edge{
		id:         row.ID,
		stands:     relationshipKey{From: row.FromEntityID, To: row.ToEntityID, Type: row.Type},
		status:     kgl.RelationshipStatus(row.Status),
		confidence: row.Confidence, own: row.Confidence, rejected: row.Rejected,
	}
	e.origin = e.stands
	if row.OriginFromID != nil {
		e.origin.From = *row.OriginFromID
	}
	if row.OriginToID != nil {
		e.origin.To = *row.OriginToID
	}
	if row.MergedInto != nil {
		e.into = *row.MergedInto
	}
	if row.OwnConfidence != nil {
		e.own = *row.OwnConfidence
	}
	return e
}

// edgeLoader reads the relationships that a change of merges concerns.
type edgeLoader struct {
	c      *conn
	states entityStates
	edges  map[string]edge
	fresh  []edge // read, but not looked around from
}

func (l *edgeLoader) add(row sqlitedb.EdgesOfEntitiesRow) {
	if _, known := l.edges[row.ID]; !known {
		e := mergeEdgeOf(row)
		l.edges[row.ID] = e
		l.fresh = append(l.fresh, e)
	}
}

// loadEdges returns the relationships that are or were at the entities, with
// all that belong to the same places and all that are merged with them. It adds
// the states of their ends to states.
func loadEdges(ctx context.Context, c *conn, entities []string, states entityStates) (map[string]edge, error) {
	l := edgeLoader{c: c, states: states, edges: map[string]edge{}}
	list, err := listText(entities)
	if err != nil {
		return nil, err
	}
	rows, err := c.EdgesOfEntities(ctx, list)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		l.add(row)
	}
	for len(l.fresh) > 0 {
		found := l.fresh
		l.fresh = nil
		if err := l.addStates(ctx, found); err != nil {
			return nil, err
		}
		if err := l.addSamePlaces(ctx, found); err != nil {
			return nil, err
		}
		if err := l.addMerged(ctx, found); err != nil {
			return nil, err
		}
	}
	return l.edges, nil
}

func (l *edgeLoader) addStates(ctx context.Context, found []edge) error {
	unknown := map[string]bool{}
	for _, e := range found {
		for _, id := range e.ends() {
			if _, known := l.states[id]; !known {
				unknown[id] = true
			}
		}
	}
	return addStates(ctx, l.c, l.states, slices.Collect(maps.Keys(unknown)))
}

// addStates reads the states of entities and of all that they are merged into.
func addStates(ctx context.Context, c *conn, states entityStates, ids []string) error {
	for len(ids) > 0 {
		list, err := listText(ids)
		if err != nil {
			return err
		}
		rows, err := c.EntityStates(ctx, list)
		if err != nil {
			return err
		}
		ids = states.take(rows)
	}
	return nil
}

// take adds rows and returns the entities that they are merged into and that
// are not known.
func (s entityStates) take(rows []sqlitedb.EntityStatesRow) []string {
	for _, row := range rows {
		state := entityState{status: kgl.EntityStatus(row.Status)}
		if row.MergedInto != nil {
			state.into = *row.MergedInto
		}
		s[row.ID] = state
	}
	var unknown []string
	for _, row := range rows {
		if into := s[row.ID].into; into != "" {
			if _, known := s[into]; !known {
				unknown = append(unknown, into)
			}
		}
	}
	return unique(unknown)
}

// addSamePlaces reads what stands where the relationships belong.
func (l *edgeLoader) addSamePlaces(ctx context.Context, found []edge) error {
	keys := make([]relationshipKey, 0, len(found))
	for _, e := range found {
		if place := l.states.place(e); place != e.stands && place.From != place.To {
			keys = append(keys, place)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	text, err := jsonText(keys)
	if err != nil {
		return err
	}
	rows, err := l.c.EdgesByKeys(ctx, text)
	for _, row := range rows {
		l.add(sqlitedb.EdgesOfEntitiesRow(row))
	}
	return err
}

// addMerged reads what the relationships are merged into, and what is merged
// into them.
func (l *edgeLoader) addMerged(ctx context.Context, found []edge) error {
	var ids, parents []string
	for _, e := range found {
		ids = append(ids, e.id)
		if _, known := l.edges[e.into]; e.into != "" && !known {
			parents = append(parents, e.into)
		}
	}
	list, err := listText(ids)
	if err != nil {
		return err
	}
	rows, err := l.c.EdgesMergedInto(ctx, list)
	if err != nil {
		return err
	}
	for _, row := range rows {
		l.add(sqlitedb.EdgesOfEntitiesRow(row))
	}
	if len(parents) == 0 {
		return nil
	}
	if list, err = listText(unique(parents)); err != nil {
		return err
	}
	more, err := l.c.EdgesByIDs(ctx, list)
	for _, row := range more {
		l.add(sqlitedb.EdgesOfEntitiesRow(row))
	}
	return err
}

// savedEdge is an edge as saveEdges writes it.
type savedEdge struct {
	ID         string   `json:"id"`
	From       string   `json:"from_id"`
	To         string   `json:"to_id"`
	OriginFrom *string  `json:"origin_from"`
	OriginTo   *string  `json:"origin_to"`
	Status     string   `json:"status"`
	Into       *string  `json:"merged_into"`
	Confidence float64  `json:"confidence"`
	Own        *float64 `json:"own"`
}

func (e edge) saved() savedEdge {
	out := savedEdge{
		ID: e.id, From: e.stands.From, To: e.stands.To, Status: string(e.status), Confidence: e.confidence,
	}
	if e.stands.From != e.origin.From {
		out.OriginFrom = &e.origin.From
	}
	if e.stands.To != e.origin.To {
		out.OriginTo = &e.origin.To
	}
	if e.into != "" {
		out.Into = &e.into
	}
	if e.confidence != e.own {
		out.Own = &e.own
	}
	return out
}

const (
	saveEdgesSQLite sqlText = `UPDATE relationships SET from_entity_id = n.from_id, to_entity_id = n.to_id, origin_from_id = n.origin_from,
  origin_to_id = n.origin_to, status = n.status, merged_into = n.merged_into, confidence = n.confidence, own_confidence = n.own,
  weight = n.confidence * max(evidence_count, 1), version = version + 1, updated_at = ?2
FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.from_id') AS from_id, json_extract(value, '$.to_id') AS to_id,
  json_extract(value, '$.origin_from') AS origin_from, json_extract(value, '$.origin_to') AS origin_to,
  json_extract(value, '$.status') AS status, json_extract(value, '$.merged_into') AS merged_into,
  json_extract(value, '$.confidence') AS confidence, json_extract(value, '$.own') AS own FROM json_each(?1) LIMIT -1) AS n
WHERE relationships.id = n.id`
	saveEdgesPostgres sqlText = `UPDATE relationships AS r SET from_entity_id = n.from_id, to_entity_id = n.to_id, origin_from_id = n.origin_from,
  origin_to_id = n.origin_to, status = n.status, merged_into = n.merged_into, confidence = n.confidence, own_confidence = n.own,
  weight = n.confidence * greatest(r.evidence_count, 1), version = r.version + 1, updated_at = $2
FROM jsonb_to_recordset(CAST($1 AS JSONB)) AS n (id TEXT, from_id TEXT, to_id TEXT, origin_from TEXT, origin_to TEXT, status TEXT,
  merged_into TEXT, confidence DOUBLE PRECISION, own DOUBLE PRECISION)
WHERE r.id = n.id`
)

// saveEdges writes the relationships that differ between two settlements. What
// goes back to its own ends comes first, and what leaves a place that another
// one takes does so by way of them: no two stand at one place at any time.
func saveEdges(ctx context.Context, c *conn, before, after map[string]edge, now int64) error {
	var home, away []savedEdge
	wanted := map[relationshipKey]string{}
	for _, id := range slices.Sorted(maps.Keys(after)) {
		e := after[id]
		switch {
		case e == before[id]:
		case e.stands == e.origin:
			home = append(home, e.saved())
		default:
			away = append(away, e.saved())
			if e.stands != before[id].stands {
				wanted[e.stands] = id
			}
		}
	}
	var makeRoom []string
	for _, n := range away {
		b := before[n.ID]
		if taker, ok := wanted[b.stands]; ok && taker != n.ID && b.stands != b.origin {
			makeRoom = append(makeRoom, n.ID)
		}
	}
	if err := writeEdges(ctx, c, home, now); err != nil {
		return err
	}
	if len(makeRoom) > 0 {
		list, err := listText(makeRoom)
		if err != nil {
			return err
		}
		if err := c.EdgesHome(ctx, list); err != nil {
			return err
		}
	}
	return writeEdges(ctx, c, away, now)
}

func writeEdges(ctx context.Context, c *conn, edges []savedEdge, now int64) error {
	statement := saveEdgesSQLite
	if c.engine == Postgres {
		statement = saveEdgesPostgres
	}
	for batch := range slices.Chunk(edges, saveBatch) {
		text, err := jsonText(batch)
		if err != nil {
			return err
		}
		if _, err := c.exec(ctx, string(statement), []any{text, now}); err != nil {
			return err
		}
	}
	return nil
}
