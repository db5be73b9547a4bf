package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// mergeWorld is a small graph with many collisions, and what was done to it.
type mergeWorld struct {
	t        *testing.T
	db       *store.DB
	dice     *rand.Rand
	entities []string
	edges    []string
	inForce  []string
	done     []string // for the message of a failure
	next     int
	clock    time.Time
}

func (w *mergeWorld) id(kind string) string {
	w.next++
	return fmt.Sprintf("%s%03d", kind, w.next)
}

func (w *mergeWorld) now() time.Time {
	w.clock = w.clock.Add(time.Second)
	return w.clock
}

func newMergeWorld(t *testing.T, db *store.DB, seed uint64) *mergeWorld {
	t.Helper()
	w := &mergeWorld{t: t, db: db, dice: rand.New(rand.NewPCG(seed, 1)), clock: now}
	noError(t, db.CreateSource(t.Context(), kgl.Source{
		ID: "s1", URL: "u", URLKey: "u", Host: "h", Status: kgl.SourceActive, Version: 1, CreatedAt: now, UpdatedAt: now,
	}))
	var contents []string
	for i := range 3 {
		id := fmt.Sprint("c", i)
		_, err := db.CreateContents(t.Context(), []kgl.Content{{
			ID: id, SourceID: "s1", GUID: id, IdentityKind: kgl.IdentityGUID, IdentityKey: id,
			ContentBody: kgl.ContentBody{Title: "T", Text: "Text", PublishedAt: now.Add(time.Duration(i) * time.Hour), ContentHash: id},
			Status:      kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: now, UpdatedAt: now,
		}})
		noError(t, err)
		contents = append(contents, id)
	}
	names := []string{"ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"}
	for i, name := range names {
		e := kgl.Entity{
			ID: fmt.Sprintf("e%d", i), Name: name, NameKey: name, Type: []string{"person", "organization"}[i%2],
			Aliases: []string{}, Attributes: []byte("{}"), Confidence: 0.5, Extractor: "mock", Version: 1, CreatedAt: now, UpdatedAt: now,
		}
		for range w.dice.IntN(3) {
			e.Aliases = append(e.Aliases, append(names, "nick", "pet", "short")[w.dice.IntN(len(names)+3)])
		}
		noError(t, db.CreateEntity(t.Context(), e))
		noError(t, db.ExecRaw(t.Context(), fmt.Sprintf("INSERT INTO entity_external_ids (scheme, value, entity_id) VALUES ('x', '%s', '%s')", e.ID, e.ID)))
		w.entities = append(w.entities, e.ID)
	}
	w.addMentions(contents)
	w.addEdges(contents)
	return w
}

func (w *mergeWorld) addMentions(contents []string) {
	var ms []kgl.Mention
	for range 60 {
		start := int64(w.dice.IntN(4))
		ms = append(ms, kgl.Mention{
			ID: w.id("m"), ContentID: contents[w.dice.IntN(len(contents))], Revision: 1, EntityID: w.entities[w.dice.IntN(len(w.entities))],
			Start: start, End: start + 1, Quote: "q", Confidence: 0.5, Extractor: "mock", CreatedAt: now,
		})
	}
	_, err := w.db.InsertMentions(w.t.Context(), ms)
	noError(w.t, err)
}

func (w *mergeWorld) addEdges(contents []string) {
	for range 30 {
		from, to := w.entities[w.dice.IntN(len(w.entities))], w.entities[w.dice.IntN(len(w.entities))]
		if from == to {
			continue
		}
		r := kgl.Relationship{
			ID: w.id("r"), From: kgl.EntityRef{ID: from}, To: kgl.EntityRef{ID: to}, Type: []string{"knows", "owns"}[w.dice.IntN(2)],
			Confidence: float64(1+w.dice.IntN(9)) / 10, Extractor: []string{"mock", "manual"}[w.dice.IntN(2)], Version: 1,
			CreatedAt: now, UpdatedAt: now,
		}
		rs, created, err := w.db.UpsertRelationships(w.t.Context(), []kgl.Relationship{r})
		noError(w.t, err)
		if created[0] {
			w.edges = append(w.edges, rs[0].ID)
		}
		if r.Extractor == "manual" && w.dice.IntN(2) == 0 {
			continue
		}
		var es []kgl.Evidence
		for range 1 + w.dice.IntN(3) {
			start := int64(w.dice.IntN(3))
			es = append(es, kgl.Evidence{
				ID: w.id("v"), RelationshipID: rs[0].ID, ContentID: contents[w.dice.IntN(len(contents))], Revision: 1,
				Start: start, End: start + 1, Quote: "q", Confidence: 0.5, Extractor: "mock", CreatedAt: now,
			})
		}
		noError(w.t, w.db.InsertEvidence(w.t.Context(), es))
	}
}

