package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// add stores an entity as a person does.
func (w *world) add(typ, name string, n NewEntity) kgl.Entity {
	w.t.Helper()
	n.Name, n.Type = name, typ
	e, err := w.entities.Create(w.ctx, n)
	w.must(err)
	return e
}

// lastEvent returns the newest event.
func (w *world) lastEvent() kgl.Event {
	w.t.Helper()
	es, err := w.db.EventsAfter(w.ctx, kgl.EventPosition{}, 1000)
	w.must(err)
	return es[len(es)-1]
}

func matchesOf(matches []Match) []string {
	out := []string{}
	for _, m := range matches {
		out = append(out, fmt.Sprintf("%s %s %s %.2f", m.Entity.Name, m.Kind, m.Matched, m.Score))
	}
	return out
}

func TestSuggest(t *testing.T) {
	w := newWorld(t)
	w.add("grant", "Open Creator Fund", NewEntity{Aliases: []string{"OCF"}})
	w.add("platform", "OpenTube", NewEntity{})
	w.add("concept", "Open", NewEntity{})
	for _, tc := range []struct {
		text  string
		types []string
		limit int
		want  []string
	}{
		{"open", nil, 0, []string{"Open name Open 1.00", "Open Creator Fund prefix Open Creator Fund 0.24", "OpenTube prefix OpenTube 0.50"}},
		{"OPEN ", []string{"grant", "platform"}, 0, []string{"Open Creator Fund prefix Open Creator Fund 0.24", "OpenTube prefix OpenTube 0.50"}},
		{"open", nil, 1, []string{"Open name Open 1.00"}},
		{"ocf", nil, 0, []string{"Open Creator Fund alias OCF 1.00"}},
		{"oc", nil, 0, []string{"Open Creator Fund prefix OCF 0.67"}},
		{"o", []string{"platform"}, 0, []string{"OpenTube prefix OpenTube 0.12"}},
		{"open creater fund", nil, 0, []string{"Open Creator Fund similar Open Creator Fund 0.83"}},
		{"opentub", nil, 0, []string{"OpenTube prefix OpenTube 0.88", "Open similar Open 0.62"}},
		{"?!", nil, 0, []string{}},
		{"zz", nil, 0, []string{}},
	} {
		got, err := w.entities.Suggest(w.ctx, tc.text, tc.types, tc.limit)
		w.must(err)
		if have := matchesOf(got); !slices.Equal(have, tc.want) {
			t.Errorf("%q: %q, want %q", tc.text, have, tc.want)
		}
	}
	for _, bad := range []struct {
		text  string
		types []string
	}{{"", nil}, {"a\x00", nil}, {strings.Repeat("a", MaxNameRunes+1), nil}, {"a", []string{"No Type"}}} {
		_, err := w.entities.Suggest(w.ctx, bad.text, bad.types, 5)
		wantCode(t, err, kgl.CodeInvalid)
	}
}

func TestResolve(t *testing.T) {
	w := newWorld(t)
	wikidata := func(v string) []kgl.ExternalID { return []kgl.ExternalID{{Scheme: "wikidata", Value: v}} }
	w.add("grant", "Open Creator Fund", NewEntity{Aliases: []string{"OCF"}, ExternalIDs: wikidata("Q1")})
	w.add("platform", "Open Creator Fund", NewEntity{})
	w.add("organization", "Creators United", NewEntity{Aliases: []string{"OCF"}})
	names := []Name{
		{Name: "open creator FUND", Type: "grant"},
		{Name: "OCF", Type: "organization"},
		{Name: "Something else", ExternalIDs: wikidata("Q1")},
		{Name: "open creater fund", Type: "grant"},
		{Name: "open creator fund"},
		{Name: "nothing like it"},
		{Name: "!?"},
	}
	found, err := w.entities.Resolve(w.ctx, names, 0, 0.5)
	w.must(err)
	want := [][]string{
		{"Open Creator Fund name Open Creator Fund 1.00", "Open Creator Fund name Open Creator Fund 0.90"},
		{"Creators United alias OCF 0.95", "Open Creator Fund alias OCF 0.85"},
		{"Open Creator Fund external_id Q1 1.00"},
		{"Open Creator Fund similar Open Creator Fund 0.75", "Open Creator Fund similar Open Creator Fund 0.67"},
		{"Open Creator Fund name Open Creator Fund 1.00", "Open Creator Fund name Open Creator Fund 1.00"},
		{}, {},
	}
	for i := range names {
		if have := matchesOf(found[i]); !slices.Equal(have, want[i]) {
			t.Errorf("%q: %q, want %q", names[i].Name, have, want[i])
		}
	}
	found, err = w.entities.Resolve(w.ctx, names, 1, 0.9)
	w.must(err)
	for i, n := range []int{1, 1, 1, 0, 1, 0, 0} {
		if len(found[i]) != n {
			t.Errorf("%q has %d candidates of 0.9 or more, want %d", names[i].Name, len(found[i]), n)
		}
	}
	for _, bad := range [][]Name{
		nil, make([]Name, MaxNames+1), {{Name: ""}}, {{Name: "a", Type: "No Type"}},
		{{Name: "a", ExternalIDs: []kgl.ExternalID{{Scheme: "Q 1", Value: "1"}}}}, {{Name: "a", ExternalIDs: wikidata("")}},
		{{Name: "a", ExternalIDs: make([]kgl.ExternalID, maxNameExternalIDs+1)}},
	} {
		_, err := w.entities.Resolve(w.ctx, bad, 3, 0.5)
		wantCode(t, err, kgl.CodeInvalid)
	}
	_, err = w.entities.Resolve(w.ctx, names, 3, 1.5)
	wantCode(t, err, kgl.CodeInvalid)
}

