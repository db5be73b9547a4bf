package enrich

import (
	"encoding/json"
	"fmt"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// extractionJSON is an extraction as it is kept with a request.
type extractionJSON struct {
	Extractor     string             `json:"extractor"`
	Model         string             `json:"model,omitempty"`
	ConfigHash    string             `json:"config_hash,omitempty"`
	Entities      []entityJSON       `json:"entities"`
	Relationships []relationshipJSON `json:"relationships"`
}

type entityJSON struct {
	Name        string           `json:"name"`
	Type        string           `json:"type"`
	Confidence  float64          `json:"confidence"`
	Salience    float64          `json:"salience,omitempty"`
	Aliases     []string         `json:"aliases,omitempty"`
	ExternalIDs []externalIDJSON `json:"external_ids,omitempty"`
	Spans       []spanJSON       `json:"mentions"`
}

type externalIDJSON struct {
	Scheme string `json:"scheme"`
	Value  string `json:"value"`
}

type spanJSON struct {
	Start int64  `json:"start"`
	End   int64  `json:"end"`
	Quote string `json:"quote"`
}

type relationshipJSON struct {
	From       int      `json:"from"`
	To         int      `json:"to"`
	Type       string   `json:"type"`
	Fact       string   `json:"fact,omitempty"`
	Confidence float64  `json:"confidence"`
	ValidFrom  string   `json:"valid_from,omitempty"`
	ValidTo    string   `json:"valid_to,omitempty"`
	Evidence   spanJSON `json:"evidence"`
}

// EncodeExtraction returns an extraction as it is kept with a request.
func EncodeExtraction(x kgl.Extraction) (json.RawMessage, error) {
	out := extractionJSON{
		Extractor: x.Extractor, Model: x.Model, ConfigHash: x.ConfigHash,
		Entities: make([]entityJSON, len(x.Entities)), Relationships: make([]relationshipJSON, len(x.Relationships)),
	}
	for i, e := range x.Entities {
		j := entityJSON{Name: e.Name, Type: e.Type, Confidence: e.Confidence, Salience: e.Salience, Aliases: e.Aliases}
		for _, id := range e.ExternalIDs {
			j.ExternalIDs = append(j.ExternalIDs, externalIDJSON(id))
		}
		for _, s := range e.Spans {
			j.Spans = append(j.Spans, spanJSON(s))
		}
		out.Entities[i] = j
	}
	for i, r := range x.Relationships {
		out.Relationships[i] = relationshipJSON{
			From: r.From, To: r.To, Type: r.Type, Fact: r.Fact, Confidence: r.Confidence, ValidFrom: r.ValidFrom, ValidTo: r.ValidTo,
			Evidence: spanJSON(r.Evidence),
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode an extraction: %w", err)
	}
	return b, nil
}

// DecodeExtraction reads what EncodeExtraction wrote.
func DecodeExtraction(b json.RawMessage) (kgl.Extraction, error) {
	var in extractionJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return kgl.Extraction{}, fmt.Errorf("decode an extraction: %w", err)
	}
	x := kgl.Extraction{
		Extractor: in.Extractor, Model: in.Model, ConfigHash: in.ConfigHash,
		Entities: make([]kgl.ExtractedEntity, len(in.Entities)), Relationships: make([]kgl.ExtractedRelationship, len(in.Relationships)),
	}
	for i, j := range in.Entities {
		e := kgl.ExtractedEntity{Name: j.Name, Type: j.Type, Confidence: j.Confidence, Salience: j.Salience, Aliases: j.Aliases}
		for _, id := range j.ExternalIDs {
			e.ExternalIDs = append(e.ExternalIDs, kgl.ExternalID(id))
		}
		for _, s := range j.Spans {
			e.Spans = append(e.Spans, kgl.Span(s))
		}
		x.Entities[i] = e
	}
	for i, r := range in.Relationships {
		x.Relationships[i] = kgl.ExtractedRelationship{
			From: r.From, To: r.To, Type: r.Type, Fact: r.Fact, Confidence: r.Confidence, ValidFrom: r.ValidFrom, ValidTo: r.ValidTo,
			Evidence: kgl.Span(r.Evidence),
		}
	}
	return x, nil
}
