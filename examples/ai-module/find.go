package main

import (
	"context"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

// capitalised finds names of two to four words. It stands where the AI module
// has a language model.
var capitalised = regexp.MustCompile(`\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+){1,3}`)

// extract returns what the text of an item speaks of: at most five names, and
// that the first was mentioned beside the second.
func extract(ctx context.Context, task client.WorkItem, think time.Duration) (client.WorkCompletion, error) {
	result := client.WorkCompletion{
		LeaseToken: task.LeaseToken, Extractor: client.ExtractorName{Name: "example-names", Version: "1"},
		Model: examples.Ptr("capitals"), Entities: []client.ExtractedEntity{}, Relationships: []client.ExtractedRelationship{},
	}
	select {
	case <-time.After(think):
	case <-ctx.Done():
		return result, ctx.Err()
	}
	text := task.Content.Text
	place := map[string]int{}
	for _, at := range capitalised.FindAllStringIndex(text, -1) {
		name := text[at[0]:at[1]]
		mention := span(text, at[0], at[1])
		i, known := place[name]
		switch {
		case known && len(result.Entities[i].Mentions) < 50:
			result.Entities[i].Mentions = append(result.Entities[i].Mentions, mention)
		case !known && len(place) < 5:
			place[name] = len(result.Entities)
			result.Entities = append(result.Entities, client.ExtractedEntity{
				Name: name, Type: "concept", Confidence: 0.5, Mentions: []client.TextSpan{mention},
			})
		}
	}
	if len(result.Entities) > 1 {
		first, second := result.Entities[0].Mentions[0], result.Entities[1].Mentions[0]
		result.Relationships = append(result.Relationships, client.ExtractedRelationship{
			From: 0, To: 1, Type: "mentioned_with", Confidence: 0.3, Evidence: client.TextSpan{Start: first.Start, End: second.End},
		})
	}
	return result, nil
}

// span returns a place in a text: offsets count its characters (Unicode code
// points), not bytes, and the end is exclusive.
func span(text string, from, to int) client.TextSpan {
	start := utf8.RuneCountInString(text[:from])
	quote := text[from:to]
	return client.TextSpan{Start: start, End: start + utf8.RuneCountInString(quote), Quote: &quote}
}
