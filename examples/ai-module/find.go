package main

import (
	"regexp"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/gen/client"
)

// finding is an entity that the model saw, with where it saw it.
type finding struct {
	Name, Type string
	Confidence float64
	Evidence   evidence
}

// evidence says where: offsets count characters of content_text, which is why
// they belong to one revision of the item.
type evidence struct {
	ContentID string `json:"content_id"`
	Revision  int    `json:"revision"`
	Start     int    `json:"start"`
	End       int    `json:"end"`
	Quote     string `json:"quote"`
}

// model is what the attributes of an entity say about who found it.
const model = "example-names-1"

// capitalised finds names of two to four words. It stands where the AI module
// has a language model.
var capitalised = regexp.MustCompile(`\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+){1,3}`)

// findEntities returns what the text of an item speaks of, each name once.
func findEntities(item client.Content) []finding {
	if item.ContentText == nil {
		return nil
	}
	text := *item.ContentText
	seen := map[string]bool{}
	var found []finding
	for _, at := range capitalised.FindAllStringIndex(text, -1) {
		name := text[at[0]:at[1]]
		if seen[name] || len(found) == 5 {
			continue
		}
		seen[name] = true
		start := utf8.RuneCountInString(text[:at[0]])
		found = append(found, finding{Name: name, Type: "concept", Confidence: 0.5, Evidence: evidence{
			ContentID: item.ID, Revision: item.Revision, Start: start, End: start + utf8.RuneCountInString(name), Quote: name,
		}})
	}
	return found
}
