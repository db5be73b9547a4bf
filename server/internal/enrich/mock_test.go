package enrich

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func extract(t *testing.T, title, text string) kgl.Extraction {
	t.Helper()
	x, err := NewMock().Extract(context.Background(), content(title, text))
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(x, text); err != nil {
		t.Fatalf("the extraction breaks its own rules: %v", err)
	}
	return x
}

func content(title, text string) kgl.Content {
	return kgl.Content{ContentBody: kgl.ContentBody{Title: title, Text: text}}
}

// names returns "type: name" of every entity, sorted.
func names(x kgl.Extraction) []string {
	out := []string{}
	for _, e := range x.Entities {
		out = append(out, e.Type+": "+e.Name)
	}
	slices.Sort(out)
	return out
}

// edges returns "from relation to" of every relationship, sorted.
func edges(x kgl.Extraction) []string {
	out := []string{}
	for _, r := range x.Relationships {
		out = append(out, x.Entities[r.From].Name+" "+r.Type+" "+x.Entities[r.To].Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestMockFindsEntities(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"grant by its last word", "Apply for the Aurora Documentary Fund today.", []string{"grant: Aurora Documentary Fund"}},
		{"grant with what it is for", "She read about the Winter Grant for Rural Makers there.", []string{"grant: Winter Grant for Rural Makers"}},
		{"two names around of", "Applicants of the Aurora Fund of Northlight Foundation wait.", []string{"grant: Aurora Fund", "organization: Northlight Foundation"}},
		{"program", "The Open Lens Residency began.", []string{"program: Open Lens Residency"}},
		{"organization by form", "They wrote to Quill & Sons Ltd and the University of Porto.", []string{"organization: Quill & Sons Ltd", "organization: University of Porto"}},
		{"organization by what it does", "In spring Quillworks launched something.", []string{"organization: Quillworks"}},
		{"organization by apposition", "There is Quillworks, a small publisher, for instance.", []string{"organization: Quillworks"}},
		{"platform known", "Many left Twitch for YouTube Shorts.", []string{"platform: Twitch", "platform: YouTube"}},
		{"platform by apposition", "There is Zimbel, a video platform, for instance.", []string{"platform: Zimbel"}},
		{"platform needs a capital", "a medium rare steak and a patreon", nil},
		{"common word at the start", "Medium heat is best. She posts on Medium.", []string{"platform: Medium"}},
		{"person by first name", "We met Zoë Lindqvist there.", []string{"person: Zoë Lindqvist"}},
		{"person by title", "We met illustrator Quorra Belvane there.", []string{"person: Quorra Belvane"}},
		{"person by speech", "“Fine,” says Quorra Belvane.", []string{"person: Quorra Belvane"}},
		{"title is no name", "CEO Ada Okafor agreed.", []string{"person: Ada Okafor"}},
		{"event without its year", "See you at Maker Commons Summit 2026 then.", []string{"event: Maker Commons Summit"}},
		{"location", "He moved from São Paulo to Reykjavík.", []string{"location: Reykjavík", "location: São Paulo"}},
		{"location by based in", "The studio, based in Wexmoor, is small.", []string{"location: Wexmoor"}},
		{"concepts in any form", "Subscriptions and a brand deal pay for the newsletter.", []string{"concept: brand deal", "concept: newsletter", "concept: subscription"}},
		{"possessive ends a name", "Patreon’s Creator Prize is new.", []string{"grant: Creator Prize", "platform: Patreon"}},
		{"short forms", "Zoë Lindqvist runs Pictura Studios. Lindqvist says Pictura grows.", []string{"organization: Pictura Studios", "person: Zoë Lindqvist"}},
		{"no name at the start of a sentence", "Nobody launched anything. However, it opened.", nil},
		{"capitals all through", "THIS IS NOT A LIST OF NAMES BUT A VERY LOUD HEADLINE FOR ALL", nil},
		{"a letter is no name", "We use platform N and like it.", nil},
		{"nothing", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := names(extract(t, "", c.text)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMockFindsRelationships(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"Pictura Studios launched the First Reel Grant.", []string{"Pictura Studios offers First Reel Grant"}},
		{"Pictura Studios hosts the Open Studio Forum.", []string{"Pictura Studios hosts Open Studio Forum"}},
		{"The Open Studio Forum is hosted by Pictura Studios and Twitch.", []string{"Pictura Studios hosts Open Studio Forum", "Twitch hosts Open Studio Forum"}},
		{"Pictura Studios acquired Polar Press.", []string{"Pictura Studios acquires Polar Press"}},
		{"Polar Press was acquired by Pictura Studios.", []string{"Pictura Studios acquires Polar Press"}},
		{"Polar Press is based in Oslo.", []string{"Polar Press located_in Oslo"}},
		{"We like the Oslo-based Polar Press.", []string{"Polar Press located_in Oslo"}},
		{"Polar Press partners with YouTube.", []string{"Polar Press partners_with YouTube"}},
		{"Ada Okafor, founder of Polar Press, left.", []string{"Ada Okafor founded Polar Press"}},
		{"Polar Press was founded by Ada Okafor.", []string{"Ada Okafor founded Polar Press"}},
		{"Polar Press founder Ada Okafor left.", []string{"Ada Okafor founded Polar Press"}},
		{"Ada Okafor, director of Polar Press, left.", []string{"Ada Okafor works_for Polar Press"}},
		{"The Aurora Fund is funded by Polar Press.", []string{"Aurora Fund funded_by Polar Press"}},
		{"Polar Press backed Pictura Studios.", []string{"Pictura Studios funded_by Polar Press"}},
		{"Ada Okafor speaks at the Open Studio Forum.", []string{"Ada Okafor speaks_at Open Studio Forum"}},
		{"Ada Okafor received the Aurora Fund.", []string{"Ada Okafor received Aurora Fund"}},
		{"Ada Okafor completed the Open Lens Residency.", []string{"Ada Okafor participated_in Open Lens Residency"}},
		{"The Aurora Fund covers short-form video.", []string{"Aurora Fund focuses_on short-form video"}},
		{"We saw Polar Press. Acquired by whom? Pictura Studios waits.", nil}, // never across sentences
		{"Polar Press launched.", nil},
	} {
		if got := edges(extract(t, "", c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%s\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

func TestMockEvidenceQuotesBothEnds(t *testing.T) {
	text := "Žižka wrote: “Łódź — Polar Press was acquired by Pictura Studios, says 渡辺.”"
	x := extract(t, "", text)
	if len(x.Relationships) != 1 {
		t.Fatalf("relationships: %+v", x.Relationships)
	}
	if got, want := x.Relationships[0].Evidence.Quote, "Polar Press was acquired by Pictura Studios"; got != want {
		t.Errorf("evidence %q, want %q", got, want)
	}
}

func TestMockTitleHelps(t *testing.T) {
	text := "It is now open. Zimbel pays well."
	if got := names(extract(t, "", text)); len(got) != 0 {
		t.Fatalf("without title: %q", got)
	}
	x := extract(t, "News of Zimbel, a video platform", text)
	if got := names(x); !slices.Equal(got, []string{"platform: Zimbel"}) {
		t.Errorf("with title: %q", got)
	}
	plain := extract(t, "", "We met Zoë Lindqvist.").Entities[0].Confidence
	if titled := extract(t, "About Zoë Lindqvist", "We met Zoë Lindqvist.").Entities[0].Confidence; titled <= plain {
		t.Errorf("confidence %v with the name in the title, %v without", titled, plain)
	}
}

func TestMockIsMarkedAndDeterministic(t *testing.T) {
	text := strings.Repeat("Polar Press of Oslo partners with Twitch, says Zoë Lindqvist. ", 5)
	first := extract(t, "", text)
	if first.Extractor != kgl.ExtractorMock || NewMock().Name() != kgl.ExtractorMock {
		t.Errorf("extractor %q", first.Extractor)
	}
	for range 5 {
		if again := extract(t, "", text); !reflect.DeepEqual(first, again) {
			t.Fatal("the same text gave another result")
		}
	}
}

func TestMockIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "We met Ada Okafor%c%d and Polar%d Press; Twitch acquired Polar%d Press. ", 'a'+rune(i%26), i, i, i)
	}
	x := extract(t, "", b.String())
	if len(x.Entities) > MaxEntities || len(x.Relationships) > MaxRelationships {
		t.Errorf("%d entities, %d relationships", len(x.Entities), len(x.Relationships))
	}
	for _, e := range x.Entities {
		if len(e.Spans) > MaxSpans {
			t.Errorf("%s has %d spans", e.Name, len(e.Spans))
		}
	}
}

// Whatever the text, spans quote it, offsets count code points, and names and
// types are valid: Check holds in extract.
func TestMockPropertiesOnRandomText(t *testing.T) {
	pieces := []string{
		"Zoë Lindqvist", "渡辺 美咲", "Ember & Oak Studio", "Łódź", "São Paulo", "YouTube", "🎬", "e\u0301", "\u00a0", "\n", ". ", ", ",
		" says ", " acquired ", "founder of ", "’s", "'s", "-based ", "“", "”", "the Aurora Fund", "2026", " ", "  ", "\u2028", "ﬁ", "ǅ",
		"İstanbul", "ẞ", "Σίσυφος Foundation", "Dr.", "J.", "newsletter", "\x00", "\xff", "AT&T", "a.b.c", "---", "\U0001F468\u200d\U0001F469",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var title, text strings.Builder
		for range r.IntN(6) {
			title.WriteString(pieces[r.IntN(len(pieces))])
		}
		for range r.IntN(40) {
			text.WriteString(pieces[r.IntN(len(pieces))])
		}
		x := extract(t, title.String(), text.String())
		runes := []rune(text.String())
		for _, e := range x.Entities {
			for _, s := range e.Spans {
				if got := string(runes[s.Start:s.End]); got != s.Quote {
					t.Fatalf("text %q: span %+v is %q", text.String(), s, got)
				}
			}
		}
	}
}

func FuzzMock(f *testing.F) {
	f.Add("Pictura wins", "Pictura Studios, based in Oslo, acquired Polar Press. \u2028 Zoë Lindqvist’s letter")
	mock := NewMock()
	f.Fuzz(func(t *testing.T, title, text string) {
		x, err := mock.Extract(context.Background(), content(title, text))
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(x, text); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func TestMockObeysContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewMock().Extract(ctx, content("", "text")); !kgl.Is(err, kgl.CodeTimeout) {
		t.Errorf("error %v", err)
	}
}

func TestCheckRefusesWhatIsNotOfTheText(t *testing.T) {
	text := "Zoë met Zoë"
	good := kgl.Span{Start: 0, End: 3, Quote: "Zoë"}
	entity := func(change func(*kgl.ExtractedEntity)) kgl.Extraction {
		e := kgl.ExtractedEntity{Name: "Zoë", Type: "person", Confidence: 1, Spans: []kgl.Span{good}}
		other := e
		change(&e)
		return kgl.Extraction{Extractor: "example-ner@3.1", Entities: []kgl.ExtractedEntity{e, other}}
	}
	relationship := func(r kgl.ExtractedRelationship) kgl.Extraction {
		x := entity(func(*kgl.ExtractedEntity) {})
		x.Relationships = []kgl.ExtractedRelationship{r}
		return x
	}
	named := func(extractor string) kgl.Extraction {
		x := entity(func(*kgl.ExtractedEntity) {})
		x.Extractor = extractor
		return x
	}
	dated := func(from string) kgl.Extraction {
		return relationship(kgl.ExtractedRelationship{To: 1, Type: "knows", Evidence: good, ValidFrom: from})
	}
	for name, x := range map[string]kgl.Extraction{
		"a relationship":      relationship(kgl.ExtractedRelationship{To: 1, Type: "knows", Evidence: good}),
		"without a version":   named("mock"),
		"of a year":           dated("2026"),
		"of a month":          dated("2026-02"),
		"of a day":            dated("2024-02-29"),
		"with a long alias":   entity(func(e *kgl.ExtractedEntity) { e.Aliases = []string{strings.Repeat("é", 300)} }),
		"with an external id": entity(func(e *kgl.ExtractedEntity) { e.ExternalIDs = []kgl.ExternalID{{Scheme: "wikidata", Value: "Q1"}} }),
	} {
		if err := Check(x, text); err != nil {
			t.Errorf("a good extraction %s: %v", name, err)
		}
	}
	for name, x := range map[string]kgl.Extraction{
		"bytes instead of code points": entity(func(e *kgl.ExtractedEntity) { e.Spans = []kgl.Span{{Start: 9, End: 13, Quote: "Zoë"}} }),
		"another quote":                entity(func(e *kgl.ExtractedEntity) { e.Spans[0].Quote = "Zoe" }),
		"an empty span":                entity(func(e *kgl.ExtractedEntity) { e.Spans = []kgl.Span{{Start: 1, End: 1}} }),
		"no span":                      entity(func(e *kgl.ExtractedEntity) { e.Spans = nil }),
		"a name of punctuation":        entity(func(e *kgl.ExtractedEntity) { e.Name = "?!" }),
		"a name with NUL":              entity(func(e *kgl.ExtractedEntity) { e.Name = "a\x00" }),
		"a long name":                  entity(func(e *kgl.ExtractedEntity) { e.Name = strings.Repeat("é", 301) }),
		"a type in capitals":           entity(func(e *kgl.ExtractedEntity) { e.Type = "Person" }),
		"a confidence above 1":         entity(func(e *kgl.ExtractedEntity) { e.Confidence = 1.1 }),
		"an end that is no entity":     relationship(kgl.ExtractedRelationship{To: 2, Type: "knows", Evidence: good}),
		"both ends the same":           relationship(kgl.ExtractedRelationship{Type: "knows", Evidence: good}),
		"no relationship type":         relationship(kgl.ExtractedRelationship{To: 1, Evidence: good}),
		"no evidence":                  relationship(kgl.ExtractedRelationship{To: 1, Type: "knows"}),
		"too many entities":            {Extractor: "mock", Entities: make([]kgl.ExtractedEntity, MaxEntities+1)},
		"no extractor":                 named(""),
		"an extractor in capitals":     named("Mock@1"),
		"an empty version":             named("mock@"),
		"a salience above 1":           entity(func(e *kgl.ExtractedEntity) { e.Salience = 1.1 }),
		"too many aliases":             entity(func(e *kgl.ExtractedEntity) { e.Aliases = slices.Repeat([]string{"Zo"}, MaxNames+1) }),
		"an alias of punctuation":      entity(func(e *kgl.ExtractedEntity) { e.Aliases = []string{"?!"} }),
		"an id without a scheme":       entity(func(e *kgl.ExtractedEntity) { e.ExternalIDs = []kgl.ExternalID{{Value: "Q1"}} }),
		"an id without a value":        entity(func(e *kgl.ExtractedEntity) { e.ExternalIDs = []kgl.ExternalID{{Scheme: "wikidata"}} }),
		"a month that is not":          dated("2026-13"),
		"a day that is not":            dated("2025-02-29"),
		"a time":                       dated("2026-01-01T00:00:00Z"),
		"a fact with NUL":              relationship(kgl.ExtractedRelationship{To: 1, Type: "knows", Evidence: good, Fact: "a\x00"}),
	} {
		if err := Check(x, text); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestRuneIndex(t *testing.T) {
	text := strings.Repeat("aé漢😀", 400)
	index := newRuneIndex(text)
	if index.runes != int64(utf8.RuneCountInString(text)) {
		t.Fatalf("%d code points", index.runes)
	}
	at := 0
	for n, r := range []rune(text) {
		if got := index.offset(int64(n)); got != at {
			t.Fatalf("offset of %d is %d, want %d", n, got, at)
		}
		at += utf8.RuneLen(r)
	}
}
