package enrich

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// astral is a text whose offsets differ in code points, UTF-16 units and bytes.
const astral = "😀😀 Zoë met Ada. Ada likes Zoë, and Adana is a town. 東京Adaで会う。"

// read reads an answer, given as JSON, about a text.
func read(t *testing.T, text, answer string) (kgl.Extraction, AIAdjustments) {
	t.Helper()
	var a aiclient.Extraction
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		t.Fatal(err)
	}
	x, adjusted, err := readExtraction(a, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(x, text); err != nil {
		t.Fatalf("what was read cannot be stored: %v", err)
	}
	return x, adjusted
}

// entity returns an answer with one entity.
func entity(name, more string) string {
	return `{"entities":[{"name":"` + name + `","type":"person","confidence":0.5,` + more + `}],"relationships":[]}`
}

func TestPositionsAreHeldToTheText(t *testing.T) {
	for name, c := range map[string]struct {
		answer   string
		want     string
		adjusted AIAdjustments
	}{
		"code points":                   {entity("Ada", `"positions":[{"start":11,"end":14,"quote":"Ada"}]`), "Ada person 11-14", AIAdjustments{}},
		"without a quote":               {entity("Ada", `"positions":[{"start":11,"end":14}]`), "Ada person 11-14", AIAdjustments{}},
		"an alias without a quote":      {entity("Ada Lovelace", `"aliases":["ADA"],"positions":[{"start":11,"end":14}]`), "Ada Lovelace person 11-14", AIAdjustments{}},
		"UTF-16 units":                  {entity("Ada", `"positions":[{"start":18,"end":21,"quote":"Ada"}]`), "Ada person 16-19", AIAdjustments{Moved: 1}},
		"UTF-16 units without a quote":  {entity("Ada", `"positions":[{"start":18,"end":21}]`), "Ada person 16-19", AIAdjustments{Moved: 1}},
		"bytes":                         {entity("Zoë", `"positions":[{"start":35,"end":39,"quote":"Zoë"}]`), "Zoë person 26-29", AIAdjustments{Moved: 1}},
		"the nearest one":               {entity("Ada", `"positions":[{"start":10,"end":13,"quote":"Ada"}]`), "Ada person 11-14", AIAdjustments{Moved: 1}},
		"beyond the end":                {entity("Ada", `"positions":[{"start":900,"end":903,"quote":"Ada"}]`), "Ada person 54-57", AIAdjustments{Moved: 1}},
		"the wrong way round":           {entity("Ada", `"positions":[{"start":13,"end":11,"quote":"Ada"}]`), "Ada person 11-14", AIAdjustments{Moved: 1}},
		"two that are one":              {entity("Ada", `"positions":[{"start":11,"end":14},{"start":10,"end":13,"quote":"Ada"}]`), "Ada person 11-14", AIAdjustments{Moved: 1}},
		"one that is nowhere":           {entity("Ada", `"positions":[{"start":11,"end":14},{"start":1,"end":4,"quote":"Eve"}]`), "Ada person 11-14", AIAdjustments{Places: 1}},
		"another word without a quote":  {entity("Eve", `"positions":[{"start":11,"end":14}]`), "", AIAdjustments{Places: 1, Entities: 1}},
		"a pronoun with its quote":      {entity("Eve", `"positions":[{"start":7,"end":10,"quote":"met"}]`), "Eve person 7-10", AIAdjustments{}},
		"none: every own word is found": {entity("Ada", `"positions":[]`), "Ada person 11-14 16-19 54-57", AIAdjustments{}},
		"null: the same":                {entity("Ada", `"positions":null`), "Ada person 11-14 16-19 54-57", AIAdjustments{}},
		"none, and not in the text":     {entity("Eve", `"positions":[]`), "", AIAdjustments{Entities: 1}},
		"name of no letters":            {entity("?!", `"positions":[]`), "", AIAdjustments{Entities: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			x, adjusted := read(t, astral, c.answer)
			if got := strings.Join(describe(x), "; "); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
			if adjusted != c.adjusted {
				t.Errorf("adjusted %+v, want %+v", adjusted, c.adjusted)
			}
		})
	}
}

