package graph

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestCreateRelationship(t *testing.T) {
	w := newWorld(t)
	a, b, gone := w.create("A", "grant"), w.create("B", "grant"), w.create("C", "grant")
	_, err := w.merges.Merge(w.ctx, a.ID, []string{gone.ID}, "")
	w.must(err)
	r, err := w.relationships.Create(w.ctx, NewRelationship{
		FromEntityID: gone.ID, ToEntityID: b.ID, Type: "funds", Fact: " A funds B. ", Confidence: ptr(0.5), ValidFrom: "2026-11", ValidTo: "2026",
	})
	w.must(err)
	if r.From.ID != a.ID || r.Fact != "A funds B." || r.Weight != 0.5 || r.Status != kgl.RelationshipActive || r.ValidFrom != "2026-11" || r.Extractor != kgl.ExtractorManual {
		t.Errorf("created %+v", r)
	}
	events, audits := w.trail()
	if e := events[len(events)-1]; e.Type != kgl.EventRelationshipCreated || e.SubjectID != r.ID || dataOf(t, e.Data)["to_entity_id"] != b.ID {
		t.Errorf("event %+v", e)
	}
	if a := audits[len(audits)-1]; a.Action != "relationship.create" {
		t.Errorf("audit %+v", a)
	}
	_, err = w.relationships.Create(w.ctx, NewRelationship{FromEntityID: a.ID, ToEntityID: b.ID, Type: "funds"})
	wantCode(t, err, kgl.CodeConflict)
	if !strings.Contains(err.Error(), r.ID) {
		t.Errorf("the conflict does not name the relationship: %v", err)
	}
	if more, _ := w.trail(); len(more) != len(events) {
		t.Error("a refused relationship left an event")
	}
	for name, n := range map[string]NewRelationship{
		"type": {Type: "A B"}, "confidence": {Confidence: ptr(1.1)}, "fact": {Fact: strings.Repeat("x", MaxFactRunes+1)},
		"valid_from": {ValidFrom: "2026-02-30"}, "valid_to": {ValidFrom: "2026-11", ValidTo: "2026-10-31"},
		"from_entity_id": {FromEntityID: w.ids.NewID()}, "to_entity_id": {ToEntityID: gone.ID},
	} {
		if n.Type == "" {
			n.Type = "knows"
		}
		if n.FromEntityID == "" {
			n.FromEntityID = a.ID
		}
		if n.ToEntityID == "" {
			n.ToEntityID = b.ID
		}
		_, err := w.relationships.Create(w.ctx, n)
		wantCode(t, err, kgl.CodeInvalid)
		refusal, _ := errors.AsType[*kgl.Error](err)
		if !slices.ContainsFunc(refusal.Fields, func(f kgl.FieldError) bool { return f.Field == name }) {
			t.Errorf("%s: the fields are %+v", name, refusal.Fields)
		}
	}
}

