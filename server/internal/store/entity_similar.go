package store

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of the search for similar names.
const (
	// gramRows is how many rows of trigrams are read for all the asked names
	// together, and gramRowsEach the least share of one of them.
	gramRows     = 6000
	gramRowsEach = 600
	// commonGram is where NameGramCounts stops to count. So common a trigram is
	// looked up among the names of nearly the same length only.
	commonGram = 1000
	// candidatesEach is how many names are compared with an asked one.
	candidatesEach = 40
)

// gramCount asks how many names of lengths have a trigram.
type gramCount struct {
	Gram string `json:"gram"`
	Low  int    `json:"low"`
	High int    `json:"high"`
}

// gramLookup asks for the names of lengths that have a trigram, for one of the
// asked names.
type gramLookup struct {
	gramCount
	Asked int `json:"asked"`
	Grams int `json:"grams"` // of the asked name
	Rest  int `json:"rest"`  // those of them that are not looked up
}

// SimilarMatches implements kgl.EntityStore. A name that is similar enough has
// so many of the trigrams of the asked one that it has one of the rarest, which
// alone are looked up (S. Chaudhuri, V. Ganti, R. Kaushik: "A Primitive Operator
// for Similarity Joins in Data Cleaning", ICDE 2006). Which ones are rare is
// counted, to a bound.
func (db *DB) SimilarMatches(ctx context.Context, keys, types []string, limit int) ([]kgl.NameMatch, error) {
	var out []kgl.NameMatch
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		counts, err := countGrams(ctx, c, keys)
		if err != nil {
			return err
		}
		each := max(gramRows/max(len(keys), 1), gramRowsEach)
		var lookups []gramLookup
		for i, key := range keys {
			lookups = append(lookups, chooseGrams(i, key, counts, each)...)
		}
		candidates, err := similarCandidates(ctx, c, lookups, types)
		if err != nil {
			return err
		}
		out, err = compareNames(ctx, c, keys, candidates, limit)
		return err
	})
	return out, err
}

// lengthsOf returns the least and the greatest length of names that are
// compared with one.
func lengthsOf(key string) (low, high int) {
	size := kgl.NameSize(key)
	return (size + 1) / 2, 2 * size
}

// countGrams counts the names that have each of the trigrams of the asked ones.
func countGrams(ctx context.Context, c *conn, keys []string) (map[gramCount]int, error) {
	var asked []gramCount
	counts := map[gramCount]int{}
	for _, key := range keys {
		low, high := lengthsOf(key)
		for _, gram := range kgl.NameGrams(key) {
			g := gramCount{Gram: gram, Low: low, High: high}
			if _, ok := counts[g]; !ok {
				counts[g] = 0
				asked = append(asked, g)
			}
		}
	}
	if len(asked) == 0 {
		return counts, nil
	}
	text, err := jsonText(asked)
	if err != nil {
		return nil, err
	}
	rows, err := c.NameGramCounts(ctx, text)
	for _, row := range rows {
		counts[asked[row.Place]] = int(row.NameCount)
	}
	return counts, err
}

// chooseGrams returns the trigrams of a name to look up: the rarest, as many as
// every similar name has one of, but not more than give the rows that may be read.
func chooseGrams(asked int, key string, counts map[gramCount]int, rows int) []gramLookup {
	grams := kgl.NameGrams(key)
	low, high := lengthsOf(key)
	of := func(gram string) int { return counts[gramCount{Gram: gram, Low: low, High: high}] }
	slices.SortStableFunc(grams, func(a, b string) int { return cmp.Compare(of(a), of(b)) })
	common := max(1, int(math.Ceil(kgl.NameSimilarity*float64(len(grams)+low+1)/2)))
	needed := max(1, len(grams)-common+1)
	var chosen []gramLookup
	considered := 0
	for _, gram := range grams[:min(needed, len(grams))] {
		n := of(gram)
		if n > rows && len(chosen) > 0 {
			break
		}
		considered++
		if n == 0 {
			continue // no name has it
		}
		rows -= n
		g := gramCount{Gram: gram, Low: low, High: high}
		if size := kgl.NameSize(key); n >= commonGram {
			g.Low, g.High = size-1, size+1
		}
		chosen = append(chosen, gramLookup{gramCount: g, Asked: asked, Grams: len(grams)})
	}
	for i := range chosen {
		chosen[i].Rest = len(grams) - considered
	}
	return chosen
}

