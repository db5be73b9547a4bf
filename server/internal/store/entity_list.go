package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const entityColumns sqlText = `SELECT id, name, name_key, type, description, attributes, confidence, extractor,
  mention_count, version, created_at, updated_at, status, merged_into, degree, first_seen_at, last_seen_at FROM entities`

// Entities implements kgl.EntityStore. Those whose names start with a prefix
// and those of which only an alias does are read apart, each over its index: the
// first need not be sorted when the order is that of names, and the second are
// few.
func (db *DB) Entities(ctx context.Context, f kgl.EntityFilter, sort kgl.EntitySort, p kgl.Page) (kgl.List[kgl.Entity], error) {
	out := kgl.List[kgl.Entity]{}
	err := db.read(ctx, func(c *conn) error {
		l, err := readEntities(ctx, c, entitiesQuery(c.engine, f, sort, p), sort, p)
		if err == nil && f.NamePrefix != "" {
			var more kgl.List[sqlitedb.Entity]
			more, err = readEntities(ctx, c, entitiesByAliasQuery(c.engine, f, sort, p), sort, p)
			l = mergeEntities(l, more, sort, p)
		}
		if err != nil {
			return err
		}
		out.Next = l.Next
		out.Rows, err = withNames(ctx, c, l.Rows)
		return err
	})
	return out, err
}

func readEntities(ctx context.Context, c *conn, q *listQuery, sort kgl.EntitySort, p kgl.Page) (kgl.List[sqlitedb.Entity], error) {
	return readList(ctx, c, q, p, scanEntity, func(row sqlitedb.Entity) kgl.Position { return entityPosition(sort, row) })
}

// entitiesQuery selects entities; with a prefix, those whose names start with it.
func entitiesQuery(e Engine, f kgl.EntityFilter, sort kgl.EntitySort, p kgl.Page) *listQuery {
	q := newEntityList(e, f, sort, p)
	if f.NamePrefix != "" {
		q.prefix("name_key", f.NamePrefix)
	}
	return q
}

// entitiesByAliasQuery selects the entities whose names do not start with the
// prefix, while one of their aliases does.
func entitiesByAliasQuery(e Engine, f kgl.EntityFilter, sort kgl.EntitySort, p kgl.Page) *listQuery {
	q := newEntityList(e, f, sort, p)
	low, high := q.bind(f.NamePrefix), q.bind(f.NamePrefix+"\U0010FFFF")
	q.conds = append(q.conds,
		"id IN (SELECT a.entity_id FROM entity_aliases a WHERE a.alias_key >= "+low+" AND a.alias_key < "+high+")",
		"NOT (name_key >= "+low+" AND name_key < "+high+")")
	return q
}

func newEntityList(e Engine, f kgl.EntityFilter, sort kgl.EntitySort, p kgl.Page) *listQuery {
	q := newList(e, entityColumns)
	q.in("type", f.Types)
	filterStatus(q, f.Statuses)
	if f.MinConfidence > 0 {
		q.compare("confidence", ">=", f.MinConfidence)
	}
	if f.SeenSince != nil {
		q.compare("last_seen_at", ">=", micros(*f.SeenSince))
	}
	after := kgl.Position{}
	if p.After != nil {
		after = *p.After
	}
	key, dir, value := sqlText("name_key"), ascending, any(after.Text)
	switch sort {
	case kgl.EntityMostConfident:
		key, dir, value = "confidence", descending, after.Number
	case kgl.EntityNewestFirst:
		key, dir, value = "created_at", descending, after.Int
	case kgl.EntityLastSeenFirst:
		key, dir, value = "last_seen_at", descending, after.Int
	case kgl.EntityMostConnected:
		key, dir, value = "degree", descending, after.Int
	}
	var values []any
	if p.After != nil {
		values = []any{value, after.ID}
	}
	q.orderBy(dir, []sqlText{key, "id"}, values)
	return q
}

// filterStatus adds the condition on the status. The few entities that are not
// active have an index of their own.
func filterStatus(q *listQuery, statuses []kgl.EntityStatus) {
	if len(statuses) == 0 {
		q.where("status = 'active'")
		return
	}
	if !slices.Contains(statuses, kgl.EntityActive) {
		q.where("status <> 'active'")
	}
	texts := make([]string, len(statuses))
	for i, s := range statuses {
		texts[i] = string(s)
	}
	q.in("status", texts)
}

// mergeEntities makes one page of two that have no row in common.
func mergeEntities(a, b kgl.List[sqlitedb.Entity], sort kgl.EntitySort, p kgl.Page) kgl.List[sqlitedb.Entity] {
	if len(b.Rows) == 0 {
		return a
	}
	rows := append(a.Rows, b.Rows...)
	slices.SortFunc(rows, func(x, y sqlitedb.Entity) int {
		switch sort {
		case kgl.EntityMostConfident:
			return cmp.Or(cmp.Compare(y.Confidence, x.Confidence), cmp.Compare(y.ID, x.ID))
		case kgl.EntityNewestFirst:
			return cmp.Or(cmp.Compare(y.CreatedAt, x.CreatedAt), cmp.Compare(y.ID, x.ID))
		case kgl.EntityLastSeenFirst:
			return cmp.Or(cmp.Compare(y.LastSeenAt, x.LastSeenAt), cmp.Compare(y.ID, x.ID))
		case kgl.EntityMostConnected:
			return cmp.Or(cmp.Compare(y.Degree, x.Degree), cmp.Compare(y.ID, x.ID))
		}
		return cmp.Or(cmp.Compare(x.NameKey, y.NameKey), cmp.Compare(x.ID, y.ID))
	})
	limit := pageLimit(p)
	out := kgl.List[sqlitedb.Entity]{Rows: rows[:min(len(rows), limit)]}
	if len(rows) > limit || a.Next != nil || b.Next != nil {
		next := entityPosition(sort, rows[limit-1])
		out.Next = &next
	}
	return out
}

func entityPosition(sort kgl.EntitySort, row sqlitedb.Entity) kgl.Position {
	switch sort {
	case kgl.EntityMostConfident:
		return kgl.Position{Number: row.Confidence, ID: row.ID}
	case kgl.EntityNewestFirst:
		return kgl.Position{Int: row.CreatedAt, ID: row.ID}
	case kgl.EntityLastSeenFirst:
		return kgl.Position{Int: row.LastSeenAt, ID: row.ID}
	case kgl.EntityMostConnected:
		return kgl.Position{Int: row.Degree, ID: row.ID}
	}
	return kgl.Position{Text: row.NameKey, ID: row.ID}
}

func scanEntity(rs rows) (sqlitedb.Entity, error) {
	var row sqlitedb.Entity
	err := rs.Scan(&row.ID, &row.Name, &row.NameKey, &row.Type, &row.Description, &row.Attributes, &row.Confidence,
		&row.Extractor, &row.MentionCount, &row.Version, &row.CreatedAt, &row.UpdatedAt,
		&row.Status, &row.MergedInto, &row.Degree, &row.FirstSeenAt, &row.LastSeenAt)
	return row, err
}
