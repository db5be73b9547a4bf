package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// How many rows a search by prefix reads at most: of the names and of the
// aliases that begin so, in their order, and of the best connected entities,
// which are asked when there are more of those.
const (
	prefixRows    = 200
	connectedRows = 500
)

// maxExactMatches is how many entities of one name are returned.
const maxExactMatches = 50

const (
	matchColumns sqlText = `SELECT id, name, type, status, confidence, degree, mention_count, last_seen_at, name, name_key FROM entities`

	aliasMatchColumns sqlText = `SELECT e.id, e.name, e.type, e.status, e.confidence, e.degree, e.mention_count, e.last_seen_at, a.alias, a.alias_key
FROM entity_aliases a JOIN entities e ON e.id = a.entity_id`
)

// PrefixMatches implements kgl.EntityStore.
func (db *DB) PrefixMatches(ctx context.Context, prefix string, types []string, limit int) ([]kgl.NameMatch, error) {
	var found []kgl.NameMatch
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		queries := []*listQuery{namesByPrefix(c.engine, prefix, types), aliasesByPrefix(c.engine, prefix, types)}
		found = nil
		more := false
		for i, q := range queries {
			l, err := readMatches(ctx, c, q, prefixRows, i == 1)
			if err != nil {
				return err
			}
			found, more = append(found, l.Rows...), more || l.Next != nil
		}
		if !more {
			return nil
		}
		for i, q := range []*listQuery{connectedByName(c.engine, prefix, types), connectedByAlias(c.engine, prefix, types)} {
			l, err := readMatches(ctx, c, q, limit, i == 1)
			if err != nil {
				return err
			}
			found = append(found, l.Rows...)
		}
		return nil
	})
	return bestByPrefix(found, prefix, limit), err
}

// namesByPrefix selects active entities by the beginning of their names.
func namesByPrefix(e Engine, prefix string, types []string) *listQuery {
	q := newList(e, matchColumns)
	q.where("status = 'active'")
	q.in("type", types)
	q.prefix("name_key", prefix)
	q.orderBy(ascending, []sqlText{"name_key", "id"}, nil)
	return q
}

// aliasesByPrefix selects active entities by the beginning of their aliases.
func aliasesByPrefix(e Engine, prefix string, types []string) *listQuery {
	q := newList(e, aliasMatchColumns)
	q.where("e.status = 'active'")
	q.in("e.type", types)
	q.prefix("a.alias_key", prefix)
	q.orderBy(ascending, []sqlText{"a.alias_key", "a.entity_id"}, nil)
	return q
}

// connectedByName selects, of the best connected active entities, those whose
// names begin so.
func connectedByName(e Engine, prefix string, types []string) *listQuery {
	q := bestConnected(e, types, `SELECT e.id, e.name, e.type, e.status, e.confidence, e.degree, e.mention_count, e.last_seen_at, e.name, e.name_key FROM (`, ") AS e")
	q.prefix("e.name_key", prefix)
	q.orderBy(descending, []sqlText{"e.degree", "e.id"}, nil)
	return q
}

// connectedByAlias is connectedByName for aliases.
func connectedByAlias(e Engine, prefix string, types []string) *listQuery {
	q := bestConnected(e, types, `SELECT e.id, e.name, e.type, e.status, e.confidence, e.degree, e.mention_count, e.last_seen_at, a.alias, a.alias_key FROM (`,
		") AS e JOIN entity_aliases a ON a.entity_id = e.id")
	q.prefix("a.alias_key", prefix)
	q.orderBy(descending, []sqlText{"e.degree", "e.id", "a.alias_key"}, nil)
	return q
}

// bestConnected starts a query of the best connected active entities of the
// types, which stand between the two texts.
func bestConnected(e Engine, types []string, before, behind sqlText) *listQuery {
	inner := newList(e, `SELECT id, name, name_key, type, status, confidence, degree, mention_count, last_seen_at FROM entities`)
	inner.where("status = 'active'")
	inner.in("type", types)
	inner.orderBy(descending, []sqlText{"degree", "id"}, nil)
	inner.limit = connectedRows - 1
	text, args := inner.text()
	q := newList(e, before+sqlText(text)+behind)
	q.args = args
	return q
}