// candidate is an entity that may have a name similar to an asked one.
type candidate struct {
	asked    int
	entityID string
}

// The statements that look trigrams up. Their parameters are the lookups, the
// least likeness, the number of candidates of each name and the types.
const (
	similarSQLite sqlText = `WITH q AS MATERIALIZED (
  SELECT json_extract(value, '$.asked') AS asked, json_extract(value, '$.grams') AS grams, json_extract(value, '$.rest') AS rest,
    json_extract(value, '$.gram') AS gram, json_extract(value, '$.low') AS low, json_extract(value, '$.high') AS high
  FROM json_each(?1)
), found AS (
  SELECT q.asked, q.grams, g.entity_id, g.size, COUNT(*) AS shared
  FROM q CROSS JOIN entity_name_grams g
  WHERE g.gram = q.gram AND g.size >= q.low AND g.size <= q.high
  GROUP BY q.asked, g.entity_id, g.size
  HAVING 2 * (COUNT(*) + q.rest) >= ?2 * (q.grams + g.size + 1)
), `
	similarPostgres sqlText = `WITH q AS (
  SELECT * FROM jsonb_to_recordset(CAST($1::text AS JSONB)) AS q (asked BIGINT, grams BIGINT, rest BIGINT, gram TEXT, low BIGINT, high BIGINT)
), found AS (
  SELECT q.asked, q.grams, g.entity_id, g.size, COUNT(*) AS shared
  FROM q CROSS JOIN LATERAL (
    SELECT n.entity_id, n.size FROM entity_name_grams n WHERE n.gram = q.gram AND n.size >= q.low AND n.size <= q.high OFFSET 0
  ) AS g
  GROUP BY q.asked, q.grams, q.rest, g.entity_id, g.size
  HAVING 2 * (COUNT(*) + q.rest) >= $2::float8 * (q.grams + g.size + 1)
), `
	similarRanked sqlText = `ranked AS (
  SELECT f.asked, f.entity_id, ROW_NUMBER() OVER (PARTITION BY f.asked ORDER BY f.shared * 1.0 / (f.grams + f.size + 1) DESC, f.entity_id) AS place
  FROM found f`
	similarTypesSQLite   sqlText = ` JOIN entities e ON e.id = f.entity_id WHERE e.type IN (SELECT value FROM json_each(?4))`
	similarTypesPostgres sqlText = ` JOIN entities e ON e.id = f.entity_id WHERE e.type = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST($4::text AS JSONB))))`
	similarEndSQLite     sqlText = `
) SELECT asked, entity_id FROM ranked WHERE place <= ?3 ORDER BY asked, place`
	similarEndPostgres sqlText = `
) SELECT asked, entity_id FROM ranked WHERE place <= $3::bigint ORDER BY asked, place`
)

// similarQuery returns the statement of an engine, with or without types.
func similarQuery(e Engine, typed bool) string {
	head, types, end := similarSQLite, similarTypesSQLite, similarEndSQLite
	if e == Postgres {
		head, types, end = similarPostgres, similarTypesPostgres, similarEndPostgres
	}
	if !typed {
		types = ""
	}
	return string(head + similarRanked + types + end)
}