func TestEntitiesAreReadAsTheyAreStored(t *testing.T) {
	x, _ := read(t, "The\u00a0Nordic  Fund of Oslo", `{"relationships":[],"entities":[{"name":" Nordic\u0000 Fund","type":"Grant-Programme / EU","confidence":0.5,"salience":0.25,
	  "aliases":["Nordic  Fund","NF","nordic fund","..."],"external_ids":[{"scheme":"wikidata","value":"Q1"},{"scheme":"wikidata","value":"Q1"}],
	  "positions":[{"start":4,"end":16}]}]}`)
	want := kgl.ExtractedEntity{
		Name: "Nordic Fund", Type: "grant_programme_eu", Confidence: 0.5, Salience: 0.25,
		Aliases: []string{"NF"}, ExternalIDs: []kgl.ExternalID{{Scheme: "wikidata", Value: "Q1"}},
		Spans: []kgl.Span{{Start: 4, End: 16, Quote: "Nordic  Fund"}},
	}
	if len(x.Entities) != 1 || !equalJSON(t, x.Entities[0], want) {
		t.Errorf("read %+v, want %+v", x.Entities, want)
	}
	if x.Extractor != "ai@1" {
		t.Errorf("extractor %q", x.Extractor)
	}
}

func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

// people is a text in which two entities have one name.
const people = "Paris Hilton flew to Paris. " + "Later, in Rome, Ada joined."

// ends returns an answer with entities of that text and one relationship.
func ends(relationship string) string {
	return `{"entities":[
	  {"name":"Paris Hilton","type":"person","confidence":0.9,"aliases":["Paris"],"positions":[{"start":0,"end":12}]},
	  {"name":"Paris","type":"location","confidence":0.8,"positions":[{"start":21,"end":26}]},
	  {"name":"Rome","type":"location","confidence":0.7,"positions":[{"start":38,"end":42}]}],
	  "relationships":[` + relationship + `]}`
}

func TestRelationshipsAreTiedToEntitiesAndText(t *testing.T) {
	for name, c := range map[string]struct{ relationship, want string }{
		"by name":                   {`{"from":"paris hilton","to":"Rome","type":"Travels to"}`, "0 travels_to 2: Paris Hilton flew to Paris. Later, in Rome"},
		"by type, of one name":      {`{"from":"Paris Hilton","to":"Paris","to_type":"LOCATION","type":"visits"}`, "0 visits 1: Paris Hilton flew to Paris"},
		"of one name":               {`{"from":"Paris","to":"Rome","type":"visits"}`, ""},
		"of none":                   {`{"from":"Berlin","to":"Rome","type":"visits"}`, ""},
		"of a type that is not":     {`{"from":"Paris","from_type":"product","to":"Rome","type":"visits"}`, ""},
		"with itself":               {`{"from":"Rome","to":"Rome","type":"visits"}`, ""},
		"type of no letters":        {`{"from":"Paris Hilton","to":"Rome","type":"→"}`, ""},
		"evidence":                  {`{"from":"Paris Hilton","to":"Paris","to_type":"location","type":"visits","evidence":{"start":0,"end":27}}`, "0 visits 1: Paris Hilton flew to Paris."},
		"evidence with its quote":   {`{"from":"Paris Hilton","to":"Rome","type":"visits","evidence":{"start":28,"end":42,"quote":"Later, in Rome"}}`, "0 visits 2: Later, in Rome"},
		"evidence that was moved":   {`{"from":"Paris Hilton","to":"Rome","type":"visits","evidence":{"start":20,"end":42,"quote":"Later, in Rome"}}`, "0 visits 2: Later, in Rome"},
		"evidence without the ends": {`{"from":"Paris Hilton","to":"Rome","type":"visits","evidence":{"start":0,"end":20}}`, "0 visits 2: Paris Hilton flew to Paris. Later, in Rome"},
		"evidence that is nowhere":  {`{"from":"Paris Hilton","to":"Rome","type":"visits","evidence":{"start":0,"end":20,"quote":"She went there"}}`, "0 visits 2: Paris Hilton flew to Paris. Later, in Rome"},
	} {
		t.Run(name, func(t *testing.T) {
			x, adjusted := read(t, people, ends(c.relationship))
			got := strings.Join(describe(x)[3:], "; ")
			if got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
			if dropped := adjusted.Relationships; dropped != 1-len(x.Relationships) {
				t.Errorf("%d counted as left out", dropped)
			}
		})
	}
}

