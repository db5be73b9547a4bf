package builtin

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// extract reads a text and checks what every result keeps.
func extract(t testing.TB, x *Extractor, c kgl.ContentBody) kgl.Extraction {
	t.Helper()
	found, err := x.Extract(context.Background(), kgl.Content{ContentBody: c})
	if err != nil {
		t.Fatal(err)
	}
	check(t, found, c.Text)
	found.Relationships = append(found.Relationships, CoOccurrences(found, c.Text)...)
	check(t, found, c.Text)
	return found
}

// check fails when a result breaks a rule of the contract.
func check(t testing.TB, x kgl.Extraction, text string) {
	t.Helper()
	if x.Extractor != Version || len(x.ConfigHash) != 16 || len(x.Entities) > maxEntities || len(x.Relationships) > maxRelationships {
		t.Fatalf("%s: %d entities, %d relationships", x.Extractor, len(x.Entities), len(x.Relationships))
	}
	runes := []rune(text)
	holds := func(what string, s kgl.Span) {
		if s.Start < 0 || s.End <= s.Start || s.End > int64(len(runes)) || string(runes[s.Start:s.End]) != s.Quote || strings.ContainsAny(s.Quote, "\x00\ufffd") {
			t.Fatalf("%s: [%d:%d] is not %q", what, s.Start, s.End, s.Quote)
		}
	}
	seen := map[string]bool{}
	for _, e := range x.Entities {
		key := e.Type + " " + kgl.NormalizeName(e.Name)
		if !kgl.ValidType(e.Type) || kgl.NormalizeName(e.Name) == "" || utf8.RuneCountInString(e.Name) > 300 || seen[key] {
			t.Fatalf("entity %q of type %q", e.Name, e.Type)
		}
		seen[key] = true
		if e.Confidence < 0 || e.Confidence > 1 || e.Salience < 0 || e.Salience > 1 || len(e.Spans) == 0 || len(e.Spans) > maxSpans {
			t.Fatalf("entity %+v", e)
		}
		for _, s := range e.Spans {
			holds(e.Name, s)
		}
	}
	for _, r := range x.Relationships {
		if r.From == r.To || r.From < 0 || r.To < 0 || r.From >= len(x.Entities) || r.To >= len(x.Entities) || !kgl.ValidType(r.Type) || r.Confidence < 0 || r.Confidence > 1 || r.Fact == "" {
			t.Fatalf("relationship %+v", r)
		}
		holds(r.Fact, r.Evidence)
	}
}

// said lists a result: "type name" and "name relation name".
func said(x kgl.Extraction) (list []string) {
	for _, e := range x.Entities {
		list = append(list, e.Type+" "+e.Name)
	}
	for _, r := range x.Relationships {
		list = append(list, x.Entities[r.From].Name+" "+r.Type+" "+x.Entities[r.To].Name)
	}
	return list
}

func TestExtract(t *testing.T) {
	x := New()
	for _, test := range []struct {
		text string
		has  string // parted by semicolons
		not  string
	}{
		{"Patreon launched the Creator Relief Fund.", "platform Patreon;grant Creator Relief Fund;Patreon offers Creator Relief Fund", ""},
		{"Has Netflix acquired Mubi?", "organization Netflix", "Netflix acquires Mubi"},
		{"Netflix has not acquired Mubi.", "organization Netflix", "Netflix acquires Mubi"},
		{"Netflix may have acquired Mubi.", "organization Netflix", "Netflix acquires Mubi"},
		{"Netflix acquired Mubi for $2 million.", "Netflix acquires Mubi;amount $2 million", "Mubi co_occurs_with Netflix;amount $2 million co_occurs_with"},
		{"Grants are open. Steam rises from the cup.", "", "platform Steam;misc Grants"},
		{"The Open Creator Fund (OCF) is open. The OCF pays C$12m. Apply until 1 June 2026.", "grant Open Creator Fund;amount C$12m;date 1 June 2026;Open Creator Fund has_deadline 1 June 2026", "organization OCF;grant OCF"},
		{"Apply by 2026-06-01.", "date 1 June 2026", ""},
		{"Jordan Reyes came. Reyes was late.", "person Jordan Reyes", "person Reyes;location Jordan"},
		{"Maya Lindqvist left. So did Roman Keller and the Roman legions.", "person Maya Lindqvist;person Roman Keller;nationality Roman", "nationality Maya"},
		{"She lives in Jordan.", "location Jordan", ""},
		{"Wattpad and Twitch were there.", "Twitch co_occurs_with Wattpad", ""},
		{"He paid 3,000 euros and 20 Canadian dollars.", "amount 3,000 euros;amount 20 Canadian dollars", "nationality Canadian"},
		{"The Berlin-based Tonwerk GmbH is small.", "Tonwerk GmbH located_in Berlin", ""},
	} {
		list := said(extract(t, x, kgl.ContentBody{Text: test.text}))
		for want := range strings.SplitSeq(test.has, ";") {
			if want != "" && !slices.Contains(list, want) {
				t.Errorf("%s\n\tlacks %q: %q", test.text, want, list)
			}
		}
		for not := range strings.SplitSeq(test.not, ";") {
			if not != "" && slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, not) }) {
				t.Errorf("%s\n\thas %q: %q", test.text, not, list)
			}
		}
	}
}

