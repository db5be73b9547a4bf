package graph

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// world is a database with the services over it.
type world struct {
	t     *testing.T
	ctx   context.Context
	db    *store.DB
	clock *kgl.FakeClock
	ids   kgl.IDSource

	entities      *Entities
	relationships *Relationships
	merges        *Merges
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	m, err := store.NewMigrator(url)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	clock := kgl.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	ctx := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: "a-user"})
	ctx = kgl.WithRequest(ctx, kgl.Request{ID: "a-request", Address: "192.0.2.1"})
	ids := kgl.NewUUIDv7(clock, rand.Reader)
	return &world{
		t: t, ctx: ctx, db: db, clock: clock, ids: ids,
		entities: NewEntities(db, clock, ids), relationships: NewRelationships(db, clock, ids), merges: NewMerges(db, clock, ids),
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(name, typ string) kgl.Entity {
	w.t.Helper()
	e, err := w.entities.Create(w.ctx, NewEntity{Name: name, Type: typ})
	w.must(err)
	return e
}

// trail returns the events and the audit actions so far, in order.
func (w *world) trail() (events []kgl.Event, audits []kgl.AuditEvent) {
	w.t.Helper()
	events, err := w.db.EventsAfter(w.ctx, kgl.EventPosition{}, 100)
	w.must(err)
	audits, err = w.db.AuditEventsFrom(w.ctx, 1, 100)
	w.must(err)
	return events, audits
}

func wantCode(t *testing.T, err error, code kgl.Code) {
	t.Helper()
	if !kgl.Is(err, code) {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func ptr[T any](v T) *T { return &v }

func TestCreateEntity(t *testing.T) {
	w := newWorld(t)
	e, err := w.entities.Create(w.ctx, NewEntity{
		Name: "  Žižka & Søn ", Type: "organization", Description: " A house ",
		Aliases: []string{"zs", " ŽS", "Z.S."}, Attributes: json.RawMessage(` {"b": 1, "a": [2]} `), Confidence: ptr(0.0),
	})
	w.must(err)
	if e.Name != "Žižka & Søn" || e.NameKey != "žižka søn" || e.Description != "A house" || e.Confidence != 0 ||
		e.Extractor != kgl.ExtractorManual || e.Version != 1 || string(e.Attributes) != `{"b":1,"a":[2]}` {
		t.Errorf("entity %+v", e)
	}
	if want := []string{"Z.S.", "zs", "ŽS"}; !slices.Equal(e.Aliases, want) {
		t.Errorf("aliases %q, want %q", e.Aliases, want)
	}
	stored, err := w.entities.Get(w.ctx, e.ID, true)
	w.must(err)
	if !slices.Equal(stored.Aliases, e.Aliases) || stored.Name != e.Name || !stored.CreatedAt.Equal(e.CreatedAt) {
		t.Errorf("created %+v, stored %+v", e, stored)
	}
	if one := w.create("Defaults", "concept"); one.Confidence != 1 || string(one.Attributes) != `{}` || one.Aliases == nil {
		t.Errorf("defaults %+v", one)
	}
	_, err = w.entities.Create(w.ctx, NewEntity{Name: "ŽIŽKA søn", Type: "organization"})
	wantCode(t, err, kgl.CodeConflict)
}

func TestEveryWriteLeavesAnEventAndAnAuditRow(t *testing.T) {
	w := newWorld(t)
	e := w.create("Polar Press", "organization")
	_, err := w.entities.Update(w.ctx, e.ID, EntityPatch{Description: ptr("x")})
	w.must(err)
	w.must(w.entities.Delete(w.ctx, e.ID, nil))

	events, audits := w.trail()
	wantEvents := []kgl.EventType{kgl.EventEntityCreated, kgl.EventEntityUpdated, kgl.EventEntityDeleted}
	wantActions := []string{"entity.create", "entity.update", "entity.delete"}
	if len(events) != 3 || len(audits) != 3 {
		t.Fatalf("%d events, %d audit rows", len(events), len(audits))
	}
	for i := range 3 {
		ev, au := events[i], audits[i]
		if ev.Type != wantEvents[i] || ev.SubjectType != "entity" || ev.SubjectID != e.ID {
			t.Errorf("event %+v", ev)
		}
		if au.Action != wantActions[i] || au.SubjectID != e.ID || au.ActorID != "a-user" || au.RequestID != "a-request" ||
			au.Address != "192.0.2.1" || au.Outcome != kgl.AuditSuccess {
			t.Errorf("audit row %+v", au)
		}
	}
	if got := string(events[1].Data); !strings.Contains(got, `"fields":["description"]`) {
		t.Errorf("data of the update: %s", got)
	}
}

func TestARefusedWriteLeavesNothing(t *testing.T) {
	w := newWorld(t)
	e := w.create("Polar Press", "organization")
	other := w.create("Pictura", "organization")
	_, err := w.entities.Update(w.ctx, other.ID, EntityPatch{Name: ptr("polar press")})
	wantCode(t, err, kgl.CodeConflict)
	_, err = w.entities.Update(w.ctx, e.ID, EntityPatch{Name: ptr("New"), IfVersion: ptr(int64(7))})
	wantCode(t, err, kgl.CodePreconditionFailed)
	wantCode(t, w.entities.Delete(w.ctx, e.ID, ptr(int64(7))), kgl.CodePreconditionFailed)
	if events, audits := w.trail(); len(events) != 2 || len(audits) != 2 {
		t.Errorf("%d events, %d audit rows, want those of the two creations", len(events), len(audits))
	}
}

func TestUpdateEntity(t *testing.T) {
	w := newWorld(t)
	e, err := w.entities.Create(w.ctx, NewEntity{
		Name: "Polar", Type: "platform", Description: "d", Aliases: []string{"P"}, Attributes: json.RawMessage(`{"a":1}`), Confidence: ptr(0.5),
	})
	w.must(err)
	w.clock.Advance(time.Hour)

	// Absent fields stay.
	e2, err := w.entities.Update(w.ctx, e.ID, EntityPatch{Name: ptr("Polar Press"), Type: ptr("organization"), IfVersion: &e.Version})
	w.must(err)
	if e2.Name != "Polar Press" || e2.Type != "organization" || e2.Description != "d" || !slices.Equal(e2.Aliases, []string{"P"}) ||
		string(e2.Attributes) != `{"a":1}` || e2.Confidence != 0.5 || e2.Version != e.Version+1 || !e2.UpdatedAt.Equal(w.clock.Now()) {
		t.Errorf("after the first patch %+v", e2)
	}
	// The zero value clears.
	e3, err := w.entities.Update(w.ctx, e.ID, EntityPatch{Description: ptr(""), Aliases: ptr([]string(nil)), Attributes: ptr(json.RawMessage(nil)), Confidence: ptr(0.0)})
	w.must(err)
	if e3.Description != "" || len(e3.Aliases) != 0 || string(e3.Attributes) != `{}` || e3.Confidence != 0 {
		t.Errorf("after clearing %+v", e3)
	}
	// A name cannot be cleared.
	_, err = w.entities.Update(w.ctx, e.ID, EntityPatch{Name: ptr(""), Type: ptr("")})
	wantCode(t, err, kgl.CodeInvalid)
	// What changes nothing writes nothing.
	before, _ := w.trail()
	e4, err := w.entities.Update(w.ctx, e.ID, EntityPatch{Name: ptr("Polar Press ")})
	w.must(err)
	if after, _ := w.trail(); e4.Version != e3.Version || len(after) != len(before) {
		t.Errorf("version %d, %d events; want %d and %d", e4.Version, len(after), e3.Version, len(before))
	}
	_, err = w.entities.Update(w.ctx, w.ids.NewID(), EntityPatch{Name: ptr("x")})
	wantCode(t, err, kgl.CodeNotFound)
}

// racing is a store in which somebody else updates the entity before each of
// the first n updates.
type racing struct {
	kgl.Store
	losses *int
}

func (r racing) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	return r.Store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error { return fn(ctx, racing{tx, r.losses}) })
}

func (r racing) UpdateEntity(ctx context.Context, e kgl.Entity) (kgl.Entity, error) {
	if *r.losses > 0 {
		*r.losses--
		return kgl.Entity{}, kgl.Errorf(kgl.CodePreconditionFailed, "stale")
	}
	return r.Store.UpdateEntity(ctx, e)
}

func TestUpdateEntityAgainstOthers(t *testing.T) {
	w := newWorld(t)
	e := w.create("Polar", "platform")
	for _, c := range []struct {
		name    string
		losses  int
		version *int64
		want    kgl.Code
	}{
		{"tries again", updateTries - 1, nil, ""},
		{"gives up", updateTries, nil, kgl.CodeConflict},
		{"does not try again for a caller that named the version", 1, ptr(e.Version + 1), kgl.CodePreconditionFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			service := NewEntities(racing{w.db, &c.losses}, w.clock, w.ids)
			_, err := service.Update(w.ctx, e.ID, EntityPatch{Description: ptr(c.name), IfVersion: c.version})
			if got := kgl.ErrorCode(err); got != c.want {
				t.Errorf("error %v, want code %q", err, c.want)
			}
		})
	}
}