// countingStore counts the questions about names.
type countingStore struct {
	kgl.Store
	asked int
}

func (s *countingStore) ExactMatches(ctx context.Context, keys []string) ([]kgl.NameMatch, error) {
	s.asked++
	return s.Store.ExactMatches(ctx, keys)
}

func (s *countingStore) SimilarMatches(ctx context.Context, keys, types []string, limit int) ([]kgl.NameMatch, error) {
	s.asked++
	return s.Store.SimilarMatches(ctx, keys, types, limit)
}

func (s *countingStore) ExternalMatches(ctx context.Context, ids []kgl.ExternalID) ([]kgl.ExternalMatch, error) {
	s.asked++
	return s.Store.ExternalMatches(ctx, ids)
}

// TestResolveAsksLittle holds that the number of questions does not grow with
// that of names.
func TestResolveAsksLittle(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		w.add("grant", fmt.Sprint("Fund number ", n), NewEntity{})
	}
	asked := map[int]int{}
	for _, n := range []int{1, MaxNames} {
		counting := &countingStore{Store: w.db}
		names := make([]Name, n)
		for i := range names {
			names[i] = Name{Name: fmt.Sprint("Fund numbr ", i), ExternalIDs: []kgl.ExternalID{{Scheme: "x", Value: fmt.Sprint(i)}}}
		}
		found, err := NewEntities(counting, w.clock, w.ids).Resolve(w.ctx, names, 3, 0.5)
		w.must(err)
		if len(found) != n || len(found[0]) == 0 {
			t.Fatalf("%d names have %d answers: %v", n, len(found), found[0])
		}
		asked[n] = counting.asked
	}
	if asked[1] != asked[MaxNames] || asked[1] != 3 {
		t.Errorf("questions by names: %v", asked)
	}
}

func TestAliases(t *testing.T) {
	w := newWorld(t)
	e := w.add("grant", "Open Creator Fund", NewEntity{Aliases: []string{"OCF"}})
	a, err := w.entities.AddAlias(w.ctx, e.ID, " Fondo Abierto ", "es")
	w.must(err)
	if a.Alias != "Fondo Abierto" || a.Source != kgl.ExtractorManual || a.EntityID != e.ID {
		t.Errorf("added %+v", a)
	}
	if ev := w.lastEvent(); ev.Type != kgl.EventEntityUpdated || ev.SubjectID != e.ID || !strings.Contains(string(ev.Data), `"aliases"`) {
		t.Errorf("the event is %+v", ev)
	}
	list, err := w.entities.Aliases(w.ctx, e.ID, kgl.Page{})
	w.must(err)
	if len(list.Rows) != 2 || list.Rows[0].Alias != "Fondo Abierto" || list.Rows[0].Language != "es" {
		t.Errorf("aliases %+v", list.Rows)
	}
	_, err = w.entities.AddAlias(w.ctx, e.ID, "FONDO-abierto", "")
	wantCode(t, err, kgl.CodeConflict)
	for _, bad := range []struct{ alias, language string }{{"", ""}, {"...", ""}, {"a\nb", ""}, {"Fund", "deutsch sprache"}, {"Fund", "x-"}} {
		_, err = w.entities.AddAlias(w.ctx, e.ID, bad.alias, bad.language)
		wantCode(t, err, kgl.CodeInvalid)
	}
	_, err = w.entities.AddAlias(w.ctx, w.ids.NewID(), "Fund", "")
	wantCode(t, err, kgl.CodeNotFound)
	w.must(w.entities.RemoveAlias(w.ctx, e.ID, "fondo  ABIERTO"))
	wantCode(t, w.entities.RemoveAlias(w.ctx, e.ID, "fondo abierto"), kgl.CodeNotFound)
	now, err := w.entities.Get(w.ctx, e.ID, true)
	w.must(err)
	if now.Version != 3 || !slices.Equal(now.Aliases, []string{"OCF"}) {
		t.Errorf("the entity is %+v", now)
	}
	for n := range MaxAliases - 1 {
		_, err = w.entities.AddAlias(w.ctx, e.ID, fmt.Sprint("Alias ", n), "")
		w.must(err)
	}
	_, err = w.entities.AddAlias(w.ctx, e.ID, "One more", "")
	wantCode(t, err, kgl.CodeConflict)
}

