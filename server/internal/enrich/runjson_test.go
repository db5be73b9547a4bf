package enrich

import (
	"reflect"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestExtractionIsReadAsItWasKept(t *testing.T) {
	full := kgl.Extraction{
		Extractor: "ner@1", Model: "large", ConfigHash: "abc",
		Entities: []kgl.ExtractedEntity{{
			Name: "Zoë", Type: "person", Confidence: 0.9, Salience: 0.5, Aliases: []string{"Z"},
			ExternalIDs: []kgl.ExternalID{{Scheme: "wikidata", Value: "Q1"}}, Spans: []kgl.Span{{Start: 0, End: 3, Quote: "Zoë"}, {Start: 5, End: 8, Quote: "Zoë"}},
		}, {Name: "Bob", Type: "person", Spans: []kgl.Span{{Start: 9, End: 12, Quote: "Bob"}}}},
		Relationships: []kgl.ExtractedRelationship{{
			From: 0, To: 1, Type: "knows", Fact: "Zoë knows Bob.", Confidence: 0.7, ValidFrom: "2026", ValidTo: "2026-02-28",
			Evidence: kgl.Span{Start: 0, End: 12, Quote: "Zoë …"},
		}},
	}
	empty := kgl.Extraction{Extractor: "ner@1", Entities: []kgl.ExtractedEntity{}, Relationships: []kgl.ExtractedRelationship{}}
	for _, x := range []kgl.Extraction{full, empty} {
		b, err := EncodeExtraction(x)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeExtraction(b)
		if err != nil || !reflect.DeepEqual(back, x) {
			t.Errorf("kept as %s\nread %+v (%v)\nwant %+v", b, back, err, x)
		}
	}
	if _, err := DecodeExtraction([]byte(`{"entities":`)); err == nil {
		t.Error("half a result was read")
	}
}