func TestEntityValidation(t *testing.T) {
	w := newWorld(t)
	valid := func() NewEntity { return NewEntity{Name: "n", Type: "concept"} }
	for _, c := range []struct {
		field  string
		change func(*NewEntity)
	}{
		{"name", func(n *NewEntity) { n.Name = "  " }},
		{"name", func(n *NewEntity) { n.Name = "?!" }},
		{"name", func(n *NewEntity) { n.Name = "a\x00b" }},
		{"name", func(n *NewEntity) { n.Name = "a\nb" }},
		{"name", func(n *NewEntity) { n.Name = "a\xff" }},
		{"name", func(n *NewEntity) { n.Name = strings.Repeat("é", 301) }},
		{"type", func(n *NewEntity) { n.Type = "Concept" }},
		{"type", func(n *NewEntity) { n.Type = "" }},
		{"description", func(n *NewEntity) { n.Description = "\x00" }},
		{"description", func(n *NewEntity) { n.Description = strings.Repeat("é", 5001) }},
		{"confidence", func(n *NewEntity) { n.Confidence = ptr(1.01) }},
		{"confidence", func(n *NewEntity) { n.Confidence = ptr(-0.01) }},
		{"confidence", func(n *NewEntity) { n.Confidence = ptr(math.NaN()) }},
		{"aliases", func(n *NewEntity) { n.Aliases = slices.Repeat([]string{"a"}, MaxAliases+1) }},
		{"aliases[1]", func(n *NewEntity) { n.Aliases = []string{"a", ""} }},
		{"aliases[0]", func(n *NewEntity) { n.Aliases = []string{"\x00"} }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage(`[1]`) }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage(`"a"`) }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage(`{"a":1} {}`) }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage(`{"a":1`) }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage(`{"a":[{"b":-1e999}]}`) }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage(`{"a":["\u0000"]}`) }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage(`{"a\u0000":1}`) }},
		{"attributes", func(n *NewEntity) { n.Attributes = json.RawMessage("{\"a\":\"\xff\"}") }},
		{"attributes", func(n *NewEntity) {
			n.Attributes = json.RawMessage(`{"a":"` + strings.Repeat("x", MaxAttributeBytes) + `"}`)
		}},
	} {
		n := valid()
		c.change(&n)
		_, err := w.entities.Create(w.ctx, n)
		wantCode(t, err, kgl.CodeInvalid)
		if domain, ok := err.(*kgl.Error); !ok || len(domain.Fields) != 1 || domain.Fields[0].Field != c.field {
			t.Errorf("error %v, want one about %s", err, c.field)
		}
	}
	for name, change := range map[string]func(*NewEntity){
		"the longest name":         func(n *NewEntity) { n.Name = strings.Repeat("é", 300) },
		"the most aliases":         func(n *NewEntity) { n.Aliases = slices.Repeat([]string{"a"}, MaxAliases) },
		"an escaped backslash":     func(n *NewEntity) { n.Attributes = json.RawMessage(`{"a":"\\u0000"}`) },
		"null attributes are none": func(n *NewEntity) { n.Name = "other"; n.Attributes = json.RawMessage(`null`) },
	} {
		n := valid()
		n.Name += name
		change(&n)
		if _, err := w.entities.Create(w.ctx, n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.entities.Create(w.ctx, NewEntity{Confidence: ptr(2.0)})
	if domain, ok := err.(*kgl.Error); !ok || len(domain.Fields) != 3 {
		t.Errorf("error %v, want all three fields", err)
	}
}

func TestListEntities(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"You Tube", "YouTube", "Éclair", "Yonder"} {
		w.create(name, "platform")
	}
	for _, c := range []struct {
		filter kgl.EntityFilter
		want   []string
	}{
		{kgl.EntityFilter{}, []string{"Yonder", "You Tube", "YouTube", "Éclair"}},
		{kgl.EntityFilter{NamePrefix: " YOU"}, []string{"You Tube", "YouTube"}},
		{kgl.EntityFilter{NamePrefix: "you-t"}, []string{"You Tube"}},
		{kgl.EntityFilter{NamePrefix: "É"}, []string{"Éclair"}},
		{kgl.EntityFilter{NamePrefix: "?!"}, nil},
		{kgl.EntityFilter{Types: []string{"grant"}}, nil},
	} {
		list, err := w.entities.List(w.ctx, c.filter, "", kgl.Page{})
		w.must(err)
		var got []string
		for _, e := range list.Rows {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q, want %q", c.filter, got, c.want)
		}
	}
	for name, f := range map[string]kgl.EntityFilter{
		"type": {Types: []string{"A B"}}, "types": {Types: slices.Repeat([]string{"a"}, 21)},
		"confidence": {MinConfidence: 2}, "NUL": {NamePrefix: "\x00"},
	} {
		if _, err := w.entities.List(w.ctx, f, kgl.EntityByName, kgl.Page{}); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	_, err := w.entities.List(w.ctx, kgl.EntityFilter{}, "name; drop", kgl.Page{})
	wantCode(t, err, kgl.CodeInvalid)
	list, err := w.entities.List(w.ctx, kgl.EntityFilter{}, kgl.EntityNewestFirst, kgl.Page{Limit: 3})
	w.must(err)
	if len(list.Rows) != 3 || list.Next == nil {
		t.Errorf("%d rows, next %v", len(list.Rows), list.Next)
	}
}

func TestRelationships(t *testing.T) {
	w := newWorld(t)
	a, b := w.create("A", "person"), w.create("B", "organization")
	now := w.clock.Now()
	stored, _, err := w.db.UpsertRelationships(w.ctx, []kgl.Relationship{{
		ID: w.ids.NewID(), From: kgl.EntityRef{ID: a.ID}, To: kgl.EntityRef{ID: b.ID}, Type: "founded",
		Confidence: 0.5, Extractor: kgl.ExtractorManual, Version: 1, CreatedAt: now, UpdatedAt: now,
	}})
	w.must(err)
	id := stored[0].ID

	detail, err := w.relationships.Get(w.ctx, id)
	w.must(err)
	if detail.Relationship.From.Name != "A" || detail.Evidence == nil || len(detail.Evidence) != 0 {
		t.Errorf("detail %+v", detail)
	}
	_, err = w.relationships.Get(w.ctx, w.ids.NewID())
	wantCode(t, err, kgl.CodeNotFound)

	for _, c := range []struct {
		direction kgl.Direction
		typ       string
		want      int
	}{
		{"", "", 1}, {kgl.DirectionAny, "founded", 1}, {kgl.DirectionOut, "", 1}, {kgl.DirectionIn, "", 0}, {kgl.DirectionAny, "offers", 0},
	} {
		list, err := w.entities.Relationships(w.ctx, a.ID, kgl.EntityRelationshipFilter{Direction: c.direction, Type: c.typ}, "", kgl.Page{})
		w.must(err)
		if len(list.Rows) != c.want {
			t.Errorf("%+v: %d rows", c, len(list.Rows))
		}
	}
	_, err = w.entities.Relationships(w.ctx, w.ids.NewID(), kgl.EntityRelationshipFilter{}, "", kgl.Page{})
	wantCode(t, err, kgl.CodeNotFound)
	_, err = w.entities.Relationships(w.ctx, a.ID, kgl.EntityRelationshipFilter{Direction: "up"}, "", kgl.Page{})
	wantCode(t, err, kgl.CodeInvalid)
	_, err = w.entities.Relationships(w.ctx, a.ID, kgl.EntityRelationshipFilter{Type: "A B"}, "", kgl.Page{})
	wantCode(t, err, kgl.CodeInvalid)

	list, err := w.relationships.List(w.ctx, kgl.RelationshipFilter{FromEntityID: a.ID, MinConfidence: 0.5}, "", kgl.Page{})
	w.must(err)
	if len(list.Rows) != 1 {
		t.Errorf("%d rows", len(list.Rows))
	}
	_, err = w.relationships.List(w.ctx, kgl.RelationshipFilter{Type: "?", MinConfidence: -1}, "", kgl.Page{})
	wantCode(t, err, kgl.CodeInvalid)
}

func TestEntitiesOfUnknownContent(t *testing.T) {
	w := newWorld(t)
	_, err := w.entities.OfContent(w.ctx, w.ids.NewID(), kgl.Page{})
	wantCode(t, err, kgl.CodeNotFound)
}

func TestPageBounds(t *testing.T) {
	for limit, want := range map[int]int{-1: 20, 0: 20, 1: 1, 100: 100, 101: 100} {
		if got := bounded(kgl.Page{Limit: limit}).Limit; got != want {
			t.Errorf("limit %d becomes %d, want %d", limit, got, want)
		}
	}
}