// snapshot returns every row, without versions and times of change.
func (w *mergeWorld) snapshot() []string {
	w.t.Helper()
	var out []string
	for _, table := range []struct{ name, columns string }{
		{"entities", "id, name, status, COALESCE(merged_into, '-'), mention_count, degree, first_seen_at, last_seen_at"},
		{"entity_aliases", "entity_id, alias_key, alias, type, source, COALESCE(origin_id, '-')"},
		{"entity_external_ids", "entity_id, value, COALESCE(origin_id, '-')"},
		{"mentions", "id, entity_id, COALESCE(origin_id, '-')"},
		{"relationships", "id, from_entity_id, to_entity_id, type, status, COALESCE(merged_into, '-'), confidence, " +
			"COALESCE(CAST(own_confidence AS TEXT), '-'), ROUND(CAST(weight AS NUMERIC), 6), evidence_count, CASE WHEN rejected THEN 1 ELSE 0 END, " +
			"COALESCE(origin_from_id, '-'), COALESCE(origin_to_id, '-')"},
		{"relationship_evidence", "id, relationship_id, COALESCE(origin_id, '-')"},
	} {
		rows, err := w.db.TextRows(w.t.Context(), "SELECT '"+table.name+"'"+joined(table.columns)+" FROM "+table.name)
		noError(w.t, err)
		out = append(out, rows...)
	}
	slices.Sort(out)
	return out
}

// joined returns SQL that appends columns as text.
func joined(columns string) string {
	var b strings.Builder
	depth, start := 0, 0
	for i, c := range columns + "," {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			b.WriteString(" || ' ' || CAST(" + strings.TrimSpace(columns[start:i]) + " AS TEXT)")
			start = i + 1
		}
	}
	return b.String()
}

// check counts everything from scratch and holds it against the rules of merges.
func (w *mergeWorld) check() {
	w.t.Helper()
	const active = "r.status = 'active'"
	for what, query := range map[string]string{
		"degrees": `SELECT id FROM entities e WHERE degree <> (SELECT COUNT(*) FROM relationships r WHERE ` + active + ` AND r.from_entity_id = e.id)
			+ (SELECT COUNT(*) FROM relationships r WHERE ` + active + ` AND r.to_entity_id = e.id)`,
		"mention counts": `SELECT id FROM entities e WHERE mention_count <> (SELECT COUNT(*) FROM mentions m WHERE m.entity_id = e.id)
			OR first_seen_at <> COALESCE((SELECT MIN(m.published_at) FROM mentions m WHERE m.entity_id = e.id), 0)
			OR last_seen_at <> COALESCE((SELECT MAX(m.published_at) FROM mentions m WHERE m.entity_id = e.id), 0)`,
		"evidence counts": `SELECT id FROM relationships r WHERE evidence_count <> (SELECT COUNT(*) FROM relationship_evidence v WHERE v.relationship_id = r.id)`,
		"weights":         `SELECT id FROM relationships WHERE abs(weight - confidence * CASE WHEN evidence_count > 1 THEN evidence_count ELSE 1 END) > 0.000001`,
		"states": `SELECT r.id FROM relationships r JOIN entities f ON f.id = r.from_entity_id JOIN entities t ON t.id = r.to_entity_id
			WHERE r.status <> CASE WHEN r.merged_into IS NOT NULL THEN 'merged' WHEN r.rejected THEN 'rejected'
				WHEN f.status = 'active' AND t.status = 'active' THEN 'active' ELSE 'suppressed' END`,
		"merged entities": `SELECT id FROM entities WHERE (status = 'merged') <> (merged_into IS NOT NULL)`,
		"external ids":    `SELECT x.value FROM entity_external_ids x JOIN entities e ON e.id = x.entity_id WHERE e.status = 'merged'`,
	} {
		rows, err := w.db.TextRows(w.t.Context(), query)
		noError(w.t, err)
		if len(rows) > 0 {
			w.fail("%s are wrong: %v", what, rows)
		}
	}
	w.checkPlaces()
	w.checkHeld("mentions", "entity_id", w.roots())
}