func TestExternalIDs(t *testing.T) {
	w := newWorld(t)
	given := []kgl.ExternalID{{Scheme: "wikidata", Value: " Q1 "}, {Scheme: "domain", Value: "a.example"}, {Scheme: "wikidata", Value: "Q1"}}
	e := w.add("grant", "Fund", NewEntity{ExternalIDs: given})
	kept := []kgl.ExternalID{{Scheme: "domain", Value: "a.example"}, {Scheme: "wikidata", Value: "Q1"}}
	if !slices.Equal(e.ExternalIDs, kept) {
		t.Errorf("kept %v", e.ExternalIDs)
	}
	_, err := w.entities.Create(w.ctx, NewEntity{Name: "Other", Type: "grant", ExternalIDs: given[:1]})
	wantCode(t, err, kgl.CodeConflict)
	if !strings.Contains(err.Error(), "external id") {
		t.Errorf("the conflict is %v", err)
	}
	patched, err := w.entities.Update(w.ctx, e.ID, EntityPatch{ExternalIDs: &given})
	w.must(err)
	if patched.Version != 1 {
		t.Error("the same ids made a version")
	}
	none := []kgl.ExternalID{}
	patched, err = w.entities.Update(w.ctx, e.ID, EntityPatch{ExternalIDs: &none})
	w.must(err)
	if patched.Version != 2 || len(patched.ExternalIDs) != 0 || !strings.Contains(string(w.lastEvent().Data), `"external_ids"`) {
		t.Errorf("cleared: %+v", patched)
	}
	for _, bad := range [][]kgl.ExternalID{{{Scheme: "Wiki", Value: "1"}}, {{Scheme: "x", Value: "  "}}, {{Scheme: "x", Value: "\x00"}}, make([]kgl.ExternalID, MaxExternalIDs+1)} {
		_, err = w.entities.Create(w.ctx, NewEntity{Name: "Bad", Type: "grant", ExternalIDs: bad})
		wantCode(t, err, kgl.CodeInvalid)
	}
}

func TestMergedIDs(t *testing.T) {
	w := newWorld(t)
	old, winner := w.add("grant", "Old Fund", NewEntity{}), w.add("grant", "New Fund", NewEntity{Aliases: []string{"NF"}})
	_, err := w.db.MergeEntities(w.ctx, kgl.EntityMerge{
		ID: w.ids.NewID(), Winner: kgl.EntityRef{ID: winner.ID}, Losers: []kgl.EntityRef{{ID: old.ID}}, Actor: "a", CreatedAt: w.clock.Now(),
	})
	w.must(err)
	followed, err := w.entities.Get(w.ctx, old.ID, true)
	w.must(err)
	itself, err := w.entities.Get(w.ctx, old.ID, false)
	w.must(err)
	if followed.ID != winner.ID || itself.ID != old.ID || itself.Status != kgl.EntityMerged {
		t.Errorf("%s is %s, itself %s", old.ID, followed.ID, itself.ID)
	}
	aliases, err := w.entities.Aliases(w.ctx, old.ID, kgl.Page{})
	w.must(err)
	if len(aliases.Rows) != 2 { // NF and the name of the old one
		t.Errorf("aliases %+v", aliases.Rows)
	}
	_, err = w.entities.Mentions(w.ctx, old.ID, 0, kgl.Page{})
	w.must(err)
	_, err = w.entities.Contents(w.ctx, old.ID, kgl.Page{})
	w.must(err)
	name := "Newest Fund"
	_, err = w.entities.Update(w.ctx, old.ID, EntityPatch{Name: &name})
	wantCode(t, err, kgl.CodeConflict)
	if !strings.Contains(err.Error(), winner.ID) {
		t.Errorf("the refusal does not name the winner: %v", err)
	}
	_, err = w.entities.AddAlias(w.ctx, old.ID, "Alias", "")
	wantCode(t, err, kgl.CodeConflict)
	wantCode(t, w.entities.RemoveAlias(w.ctx, old.ID, "Alias"), kgl.CodeConflict)
	wantCode(t, w.entities.Delete(w.ctx, old.ID, nil), kgl.CodeConflict)
	_, err = w.entities.Mentions(w.ctx, old.ID, 2, kgl.Page{})
	wantCode(t, err, kgl.CodeInvalid)
	w.must(w.entities.Delete(w.ctx, winner.ID, nil))
	_, err = w.entities.Get(w.ctx, old.ID, false)
	wantCode(t, err, kgl.CodeNotFound)
}