func readMatches(ctx context.Context, c *conn, q *listQuery, limit int, alias bool) (kgl.List[kgl.NameMatch], error) {
	scan := func(rs rows) (kgl.NameMatch, error) {
		m := kgl.NameMatch{Alias: alias}
		var status string
		var seen int64
		err := rs.Scan(&m.Entity.ID, &m.Entity.Name, &m.Entity.Type, &status, &m.Entity.Confidence, &m.Entity.Degree,
			&m.Entity.MentionCount, &seen, &m.Name, &m.Key)
		m.Entity.Status, m.Entity.LastSeenAt = kgl.EntityStatus(status), seenAt(seen)
		return m, err
	}
	return readList(ctx, c, q, kgl.Page{Limit: limit}, scan, func(kgl.NameMatch) kgl.Position { return kgl.Position{} })
}

// bestByPrefix returns at most limit matches, the best of each entity.
func bestByPrefix(found []kgl.NameMatch, prefix string, limit int) []kgl.NameMatch {
	exact := func(m kgl.NameMatch) int {
		if m.Key == prefix {
			return 0
		}
		return 1
	}
	slices.SortFunc(found, func(a, b kgl.NameMatch) int {
		return cmp.Or(cmp.Compare(exact(a), exact(b)), cmp.Compare(b.Entity.Degree, a.Entity.Degree), cmp.Compare(a.Entity.Name, b.Entity.Name),
			cmp.Compare(a.Entity.ID, b.Entity.ID), compareBool(a.Alias, b.Alias), cmp.Compare(a.Key, b.Key))
	})
	seen := map[string]bool{}
	best := make([]kgl.NameMatch, 0, limit)
	for _, m := range found {
		if seen[m.Entity.ID] {
			continue
		}
		if len(best) == limit {
			break
		}
		seen[m.Entity.ID] = true
		best = append(best, m)
	}
	return best
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// ExactMatches implements kgl.EntityStore. The best connected of one name come
// first.
func (db *DB) ExactMatches(ctx context.Context, keys []string) ([]kgl.NameMatch, error) {
	asked := map[string][]int{}
	for i, key := range keys {
		if key != "" {
			asked[key] = append(asked[key], i)
		}
	}
	list, err := listText(unique(keys))
	if err != nil || len(asked) == 0 {
		return nil, err
	}
	var out []kgl.NameMatch
	err = db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		named, err := c.ActiveEntitiesByNames(ctx, list)
		if err != nil {
			return err
		}
		aliases, err := c.ActiveEntitiesByAliases(ctx, list)
		if err != nil {
			return err
		}
		found := make([]exactMatch, 0, len(named)+len(aliases))
		for _, row := range named {
			found = append(found, exactMatch{row.ID, row.Name, row.NameKey, false})
		}
		for _, row := range aliases {
			found = append(found, exactMatch{row.ID, row.Alias, row.AliasKey, true})
		}
		out, err = exactMatches(ctx, c, found, asked)
		return err
	})
	return out, err
}

type exactMatch struct {
	id, name, key string
	alias         bool
}

// exactMatches reads the entities of the matches, and returns each match once
// for each time that its name was asked for.
func exactMatches(ctx context.Context, c *conn, found []exactMatch, asked map[string][]int) ([]kgl.NameMatch, error) {
	entities, err := summaries(ctx, c, found, func(m exactMatch) string { return m.id })
	if err != nil {
		return nil, err
	}
	var out []kgl.NameMatch
	count := map[string]int{}
	for _, m := range found {
		e, ok := entities[m.id]
		if count[m.key]++; !ok || count[m.key] > maxExactMatches {
			continue
		}
		for _, i := range asked[m.key] {
			out = append(out, kgl.NameMatch{Asked: i, Entity: e, Name: m.name, Key: m.key, Alias: m.alias})
		}
	}
	return out, nil
}

// summaries reads the entities of rows in one query, by their ids.
func summaries[Row any](ctx context.Context, c *conn, rows []Row, idOf func(Row) string) (map[string]kgl.EntitySummary, error) {
	out := map[string]kgl.EntitySummary{}
	if len(rows) == 0 {
		return out, nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = idOf(row)
	}
	list, err := listText(unique(ids))
	if err != nil {
		return nil, err
	}
	found, err := c.EntitiesByIDs(ctx, list)
	if err != nil {
		return nil, err
	}
	for _, row := range found {
		out[row.ID] = summaryOf(row)
	}
	return out, nil
}

func summaryOf(row sqlitedb.Entity) kgl.EntitySummary { return entityOf(row, nil).Summary() }