func (w *mergeWorld) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format+"\nafter %s", append(args, strings.Join(w.done, ", "))...)
}

// roots returns the entity that answers for each.
func (w *mergeWorld) roots() map[string]string {
	into := w.pairs("SELECT id || ' ' || merged_into FROM entities WHERE merged_into IS NOT NULL")
	roots := map[string]string{}
	for _, id := range w.entities {
		root := id
		for into[root] != "" {
			root = into[root]
		}
		roots[id] = root
	}
	return roots
}

func (w *mergeWorld) pairs(query string) map[string]string {
	w.t.Helper()
	rows, err := w.db.TextRows(w.t.Context(), query)
	noError(w.t, err)
	out := map[string]string{}
	for _, row := range rows {
		a, b, _ := strings.Cut(row, " ")
		out[a] = b
	}
	return out
}

// checkPlaces checks that relationships stand where they belong, one at each
// place, and that those merged into one belong there too.
func (w *mergeWorld) checkPlaces() {
	w.t.Helper()
	roots := w.roots()
	rows, err := w.db.TextRows(w.t.Context(), `SELECT id || ' ' || from_entity_id || ' ' || to_entity_id || ' ' ||
		COALESCE(origin_from_id, from_entity_id) || ' ' || COALESCE(origin_to_id, to_entity_id) || ' ' || type || ' ' || COALESCE(merged_into, '-')
		FROM relationships`)
	noError(w.t, err)
	place, parent, at := map[string]string{}, map[string]string{}, map[string]string{}
	for _, row := range rows {
		f := strings.Fields(row)
		id, stands := f[0], f[1]+" "+f[2]+" "+f[5]
		origin, belongs := f[3]+" "+f[4]+" "+f[5], roots[f[3]]+" "+roots[f[4]]+" "+f[5]
		place[id] = belongs
		if f[6] != "-" {
			parent[id] = f[6]
		}
		switch loop := roots[f[3]] == roots[f[4]]; {
		case loop && (f[6] != "-" || stands != origin), f[6] != "-" && stands != origin, !loop && f[6] == "-" && stands != belongs:
			w.fail("relationship %s of %s belongs to %s and stands at %s", id, origin, belongs, stands)
		case !loop && f[6] == "-" && at[belongs] != "":
			w.fail("relationships %s and %s are both at %s", id, at[belongs], belongs)
		case !loop && f[6] == "-":
			at[belongs] = id
		}
	}
	for child, p := range parent {
		if place[child] != place[p] {
			w.fail("relationship %s is merged into %s, which is another one", child, p)
		}
	}
	rejected := w.pairs("SELECT id || ' yes' FROM relationships WHERE rejected")
	holders := map[string]string{}
	for id := range place {
		h := id
		for parent[h] != "" && rejected[h] == "" {
			h = parent[h]
		}
		holders[id] = h
	}
	w.checkHeld("relationship_evidence", "relationship_id", holders)
}

// checkHeld checks that rows are held by whom they belong to, unless that one
// has a row of the same place.
func (w *mergeWorld) checkHeld(table, column string, belongs map[string]string) {
	w.t.Helper()
	rows, err := w.db.TextRows(w.t.Context(), "SELECT id || ' ' || "+column+" || ' ' || COALESCE(origin_id, "+column+
		") || ' ' || content_id || '/' || extractor || '/' || start_offset || '/' || end_offset FROM "+table)
	noError(w.t, err)
	held := map[string]bool{}
	for _, row := range rows {
		f := strings.Fields(row)
		held[f[1]+f[3]] = true
	}
	for _, row := range rows {
		f := strings.Fields(row)
		want := belongs[f[2]]
		if f[1] != want && !held[want+f[3]] {
			w.fail("%s %s of %s is held by %s instead of %s", table, f[0], f[2], f[1], want)
		}
	}
}

// same fails when two snapshots differ.
func (w *mergeWorld) same(what string, before, after []string) {
	w.t.Helper()
	if slices.Equal(before, after) {
		return
	}
	missing, extra := map[string]bool{}, map[string]bool{}
	for _, row := range before {
		missing[row] = true
	}
	for _, row := range after {
		if !missing[row] {
			extra[row] = true
		}
		delete(missing, row)
	}
	w.fail("%s:\nbefore\n  %s\nafter\n  %s", what, strings.Join(slices.Sorted(maps.Keys(missing)), "\n  "), strings.Join(slices.Sorted(maps.Keys(extra)), "\n  "))
}