func TestRelationshipsKeepWhatTheySay(t *testing.T) {
	x, _ := read(t, people, ends(`{"from":"Paris Hilton","to":"Rome","type":"visits","fact":"She\n was there.","confidence":0.25,"valid_from":"2026","valid_to":"2026-03-31"},
	  {"from":"Rome","to":"Paris Hilton","type":"hosts"}`))
	slices.SortFunc(x.Relationships, func(a, b kgl.ExtractedRelationship) int { return strings.Compare(b.Type, a.Type) })
	r := x.Relationships[0]
	if r.Fact != "She was there." || r.Confidence != 0.25 || r.ValidFrom != "2026" || r.ValidTo != "2026-03-31" {
		t.Errorf("relationship %+v", r)
	}
	if got := x.Relationships[1].Confidence; got != 0.7 { // that of its less sure end
		t.Errorf("confidence %v", got)
	}
}

// Ends that stand far apart are no evidence of anything.
func TestRelationshipsNeedAPassage(t *testing.T) {
	text := "Ada. " + strings.Repeat("x ", 300) + "Oslo."
	x, adjusted := read(t, text, `{"entities":[{"name":"Ada","type":"person","confidence":1,"positions":[]},{"name":"Oslo","type":"location","confidence":1,"positions":[]}],
	  "relationships":[{"from":"Ada","to":"Oslo","type":"visits"}]}`)
	if len(x.Relationships) != 0 || adjusted.Relationships != 1 {
		t.Errorf("found %v, adjusted %+v", x.Relationships, adjusted)
	}
}

func TestPassageIsTheShortest(t *testing.T) {
	spans := func(starts ...int64) (out []kgl.Span) {
		for _, s := range starts {
			out = append(out, kgl.Span{Start: s, End: s + 2})
		}
		return out
	}
	for name, c := range map[string]struct {
		a, b       []kgl.Span
		start, end int64
		ok         bool
	}{
		"beside":      {spans(0, 100), spans(90, 300), 90, 102, true},
		"the other":   {spans(90, 300), spans(0, 100), 90, 102, true},
		"too far":     {spans(0), spans(1000), 0, 0, false},
		"overlapping": {spans(10), spans(11), 10, 13, true},
	} {
		start, end, ok := passage(c.a, c.b)
		if start != c.start || end != c.end || ok != c.ok {
			t.Errorf("%s: %d-%d %t, want %d-%d %t", name, start, end, ok, c.start, c.end, c.ok)
		}
	}
}

// Of too much the most important is kept.
func TestAnswersAreCutToWhatIsStored(t *testing.T) {
	var a aiclient.Extraction
	salience := 1.0
	for i := range MaxEntities + 50 {
		e := aiclient.Entity{Name: "Name " + strings.Repeat("i", i+1), Type: "concept", Confidence: 0.5, Positions: []aiclient.Position{{Start: 0, End: 1, Quote: optional("x")}}}
		if i >= MaxEntities {
			e.Salience = &salience
		}
		a.Entities = append(a.Entities, e)
	}
	for i := range MaxRelationships + 10 {
		confidence := 0.5
		if i >= MaxRelationships {
			confidence = 0.9
		}
		a.Relationships = append(a.Relationships, aiclient.Relationship{From: a.Entities[MaxEntities].Name, To: a.Entities[MaxEntities+1].Name, Type: "likes", Confidence: &confidence})
	}
	x, adjusted, err := readExtraction(a, strings.Repeat("x ", 200))
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Entities) != MaxEntities || x.Entities[49].Salience != 1 || x.Entities[50].Salience != 0 {
		t.Errorf("%d entities, salience %v and %v", len(x.Entities), x.Entities[49].Salience, x.Entities[50].Salience)
	}
	if len(x.Relationships) != MaxRelationships || x.Relationships[9].Confidence != 0.9 || x.Relationships[10].Confidence != 0.5 {
		t.Errorf("%d relationships", len(x.Relationships))
	}
	if adjusted.Entities != 50 || adjusted.Relationships != 10 {
		t.Errorf("adjusted %+v", adjusted)
	}
}

