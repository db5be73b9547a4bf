package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of the search for similar names.
const (
	// gramRows is how many rows of trigrams are read for one of the asked names,
	// and gramRowsFewest when there are very many of them.
	gramRows       = 2000
	gramRowsFewest = 500
	manyNames      = 20

	// A trigram that so many names have is looked up among those of nearly the
	// same length only, and not at all when so many of these have it.
	commonGram     = 300
	veryCommonGram = 600
	nearlySame     = 2 // characters more or less

	// candidatesEach is how many names are compared with an asked one, and
	// candidatesFewest when there are very many of these.
	candidatesEach   = 40
	candidatesFewest = 15

	// spelledEach is how many entities, on average, are compared with an asked
	// name because their names differ from it in their spaces only.
	spelledEach = 50
)

// gramCount asks how many names of lengths have a trigram.
type gramCount struct {
	Gram string `json:"gram"`
	Low  int    `json:"low"`
	High int    `json:"high"`
}

// gramLookups are the trigrams to look up for one of the asked names.
type gramLookups struct {
	Asked   int         `json:"asked"`
	Grams   int         `json:"grams"` // of the asked name
	Lookups []gramCount `json:"lookups"`
}

// SimilarMatches implements kgl.EntityStore. A name that is similar enough has
// so many of the trigrams of the asked one that it has some of the rarest, which
// alone are looked up, until enough rows were read (the prefix filter of S.
// Chaudhuri, V. Ganti, R. Kaushik: "A Primitive Operator for Similarity Joins in
// Data Cleaning", ICDE 2006). Which ones are rare is counted, to a bound.
func (db *DB) SimilarMatches(ctx context.Context, keys, types []string, limit int) ([]kgl.NameMatch, error) {
	rows, each := gramRows, candidatesEach
	if len(keys) > manyNames {
		rows, each = gramRowsFewest, candidatesFewest
	}
	var out []kgl.NameMatch
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		lookups, err := chooseGrams(ctx, c, keys, rows)
		if err != nil {
			return err
		}
		candidates, err := similarCandidates(ctx, c, lookups, types, each)
		if err != nil {
			return err
		}
		spelled, err := spelledCandidates(ctx, c, keys, types)
		if err != nil {
			return err
		}
		candidates = append(candidates, spelled...)
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

// countGrams counts the names that have each of the trigrams, to a bound.
func countGrams(ctx context.Context, c *conn, asked []gramCount, most int) (map[gramCount]int, error) {
	counts := map[gramCount]int{}
	if len(asked) == 0 {
		return counts, nil
	}
	asked = unique(asked)
	text, err := jsonText(asked)
	if err != nil {
		return nil, err
	}
	rows, err := c.NameGramCounts(ctx, sqlitedb.NameGramCountsParams{Grams: text, Most: int64(most)})
	for _, row := range rows {
		counts[asked[row.Place]] = int(row.NameCount)
	}
	return counts, err
}

// chooseGrams returns the trigrams of each of the names to look up: the rarest,
// as many as give the rows that may be read.
func chooseGrams(ctx context.Context, c *conn, keys []string, rows int) ([]gramLookups, error) {
	wide := make([][]gramCount, len(keys))
	for i, key := range keys {
		low, high := lengthsOf(key)
		for _, gram := range kgl.NameGrams(key) {
			wide[i] = append(wide[i], gramCount{Gram: gram, Low: low, High: high})
		}
	}
	counts, err := countGrams(ctx, c, slices.Concat(wide...), commonGram)
	if err != nil {
		return nil, err
	}
	var narrow []gramCount
	for i, key := range keys {
		for n, g := range wide[i] {
			if size := kgl.NameSize(key); counts[g] >= commonGram {
				wide[i][n] = gramCount{Gram: g.Gram, Low: max(g.Low, size-nearlySame), High: min(g.High, size+nearlySame)}
				narrow = append(narrow, wide[i][n])
			}
		}
	}
	near, err := countGrams(ctx, c, narrow, veryCommonGram)
	if err != nil {
		return nil, err
	}
	lookups := make([]gramLookups, 0, len(keys))
	for i := range keys {
		if l := rarest(wide[i], counts, near, rows); len(l) > 0 {
			lookups = append(lookups, gramLookups{Asked: i, Grams: len(wide[i]), Lookups: l})
		}
	}
	return lookups, nil
}

// rarest returns the rarest of the trigrams that some name has: those that are
// rare among names of all lengths before those that are among names of one.
func rarest(grams []gramCount, counts, near map[gramCount]int, rows int) []gramCount {
	type option struct {
		gram   gramCount
		common bool
		rows   int
	}
	var options []option
	for _, g := range grams {
		if n, ok := near[g]; ok {
			options = append(options, option{g, true, n})
		} else {
			options = append(options, option{g, false, counts[g]})
		}
	}
	options = slices.DeleteFunc(options, func(o option) bool { return o.rows == 0 || o.common && o.rows >= veryCommonGram })
	slices.SortStableFunc(options, func(a, b option) int {
		return cmp.Or(compareBool(a.common, b.common), cmp.Compare(a.rows, b.rows))
	})
	var chosen []gramCount
	for _, o := range options {
		if rows -= o.rows; rows < 0 && len(chosen) > 0 {
			break
		}
		chosen = append(chosen, o.gram)
	}
	return chosen
}

// candidate is an entity that may have a name similar to an asked one.
type candidate struct {
	asked    int
	entityID string
}

// The statements that look trigrams up. The candidates of a name are those that
// have most of the trigrams that were looked up, by the length of the name.
const (
	// One term for each asked name, of which SQLite has no other way to take the
	// best in one statement without sorting all that it finds.
	similarSQLite sqlText = `SELECT * FROM (SELECT %[2]s AS asked, g.entity_id
FROM json_each(%[1]s) q CROSS JOIN entity_name_grams g%[4]s
WHERE g.gram = json_extract(q.value, '$.gram') AND g.size >= json_extract(q.value, '$.low') AND g.size <= json_extract(q.value, '$.high')%[5]s
GROUP BY g.entity_id, g.size
ORDER BY COUNT(*) * 1.0 / (%[3]s + g.size) DESC, g.entity_id LIMIT ?1)`

	similarPostgres sqlText = `SELECT a.asked, f.entity_id
FROM jsonb_to_recordset(CAST($1::text AS JSONB)) AS a (asked BIGINT, grams BIGINT, lookups JSONB)
CROSS JOIN LATERAL (
  SELECT g.entity_id FROM jsonb_to_recordset(a.lookups) AS q (gram TEXT, low BIGINT, high BIGINT)
  CROSS JOIN LATERAL (
    SELECT n.entity_id, n.size FROM entity_name_grams n WHERE n.gram = q.gram AND n.size >= q.low AND n.size <= q.high OFFSET 0
  ) AS g%[1]s
  GROUP BY g.entity_id, g.size
  ORDER BY COUNT(*) * 1.0 / (a.grams + g.size) DESC, g.entity_id LIMIT $2::bigint
) AS f`

	typedSQLite   sqlText = ` JOIN entities e ON e.id = g.entity_id`
	ofTypesSQLite sqlText = ` AND e.type IN (SELECT value FROM json_each(%s))`
	typedPostgres sqlText = `
  JOIN entities e ON e.id = g.entity_id AND e.type = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST($3::text AS JSONB))))`
)

// similarQuery returns the statement that finds candidates and its parameters.
func similarQuery(e Engine, lookups []gramLookups, types []string, each int) (string, []any, error) {
	list, err := listText(types)
	if err != nil {
		return "", nil, err
	}
	if e == Postgres {
		text, err := jsonText(lookups)
		if len(types) == 0 {
			return fmt.Sprintf(string(similarPostgres), ""), []any{text, int64(each)}, err
		}
		return fmt.Sprintf(string(similarPostgres), typedPostgres), []any{text, int64(each), list}, err
	}
	args := []any{int64(each)}
	var join, of sqlText
	if len(types) > 0 {
		args = append(args, list)
		join, of = typedSQLite, sqlText(fmt.Sprintf(string(ofTypesSQLite), "?2"))
	}
	terms := make([]string, termsOf(len(lookups)))
	for i := range terms {
		l := gramLookups{Lookups: []gramCount{}}
		if i < len(lookups) {
			l = lookups[i]
		}
		text, err := jsonText(l.Lookups)
		if err != nil {
			return "", nil, err
		}
		n := len(args)
		args = append(args, text, int64(l.Asked), int64(l.Grams))
		terms[i] = fmt.Sprintf(string(similarSQLite), sqliteParam(n+1), sqliteParam(n+2), sqliteParam(n+3), join, of)
	}
	return strings.Join(terms, "\nUNION ALL "), args, nil
}

// termsOf returns the number of terms of the statement for so many names: 1, 10
// or 100, so that SQLite keeps few of them prepared.
func termsOf(names int) int {
	terms := 1
	for terms < names {
		terms *= 10
	}
	return terms
}

// sqliteParam returns that of the n-th parameter of a statement of SQLite.
func sqliteParam(n int) string { return "?" + strconv.Itoa(n) }

// similarCandidates returns the entities that have most of the trigrams, for
// each of the asked names.
func similarCandidates(ctx context.Context, c *conn, lookups []gramLookups, types []string, each int) ([]candidate, error) {
	if len(lookups) == 0 {
		return nil, nil
	}
	query, args, err := similarQuery(c.engine, lookups, types, each)
	if err != nil {
		return nil, err
	}
	rs, err := c.query(ctx, query, args)
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
