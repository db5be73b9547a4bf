package graph

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of a resolution.
const (
	MaxNames           = 100
	MaxCandidates      = 10
	DefaultCandidates  = 3
	maxNameExternalIDs = 10
)

// What the score of a candidate says. The score of a similar name is its
// likeness times the factor of its type.
const (
	scoreExternalID    = 1.0
	scoreName          = 1.0
	scoreAlias         = 0.95
	scoreNameOfOther   = 0.9 // of another type than was asked for
	scoreAliasOfOther  = 0.85
	factorSimilar      = 0.9
	factorSimilarOther = 0.8
)

// Name is a name that is to be resolved. Type may be empty: any.
type Name struct {
	Name        string
	Type        string
	ExternalIDs []kgl.ExternalID
}

// Resolve returns, for each of the names, the active entities that it may stand
// for, best first, at most limit (0: DefaultCandidates) with at least the score.
// However many names there are, it asks the store a fixed number of questions.
// CodeInvalid.
//
// The score is 1 for the same external id and for the same name, 0.95 for an
// alias, 0.9 and 0.85 when the entity is of another type than the name, and for
// a similar name, or one with other spaces, kgl.NameLikeness times 0.9, or times
// 0.8 when the type differs.
// Of the same score, the better connected entity comes first.
func (s *Entities) Resolve(ctx context.Context, names []Name, limit int, minScore float64) ([][]Match, error) {
	if err := checkNames(names, minScore); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = DefaultCandidates
	}
	r := resolution{store: s.store, names: names, limit: min(limit, MaxCandidates), minScore: minScore, best: make([]map[string]Match, len(names))}
	for i := range r.best {
		r.best[i] = map[string]Match{}
	}
	for _, step := range []func(context.Context) error{r.byExternalID, r.byName, r.bySimilarity} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return r.candidates(), nil
}

func checkNames(names []Name, minScore float64) error {
	var faults faults
	if len(names) == 0 || len(names) > MaxNames {
		faults.add("names", fmt.Sprintf("must be 1 to %d", MaxNames))
		names = nil
	}
	if !(minScore >= 0 && minScore <= 1) {
		faults.add("min_score", "must be from 0 to 1")
	}
	for i, n := range names {
		at := fmt.Sprintf("names[%d].", i)
		faults.add(at+"name", textFault(n.Name, 1, MaxNameRunes))
		if n.Type != "" && !kgl.ValidType(n.Type) {
			faults = append(faults, invalidType(at+"type").Fields...)
		}
		if len(n.ExternalIDs) > maxNameExternalIDs {
			faults.add(at+"external_ids", fmt.Sprintf("must be at most %d", maxNameExternalIDs))
		}
		for k, x := range n.ExternalIDs {
			if !schemePattern.MatchString(x.Scheme) {
				faults.add(fmt.Sprintf("%sexternal_ids[%d].scheme", at, k), "must be a lower-case word of at most 40 letters, digits, dots, hyphens and underscores")
			}
			if fault := textFault(x.Value, 1, MaxExternalRunes); fault != "" {
				faults.add(fmt.Sprintf("%sexternal_ids[%d].value", at, k), fault)
			}
		}
	}
	return faults.err()
}

// resolution is one call of Resolve.
type resolution struct {
	store    kgl.Store
	names    []Name
	limit    int
	minScore float64
	best     []map[string]Match // of each name by entity
}

// note keeps a match unless the entity has a better one for the name already.
func (r *resolution) note(name int, m Match) {
	if m.Score < r.minScore {
		return
	}
	if have, ok := r.best[name][m.Entity.ID]; !ok || m.Score > have.Score {
		r.best[name][m.Entity.ID] = m
	}
}

func (r *resolution) byExternalID(ctx context.Context) error {
	asked := map[kgl.ExternalID][]int{}
	var ids []kgl.ExternalID
	for i, n := range r.names {
		for _, x := range n.ExternalIDs {
			if asked[x] == nil {
				ids = append(ids, x)
			}
			asked[x] = append(asked[x], i)
		}
	}
	found, err := r.store.ExternalMatches(ctx, ids)
	for _, m := range found {
		for _, i := range asked[m.ExternalID] {
			r.note(i, Match{Entity: m.Entity, Score: scoreExternalID, Kind: MatchExternalID, Matched: m.ExternalID.Value})
		}
	}
	return err
}

func (r *resolution) byName(ctx context.Context) error {
	keys := make([]string, len(r.names))
	for i, n := range r.names {
		keys[i] = nameKey(n.Name)
	}
	found, err := r.store.ExactMatches(ctx, keys)
	for _, m := range found {
		match := Match{Entity: m.Entity, Score: scoreName, Kind: MatchName, Matched: m.Name}
		if m.Alias {
			match.Score, match.Kind = scoreAlias, MatchAlias
		}
		if r.differs(m.Asked, m.Entity) {
			match.Score = scoreNameOfOther
			if m.Alias {
				match.Score = scoreAliasOfOther
			}
		}
		r.note(m.Asked, match)
	}
	return err
}

// differs tells whether an entity is of another type than a name asks for.
func (r *resolution) differs(name int, e kgl.EntitySummary) bool {
	return r.names[name].Type != "" && r.names[name].Type != e.Type
}

// bySimilarity looks for similar names of those that have not enough candidates.
func (r *resolution) bySimilarity(ctx context.Context) error {
	if r.minScore > factorSimilar {
		return nil
	}
	var keys []string
	var asked []int
	for i, n := range r.names {
		if key := nameKey(n.Name); len(r.best[i]) < r.limit && kgl.NameSize(key) >= leastSimilar {
			keys, asked = append(keys, key), append(asked, i)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := r.store.SimilarMatches(ctx, keys, nil, MaxCandidates)
	for _, m := range found {
		i, factor := asked[m.Asked], factorSimilar
		if r.differs(i, m.Entity) {
			factor = factorSimilarOther
		}
		r.note(i, Match{Entity: m.Entity, Score: m.Likeness * factor, Kind: MatchSimilar, Matched: m.Name})
	}
	return err
}

// candidates returns the best matches of each name.
func (r *resolution) candidates() [][]Match {
	out := make([][]Match, len(r.names))
	for i, best := range r.best {
		matches := make([]Match, 0, len(best))
		for _, m := range best {
			matches = append(matches, m)
		}
		slices.SortFunc(matches, func(a, b Match) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.Entity.Degree, a.Entity.Degree), cmp.Compare(a.Entity.ID, b.Entity.ID))
		})
		out[i] = matches[:min(r.limit, len(matches))]
	}
	return out
}
