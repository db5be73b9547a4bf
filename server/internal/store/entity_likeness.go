package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// spelledCandidates returns the entities that have a name which differs from an
// asked one in its spaces only.
func spelledCandidates(ctx context.Context, c *conn, keys, types []string) ([]candidate, error) {
	asked := map[string][]int{}
	for i, key := range keys {
		spelling := kgl.NameSpelling(key)
		asked[spelling] = append(asked[spelling], i)
	}
	if len(asked) == 0 {
		return nil, nil
	}
	list, err := listText(slices.Sorted(maps.Keys(asked)))
	if err != nil {
		return nil, err
	}
	rows, err := c.EntitiesSpelled(ctx, sqlitedb.EntitiesSpelledParams{Spellings: list, RowLimit: int64(spelledEach * len(asked))})
	var out []candidate
	for _, row := range rows {
		if len(types) > 0 && !slices.Contains(types, row.Type) {
			continue
		}
		for _, i := range asked[row.Gram] {
			out = append(out, candidate{asked: i, entityID: row.EntityID})
		}
	}
	return out, err
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
	for _, found := range unique(candidates) { // once by each length of its names
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
	grams, spelling := kgl.NameGrams(key), kgl.NameSpelling(key)
	low, high := lengthsOf(key)
	best := kgl.NameMatch{Entity: e.entity}
	like := 0.0
	for _, n := range e.names {
		if size := kgl.NameSize(n.key); size < low || size > high {
			continue
		}
		l := kgl.GramLikeness(grams, n.grams)
		switch {
		case n.key == key:
			l = 1
		case kgl.NameSpelling(n.key) == spelling:
			l = max(l, kgl.SpellingLikeness)
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
