package graph

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of suggestions.
const (
	DefaultSuggestions = 10
	MaxSuggestions     = 20

	// leastSimilar is the number of characters from which on similar names are
	// looked for: two characters are similar to too much.
	leastSimilar = 3
)

// MatchKind says what of an entity was found to fit.
type MatchKind string

// The kinds of a match.
const (
	MatchExternalID MatchKind = "external_id"
	MatchName       MatchKind = "name"
	MatchAlias      MatchKind = "alias"
	MatchPrefix     MatchKind = "prefix"  // of the name or an alias
	MatchSimilar    MatchKind = "similar" // the name or an alias
)

// Match is an entity that fits what was asked for.
type Match struct {
	Entity  kgl.EntitySummary
	Score   float64
	Kind    MatchKind
	Matched string // the name or the alias that fits, or the value of the external id
}

// Suggest returns the active entities of the types (none: of all) whose names or
// aliases begin with a text, written in any case and punctuation: first those
// that are called so exactly, then the best connected; and, when there is room
// for more, those with similar names, the most similar first. At most limit; 0
// or less is DefaultSuggestions. CodeInvalid.
//
// Score is 1 for the same name, the part of the name that was typed for a
// beginning, and kgl.NameLikeness for a similar name.
func (s *Entities) Suggest(ctx context.Context, text string, types []string, limit int) ([]Match, error) {
	var faults faults
	faults.add("q", textFault(text, 1, MaxNameRunes))
	faults.addTypes(types)
	if err := faults.err(); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = DefaultSuggestions
	}
	limit = min(limit, MaxSuggestions)
	key := nameKey(text)
	if key == "" { // nothing but punctuation: no name begins so
		return nil, nil
	}
	found, err := s.store.PrefixMatches(ctx, key, types, limit)
	if err != nil {
		return nil, err
	}
	matches := make([]Match, 0, limit)
	seen := map[string]bool{}
	for _, m := range found {
		seen[m.Entity.ID] = true
		matches = append(matches, prefixMatch(key, m))
	}
	if len(matches) == limit || kgl.NameSize(key) < leastSimilar {
		return matches, nil
	}
	similar, err := s.store.SimilarMatches(ctx, []string{key}, types, limit)
	if err != nil {
		return nil, err
	}
	for _, m := range similar {
		if len(matches) < limit && !seen[m.Entity.ID] {
			seen[m.Entity.ID] = true
			matches = append(matches, Match{Entity: m.Entity, Score: m.Likeness, Kind: MatchSimilar, Matched: m.Name})
		}
	}
	return matches, nil
}

func prefixMatch(key string, m kgl.NameMatch) Match {
	match := Match{Entity: m.Entity, Score: 1, Kind: MatchPrefix, Matched: m.Name}
	switch {
	case m.Key != key:
		match.Score = float64(kgl.NameSize(key)) / float64(kgl.NameSize(m.Key))
	case m.Alias:
		match.Kind = MatchAlias
	default:
		match.Kind = MatchName
	}
	return match
}