func TestUpdateRelationship(t *testing.T) {
	w := newWorld(t)
	a, b := w.create("A", "grant"), w.create("B", "grant")
	r := w.relate(a, b, "funds")
	update := func(p RelationshipPatch) (kgl.Relationship, error) { return w.relationships.Update(w.ctx, r.ID, p) }

	same, err := update(RelationshipPatch{Confidence: ptr(1.0), Status: ptr(kgl.RelationshipActive)})
	w.must(err)
	if same.Version != 1 {
		t.Errorf("a patch that changes nothing made version %d", same.Version)
	}
	changed, err := update(RelationshipPatch{Confidence: ptr(0.25), Fact: ptr("F"), ValidTo: ptr("2027"), Status: ptr(kgl.RelationshipRejected), IfVersion: ptr(int64(1))})
	w.must(err)
	if changed.Weight != 0.25 || changed.Status != kgl.RelationshipRejected || changed.Version != 2 || changed.ValidTo != "2027" {
		t.Errorf("changed %+v", changed)
	}
	events, _ := w.trail()
	if d := dataOf(t, events[len(events)-1].Data); !slices.Equal(d["fields"].([]any), []any{"status", "fact", "confidence", "valid_to"}) {
		t.Errorf("fields %v", d["fields"])
	}
	_, err = update(RelationshipPatch{Fact: ptr("x"), IfVersion: ptr(int64(1))})
	wantCode(t, err, kgl.CodePreconditionFailed)
	_, err = update(RelationshipPatch{ValidFrom: ptr("2028")})
	wantCode(t, err, kgl.CodeInvalid)
	_, err = w.relationships.Update(w.ctx, w.ids.NewID(), RelationshipPatch{Fact: ptr("x")})
	wantCode(t, err, kgl.CodeNotFound)

	_, err = w.entities.Update(w.ctx, b.ID, EntityPatch{Status: ptr(kgl.EntityRejected)})
	w.must(err)
	hidden, err := update(RelationshipPatch{Status: ptr(kgl.RelationshipActive)})
	w.must(err)
	if hidden.Status != kgl.RelationshipSuppressed {
		t.Errorf("beside a rejected end it is %s", hidden.Status)
	}
	wantCode(t, w.relationships.Delete(w.ctx, r.ID, ptr(int64(1))), kgl.CodePreconditionFailed)
	w.must(w.relationships.Delete(w.ctx, r.ID, nil))
	wantCode(t, w.relationships.Delete(w.ctx, r.ID, nil), kgl.CodeNotFound)
	_, err = w.relationships.Evidence(w.ctx, r.ID, kgl.Page{})
	wantCode(t, err, kgl.CodeNotFound)
	events, audits := w.trail()
	if e := events[len(events)-1]; e.Type != kgl.EventRelationshipDeleted || audits[len(audits)-1].Action != "relationship.delete" {
		t.Errorf("event %+v", e)
	}
}

func TestRelationshipListRefusals(t *testing.T) {
	w := newWorld(t)
	a := w.create("A", "grant")
	for _, f := range []kgl.RelationshipFilter{{Status: "odd"}, {Type: "?"}, {MinConfidence: 2}} {
		_, err := w.relationships.List(w.ctx, f, "", kgl.Page{})
		wantCode(t, err, kgl.CodeInvalid)
	}
	_, err := w.relationships.List(w.ctx, kgl.RelationshipFilter{}, "weight", kgl.Page{})
	wantCode(t, err, kgl.CodeInvalid)
	_, err = w.entities.Relationships(w.ctx, a.ID, kgl.EntityRelationshipFilter{MinConfidence: -1}, "", kgl.Page{})
	wantCode(t, err, kgl.CodeInvalid)
}

func TestRelationshipsOfMerged(t *testing.T) {
	w := newWorld(t)
	winner, loser, other := w.create("A", "grant"), w.create("B", "grant"), w.create("C", "grant")
	relate := func(from, to, typ string) {
		_, err := w.relationships.Create(w.ctx, NewRelationship{FromEntityID: from, ToEntityID: to, Type: typ})
		w.must(err)
	}
	relate(winner.ID, other.ID, "funds")
	relate(loser.ID, other.ID, "funds") // becomes the same
	relate(other.ID, loser.ID, "knows")
	_, err := w.merges.Merge(w.ctx, winner.ID, []string{loser.ID}, "")
	w.must(err)
	for name, tc := range map[string]struct {
		filter kgl.RelationshipFilter
		want   int
	}{
		"from":              {kgl.RelationshipFilter{FromEntityID: loser.ID}, 1},
		"to, active":        {kgl.RelationshipFilter{ToEntityID: loser.ID, Status: kgl.RelationshipActive}, 1},
		"merged, of itself": {kgl.RelationshipFilter{FromEntityID: loser.ID, Status: kgl.RelationshipMerged}, 1},
		"nobody's":          {kgl.RelationshipFilter{FromEntityID: w.ids.NewID()}, 0},
	} {
		list, err := w.relationships.List(w.ctx, tc.filter, "", kgl.Page{})
		w.must(err)
		if len(list.Rows) != tc.want {
			t.Errorf("%s: %+v, want %d", name, list.Rows, tc.want)
		}
	}
}