// TestOtherLanguages: where nouns have capitals, or the small words are not
// English, capitals say nothing.
func TestOtherLanguages(t *testing.T) {
	x := New()
	for _, test := range []struct{ language, text, want string }{
		{"de", "Der Verein hat die Plattform Patreon gewählt. Die Förderung von 5.000 Euro geht an die Künstlerin in Wien.", "[platform Patreon amount 5.000 Euro location Vienna]"},
		{"", "Der Verein hat die Plattform Patreon gewählt. Die Förderung von 5.000 € geht an die Künstlerin in Wien.", "[platform Patreon amount 5.000 € location Vienna]"},
		{"en-US", "Das ist eine Meldung für die Leser, und sie ist auf Deutsch. Die Zeitung schreibt über Substack.", "[platform Substack]"},
		{"fr", "La plateforme Twitch est dans une crise, et les créateurs de Bruxelles ne sont pas contents.", "[platform Twitch location Brussels]"},
		{"ja", "日本のクリエイターはYouTubeで動画を公開しています。Patreonも使います。", "[]"},
		{"", "", "[]"},
	} {
		var list []string
		for _, e := range extract(t, x, kgl.ContentBody{Text: test.text, Language: test.language}).Entities {
			list = append(list, e.Type+" "+e.Name)
		}
		if is := fmt.Sprint(list); is != test.want {
			t.Errorf("%s: %s, want %s", test.text, is, test.want)
		}
	}
}

func TestSameResult(t *testing.T) {
	text := strings.Repeat("Patreon and Twitch met in Paris. Maya Lindqvist, founder of Quillcast Ltd, said that Lindqvist would pay $5. ", 40)
	first := extract(t, New(), kgl.ContentBody{Text: text, Title: "Twitch in Paris"})
	for range 5 {
		if again := extract(t, New(), kgl.ContentBody{Text: text, Title: "Twitch in Paris"}); !reflect.DeepEqual(first, again) {
			t.Fatal("two results differ")
		}
	}
	for _, e := range first.Entities {
		if e.Name == "Twitch" && e.Salience < 0.7 || e.Name == "$5" && e.Salience > 0.3 {
			t.Errorf("%s has salience %v", e.Name, e.Salience)
		}
	}
}

func TestEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New().Extract(ctx, kgl.Content{}); !kgl.Is(err, kgl.CodeTimeout) {
		t.Errorf("error is %v", err)
	}
}

// TestBounds: more names, places and relationships than one result may hold.
func TestBounds(t *testing.T) {
	var names strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&names, "Then Person%dx Smith%dy founded Acme%dz Foundation. ", i, i, i)
	}
	for _, text := range []string{
		names.String(),
		strings.Repeat("Twitch partnered with Patreon. ", 5000),
		strings.Repeat("Twitch, Patreon, ", 5000),
		strings.Repeat("Ab ", 200_000),
		strings.Repeat("of ", 200_000),
		strings.Repeat("\"", 200_000),
		strings.Repeat("( ", 200_000),
		strings.Repeat("$", 200_000),
		strings.Repeat("1 to ", 100_000),
		strings.Repeat("a", 500_000),
		strings.Repeat("A.", 200_000),
		strings.Repeat("not acquired by ", 50_000),
		strings.Repeat("Patreon acquired it ", 50_000),
	} {
		extract(t, New(), kgl.ContentBody{Text: text, Title: text})
	}
}
