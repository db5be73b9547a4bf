package builtin

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// marked makes an extraction of names "type:name" wherever the text has them.
func marked(text string, confidence float64, names ...string) kgl.Extraction {
	var x kgl.Extraction
	for _, n := range names {
		typ, name, _ := strings.Cut(n, ":")
		e := kgl.ExtractedEntity{Name: name, Type: typ, Confidence: confidence}
		for from := 0; ; {
			i := strings.Index(text[from:], name)
			if i < 0 {
				break
			}
			start := len([]rune(text[:from+i]))
			e.Spans = append(e.Spans, kgl.Span{Start: int64(start), End: int64(start + len([]rune(name))), Quote: name})
			from += i + len(name)
		}
		x.Entities = append(x.Entities, e)
	}
	return x
}

func pairs(x kgl.Extraction, list []kgl.ExtractedRelationship) (said []string) {
	for _, r := range list {
		said = append(said, x.Entities[r.From].Name+"-"+x.Entities[r.To].Name)
	}
	return said
}

func TestCoOccurrences(t *testing.T) {
	text := "Zoë met Twitch. In Wien, Twitch met Zoë and Ann. Nobody met Bo, for $5."
	x := marked(text, 0.9, "platform:Twitch", "person:Zoë", "person:Ann", "location:Wien", "person:Bo", "amount:$5")
	x.Relationships = []kgl.ExtractedRelationship{{From: 2, To: 0, Type: "works_for"}}
	list := CoOccurrences(x, text)
	if is, want := fmt.Sprint(pairs(x, list)), "[Zoë-Twitch Wien-Twitch Ann-Zoë Wien-Zoë Wien-Ann]"; is != want {
		t.Errorf("%s, want %s", is, want)
	}
	if q := list[0].Evidence.Quote; q != "Zoë met Twitch." {
		t.Errorf("evidence is %q", q)
	}
	x.Relationships = append(x.Relationships, list...)
	x.Extractor, x.ConfigHash = Version, "0123456789abcdef"
	for i := range x.Relationships[:1] {
		x.Relationships[i].Fact, x.Relationships[i].Evidence = "Ann works for Twitch.", list[0].Evidence
	}
	check(t, x, text)
	if again := CoOccurrences(x, text); len(again) != 0 {
		t.Errorf("they are found twice: %q", pairs(x, again))
	}
}

// TestCoOccurrencesAreBounded: a list of names relates nobody, nor does a guess.
func TestCoOccurrencesAreBounded(t *testing.T) {
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("person:N%02d", i))
	}
	text := strings.ReplaceAll(strings.Join(names, " met "), "person:", "") + "."
	x := marked(text, 0.9, names...)
	if n := len(CoOccurrences(x, text)); n != maxPairs {
		t.Errorf("%d pairs, want %d", n, maxPairs)
	}
	if n := len(CoOccurrences(marked(text, 0.4, names...), text)); n != 0 {
		t.Errorf("%d pairs of guesses", n)
	}
	x.Relationships = slices.Repeat([]kgl.ExtractedRelationship{{From: 28, To: 29, Type: "x"}}, maxRelationships-1)
	if n := len(WithCoOccurrences(x, text).Relationships); n != maxRelationships {
		t.Errorf("%d relationships, want %d", n, maxRelationships)
	}
	x = marked(text, 0.9, "person:N01", "person:N02")
	x.Entities[1].Spans = nil
	if n := len(CoOccurrences(x, text)); n != 0 {
		t.Errorf("%d pairs of what has no place", n)
	}
}
