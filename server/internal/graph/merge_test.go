package graph

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// dataOf returns the data of an event or the details of an audit row.
func dataOf(t *testing.T, raw json.RawMessage) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) relate(from, to kgl.Entity, typ string) kgl.Relationship {
	w.t.Helper()
	r, err := w.relationships.Create(w.ctx, NewRelationship{FromEntityID: from.ID, ToEntityID: to.ID, Type: typ})
	w.must(err)
	return r
}

func TestMergeLeavesItsTrail(t *testing.T) {
	w := newWorld(t)
	winner, first, second, far := w.create("Fund", "grant"), w.create("The Fund", "grant"), w.create("HF", "grant"), w.create("Pier", "person")
	w.relate(far, first, "runs")
	events, audits := w.trail()
	before, rows := len(events), len(audits)

	m, err := w.merges.Merge(w.ctx, winner.ID, []string{first.ID, second.ID}, " one fund ")
	w.must(err)
	if m.Actor != "a-user" || m.Reason != "one fund" || len(m.Losers) != 2 || m.Relationships != 1 || m.Aliases != 2 {
		t.Errorf("merge %+v", m)
	}
	undone, err := w.merges.Undo(w.ctx, second.ID, m.ID)
	w.must(err)
	if undone.UndoneBy != "a-user" || undone.UndoneAt == nil {
		t.Errorf("undone %+v", undone)
	}
	events, audits = w.trail()
	var told []string
	for _, e := range events[before:] {
		told = append(told, string(e.Type)+" "+e.SubjectID)
		if data := dataOf(t, e.Data); data["merge_id"] != m.ID || e.Type != kgl.EventEntityUpdated && data["into"] != winner.ID {
			t.Errorf("%s says %v", e.Type, data)
		}
	}
	losers := []string{first.ID, second.ID}
	slices.Sort(losers)
	if want := []string{
		"entity.merged " + losers[0], "entity.merged " + losers[1], "entity.updated " + winner.ID,
		"entity.unmerged " + losers[0], "entity.unmerged " + losers[1], "entity.updated " + winner.ID,
	}; !slices.Equal(told, want) {
		t.Errorf("events %v", told)
	}
	if len(audits) != rows+2 || audits[rows].Action != "entity.merge" || audits[rows+1].Action != "entity.unmerge" || audits[rows].SubjectID != winner.ID {
		t.Errorf("audit rows %+v", audits[rows:])
	}
	if d := dataOf(t, audits[rows].Details); d["merge_id"] != m.ID || d["reason"] != "one fund" {
		t.Errorf("details %v", d)
	}
}

func TestMergeRefusals(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.create("A", "grant"), w.create("B", "grant"), w.create("C", "grant")
	unknown := w.ids.NewID()
	for name, tc := range map[string]struct {
		winner string
		losers []string
		reason string
		code   kgl.Code
	}{
		"no loser":        {a.ID, nil, "", kgl.CodeInvalid},
		"itself":          {a.ID, []string{a.ID}, "", kgl.CodeInvalid},
		"twice":           {a.ID, []string{b.ID, b.ID}, "", kgl.CodeInvalid},
		"too many":        {a.ID, slices.Repeat([]string{b.ID}, MaxMergeLosers+1), "", kgl.CodeInvalid},
		"long reason":     {a.ID, []string{b.ID}, strings.Repeat("x", MaxMergeReasonLen+1), kgl.CodeInvalid},
		"unknown loser":   {a.ID, []string{unknown}, "", kgl.CodeInvalid},
		"unknown winner":  {unknown, []string{a.ID}, "", kgl.CodeNotFound},
		"winner and more": {a.ID, []string{b.ID, unknown}, "", kgl.CodeInvalid},
	} {
		_, err := w.merges.Merge(w.ctx, tc.winner, tc.losers, tc.reason)
		if kgl.ErrorCode(err) != tc.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := w.merges.Merge(w.ctx, a.ID, []string{b.ID}, "")
	w.must(err)
	for _, tc := range [][2]string{{c.ID, b.ID}, {b.ID, c.ID}} {
		_, err = w.merges.Merge(w.ctx, tc[0], []string{tc[1]}, "")
		wantCode(t, err, kgl.CodeConflict)
	}
	_, err = w.merges.Undo(w.ctx, c.ID, m.ID)
	wantCode(t, err, kgl.CodeNotFound)
	_, err = w.merges.Undo(w.ctx, a.ID, unknown)
	wantCode(t, err, kgl.CodeNotFound)
	_, err = w.merges.Undo(w.ctx, unknown, m.ID)
	wantCode(t, err, kgl.CodeNotFound)
	_, err = w.merges.List(w.ctx, unknown, kgl.Page{})
	wantCode(t, err, kgl.CodeNotFound)
	_, err = w.merges.Undo(w.ctx, a.ID, m.ID)
	w.must(err)
	_, err = w.merges.Undo(w.ctx, a.ID, m.ID)
	wantCode(t, err, kgl.CodeConflict)
	for _, id := range []string{a.ID, b.ID} {
		list, err := w.merges.List(w.ctx, id, kgl.Page{})
		w.must(err)
		if len(list.Rows) != 1 || list.Rows[0].UndoneAt == nil {
			t.Errorf("merges %+v", list.Rows)
		}
	}
}

func TestRejectingAnEntity(t *testing.T) {
	w := newWorld(t)
	a, b := w.create("A", "grant"), w.create("B", "grant")
	r := w.relate(a, b, "knows")
	rejected, active := kgl.EntityRejected, kgl.EntityActive
	name := "A2"
	version := a.Version
	e, err := w.entities.Update(w.ctx, a.ID, EntityPatch{Status: &rejected, Name: &name, IfVersion: &version})
	w.must(err)
	if e.Status != kgl.EntityRejected || e.Name != name || e.Degree != 0 {
		t.Errorf("rejected %+v", e)
	}
	_, err = w.entities.Update(w.ctx, a.ID, EntityPatch{Status: &active, IfVersion: &version})
	wantCode(t, err, kgl.CodePreconditionFailed)
	_, err = w.merges.Merge(w.ctx, b.ID, []string{a.ID}, "")
	wantCode(t, err, kgl.CodeConflict)
	detail, err := w.relationships.Get(w.ctx, r.ID)
	w.must(err)
	if detail.Relationship.Status != kgl.RelationshipSuppressed {
		t.Errorf("relationship %+v", detail.Relationship)
	}
	e, err = w.entities.Update(w.ctx, a.ID, EntityPatch{Status: &active})
	w.must(err)
	if e.Status != kgl.EntityActive || e.Degree != 1 {
		t.Errorf("restored %+v", e)
	}
	events, audits := w.trail()
	last := events[len(events)-1]
	if d := dataOf(t, last.Data); last.Type != kgl.EventEntityUpdated || !slices.Equal(d["fields"].([]any), []any{"status"}) {
		t.Errorf("event %s %v", last.Type, d)
	}
	if a := audits[len(audits)-1]; a.Action != "entity.update" {
		t.Errorf("audit %+v", a)
	}
}