// similarCandidates returns the entities that have most of the trigrams, for
// each of the asked names.
func similarCandidates(ctx context.Context, c *conn, lookups []gramLookup, types []string) ([]candidate, error) {
	if len(lookups) == 0 {
		return nil, nil
	}
	text, err := jsonText(lookups)
	if err != nil {
		return nil, err
	}
	args := []any{text, kgl.NameSimilarity, int64(candidatesEach)}
	if len(types) > 0 {
		list, err := listText(types)
		if err != nil {
			return nil, err
		}
		args = append(args, list)
	}
	rs, err := c.query(ctx, similarQuery(c.engine, len(types) > 0), args)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var out []candidate
	for rs.Next() {
		var found candidate
		if err := rs.Scan(&found.asked, &found.entityID); err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	return out, rs.Err()
}

// entityNames is an entity with its names and their trigrams.
type entityNames struct {
	entity kgl.EntitySummary
	names  []nameGrams
}

type nameGrams struct {
	name, key string
	alias     bool
	grams     []string
}

// compareNames compares the asked names with those of their candidates and
// returns the most similar ones of each, at most limit.
func compareNames(ctx context.Context, c *conn, keys []string, candidates []candidate, limit int) ([]kgl.NameMatch, error) {
	entities, err := namesOfCandidates(ctx, c, candidates)
	if err != nil {
		return nil, err
	}
	byAsked := map[int][]kgl.NameMatch{}
	for _, found := range candidates {
		e, ok := entities[found.entityID]
		if !ok || e.entity.Status != kgl.EntityActive {
			continue
		}
		if m, like := mostSimilar(keys[found.asked], e); like >= kgl.NameSimilarity {
			m.Asked, m.Likeness = found.asked, like
			byAsked[found.asked] = append(byAsked[found.asked], m)
		}
	}
	var out []kgl.NameMatch
	for i := range keys {
		matches := byAsked[i]
		slices.SortFunc(matches, func(a, b kgl.NameMatch) int {
			return cmp.Or(cmp.Compare(b.Likeness, a.Likeness), cmp.Compare(b.Entity.Degree, a.Entity.Degree), cmp.Compare(a.Entity.ID, b.Entity.ID))
		})
		out = append(out, matches[:min(limit, len(matches))]...)
	}
	return out, nil
}

// mostSimilar returns the name or alias of an entity that is most similar to an
// asked one, and how similar it is.
func mostSimilar(key string, e entityNames) (kgl.NameMatch, float64) {
	grams := kgl.NameGrams(key)
	low, high := lengthsOf(key)
	best := kgl.NameMatch{Entity: e.entity}
	like := 0.0
	for _, n := range e.names {
		if size := kgl.NameSize(n.key); size < low || size > high {
			continue
		}
		l := kgl.GramLikeness(grams, n.grams)
		if n.key == key {
			l = 1
		}
		if l > like {
			like, best.Name, best.Key, best.Alias = l, n.name, n.key, n.alias
		}
	}
	return best, like
}

// namesOfCandidates reads the candidates with their names, in two queries.
func namesOfCandidates(ctx context.Context, c *conn, candidates []candidate) (map[string]entityNames, error) {
	out := map[string]entityNames{}
	if len(candidates) == 0 {
		return out, nil
	}
	ids := make([]string, len(candidates))
	for i, found := range candidates {
		ids[i] = found.entityID
	}
	list, err := listText(unique(ids))
	if err != nil {
		return nil, err
	}
	entities, err := c.EntitiesByIDs(ctx, list)
	if err != nil {
		return nil, err
	}
	aliases, err := c.EntityAliases(ctx, list)
	if err != nil {
		return nil, err
	}
	byEntity := map[string][]nameGrams{}
	for _, a := range aliases {
		byEntity[a.EntityID] = append(byEntity[a.EntityID], nameGrams{a.Alias, a.AliasKey, true, kgl.NameGrams(a.AliasKey)})
	}
	for _, row := range entities {
		names := append([]nameGrams{{row.Name, row.NameKey, false, kgl.NameGrams(row.NameKey)}}, byEntity[row.ID]...)
		out[row.ID] = entityNames{entity: summaryOf(row), names: names}
	}
	return out, nil
}
