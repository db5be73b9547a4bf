package kgl

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// EntitySummary is what lists of matches show of an entity.
type EntitySummary struct {
	ID           string
	Name         string
	Type         string
	Status       EntityStatus
	Confidence   float64
	Degree       int64
	MentionCount int64
	LastSeenAt   *time.Time
}

// Summary returns the short form of the entity.
func (e Entity) Summary() EntitySummary {
	return EntitySummary{
		ID: e.ID, Name: e.Name, Type: e.Type, Status: e.Status, Confidence: e.Confidence, Degree: e.Degree,
		MentionCount: e.MentionCount, LastSeenAt: e.LastSeenAt,
	}
}

// NameMatch is a name or an alias of an active entity that was found for a
// normalised name.
type NameMatch struct {
	Asked  int // index of the name that was asked for
	Entity EntitySummary
	Name   string // as it is written
	Key    string // NormalizeName(Name)
	Alias  bool

	Likeness float64 // NameLikeness, for similar names
}

// ExternalMatch is an active entity that has an external id.
type ExternalMatch struct {
	ExternalID ExternalID
	Entity     EntitySummary
}

// ContentBrief is what lists of mentions show of an item.
type ContentBrief struct {
	ID          string
	SourceID    string
	Title       string
	URL         string
	Language    string // empty: not known
	PublishedAt time.Time
}

// EntityMention is a mention of an entity with its item.
type EntityMention struct {
	Content ContentBrief
	Mention Mention
}

// EntityContent is an item that mentions an entity, and how often.
type EntityContent struct {
	Content      ContentBrief
	MentionCount int64
}

// NameSimilarity is the least similarity of names that the store looks for, see
// NameLikeness.
const NameSimilarity = 0.5

// NameGrams returns the trigrams of a normalised name in the order of their
// bytes, each once: runs of three characters (code points) of the name with two
// spaces before it and one behind, so that the beginning counts more than the
// end and a name of one character has trigrams, too.
func NameGrams(key string) []string {
	if key == "" {
		return nil
	}
	padded := []rune("  " + key + " ")
	grams := make([]string, 0, len(padded)-2)
	for i := range len(padded) - 2 {
		grams = append(grams, string(padded[i:i+3]))
	}
	slices.Sort(grams)
	return slices.Compact(grams)
}

// spellingMark begins what NameSpelling returns. Normalised names hold none.
const spellingMark = "/"

// NameSpelling returns the form that normalised names have in common that differ
// in their spaces only, as "ko fi" and "kofi" do; no trigram is equal to one.
func NameSpelling(key string) string {
	return spellingMark + strings.ReplaceAll(key, " ", "")
}

// NameTerms returns what a normalised name is found by: its trigrams and its
// spelling.
func NameTerms(key string) []string {
	if key == "" {
		return nil
	}
	return append(NameGrams(key), NameSpelling(key))
}

// SpellingLikeness is the likeness of names that differ in their spaces only.
const SpellingLikeness = 0.95

// NameSize returns the number of characters of a normalised name, as it is
// stored with its trigrams.
func NameSize(key string) int { return utf8.RuneCountInString(key) }

// NameLikeness returns how similar two normalised names are, from 0 (they have
// no trigram in common) to 1: the coefficient of L. R. Dice ("Measures of the
// Amount of Ecologic Association Between Species", Ecology 26, 1945) of their
// sets of trigrams, twice the common ones by all of both. When they differ in
// their spaces only, it is SpellingLikeness at least.
func NameLikeness(a, b string) float64 {
	switch {
	case a == b:
		return 1
	case NameSpelling(a) == NameSpelling(b):
		return max(SpellingLikeness, GramLikeness(NameGrams(a), NameGrams(b)))
	}
	return GramLikeness(NameGrams(a), NameGrams(b))
}

// GramLikeness is the coefficient of two sets of trigrams as NameGrams returns
// them.
func GramLikeness(a, b []string) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	common := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			common, i, j = common+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return 2 * float64(common) / float64(len(a)+len(b))
}