// TestAnswersThatBreakTheContract: the first breach is named with its place.
func TestAnswersThatBreakTheContract(t *testing.T) {
	long := strings.Repeat("x", 301)
	for field, answer := range map[string]string{
		"entities":                       `{"relationships":[]}`,
		"relationships":                  `{"entities":[]}`,
		"model":                          `{"entities":[],"relationships":[],"model":"` + long + `"}`,
		"config_hash":                    `{"entities":[],"relationships":[],"config_hash":"` + long + `"}`,
		"extractor.version":              `{"entities":[],"relationships":[],"extractor":{"name":"x"}}`,
		"entities[0].name":               entity("", `"positions":[]`),
		"entities[0].salience":           entity("A", `"salience":2,"positions":[]`),
		"entities[0].aliases":            entity("A", `"aliases":[""],"positions":[]`),
		"entities[0].external_ids":       entity("A", `"external_ids":[{"scheme":"Wiki","value":"1"}],"positions":[]`),
		"entities[0].positions":          entity("A", `"positions":[{"start":-1,"end":3}]`),
		"relationships[0].from":          ends(`{"to":"Rome","type":"x"}`),
		"relationships[0].type":          ends(`{"from":"Paris","to":"Rome","type":""}`),
		"relationships[0].confidence":    ends(`{"from":"Paris","to":"Rome","type":"x","confidence":0}`),
		"relationships[0].fact":          ends(`{"from":"Paris","to":"Rome","type":"x","fact":"` + strings.Repeat(long, 7) + `"}`),
		"relationships[0].valid_from":    ends(`{"from":"Paris","to":"Rome","type":"x","valid_from":"March 2026"}`),
		"relationships[0].valid_to":      ends(`{"from":"Paris","to":"Rome","type":"x","valid_to":"2026-02-30"}`),
		"relationships[0].evidence":      ends(`{"from":"Paris","to":"Rome","type":"x","evidence":{"start":0,"end":0}}`),
		"relationships[0].to_type":       ends(`{"from":"Paris","to":"Rome","type":"x","to_type":"` + long + `"}`),
		"entities[0].external_ids.value": entity("A", `"external_ids":[{"scheme":"wiki"}],"positions":[]`),
	} {
		var a aiclient.Extraction
		if err := json.Unmarshal([]byte(answer), &a); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readExtraction(a, people); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

// Offsets in other units are found again however long the text is.
func TestUnitsAndBytesAreConverted(t *testing.T) {
	long := strings.Repeat("a😀ë東", 700) // over several marks of the index
	p := newPlacer(long)
	units, bytes, n := int64(0), int64(0), int64(0)
	for i, r := range long {
		bytes = int64(i)
		if got := p.ofUnits(units); got != n {
			t.Fatalf("unit %d is code point %d, want %d", units, got, n)
		}
		if got := p.ofBytes(bytes); got != n {
			t.Fatalf("byte %d is code point %d, want %d", bytes, got, n)
		}
		units += unitsOf(r)
		n++
	}
	for _, outside := range []int64{-1, 1 << 40} {
		if p.ofUnits(outside) != -1 || p.ofBytes(outside) != -1 {
			t.Errorf("%d is in the text", outside)
		}
	}
	if newPlacer("").ofUnits(0) != -1 {
		t.Error("0 is in the empty text")
	}
}
