package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runEntities(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an entity is stored whole", entityRoundTrip},
		{"type and name are taken once", entityUnique},
		{"an unknown entity is not found", entityNotFound},
		{"an update needs the stored version", entityUpdate},
		{"an update moves the aliases to the new type", entityRetype},
		{"an entity goes with mentions and relationships", entityDelete},
		{"upserts find by name or alias", entityUpsert},
		{"upserts raise confidence only", entityUpsertConfidence},
		{"an entity that a list names twice is created once", entityUpsertTwice},
		{"concurrent upserts create each entity once", entityUpsertRace},
		{"an upserted entity stays until the transaction ends", entityUpsertLock},
		{"lists cover every entity once, in each order", entityOrders},
		{"lists filter", entityFilter},
		{"a prefix finds names and aliases", entityPrefix},
		{"pages of a prefix cover names and aliases once", entityPrefixPages},
		{"lists hold the active unless asked for others", entityStatuses},
		{"lists by time and degree, and of those seen since", entitySeenAndDegree},
		{"an entity that moves in the order leaves the others where they are", entityMoves},
	})
}

func entityRoundTrip(t *testing.T, db *store.DB) {
	e := newEntity(1, "organization", "Open & Free Foundation")
	e.Description, e.Attributes, e.Confidence = "A body", json.RawMessage(`{"url": "https://example.org/?a&b"}`), 0.1+0.2
	e.Aliases = []string{"OFF", "Open Foundation", "open  foundation!", "..."}
	must(t, db.CreateEntity(ctx(t), e))
	e.Aliases = []string{"OFF", "Open Foundation"} // in the order of their keys, each key once
	same(t, got(db.Entity(ctx(t), e.ID))(t), e)
	bare := newEntity(2, "person", "Nobody")
	bare.Attributes, bare.Aliases = nil, nil
	must(t, db.CreateEntity(ctx(t), bare))
	bare.Attributes, bare.Aliases = json.RawMessage("{}"), []string{}
	same(t, got(db.Entity(ctx(t), bare.ID))(t), bare)
}

func entityUnique(t *testing.T, db *store.DB) {
	addEntity(t, db, 1, "person", "Ada Lovelace")
	other := addEntity(t, db, 2, "program", "Ada Lovelace")
	wantCode(t, db.CreateEntity(ctx(t), newEntity(3, "person", "ada  LOVELACE")), kgl.CodeConflict)
	other.Type = "person"
	_, err := db.UpdateEntity(ctx(t), other)
	wantCode(t, err, kgl.CodeConflict)
	if typ := got(db.Entity(ctx(t), other.ID))(t).Type; typ != "program" {
		t.Fatalf("a refused update was stored: %s", typ)
	}
}

func entityNotFound(t *testing.T, db *store.DB) {
	_, err := db.Entity(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.UpdateEntity(ctx(t), newEntity(1, "person", "Ada"))
	wantCode(t, err, kgl.CodeNotFound)
	wantCode(t, db.DeleteEntity(ctx(t), id(1)), kgl.CodeNotFound)
}

func entityUpdate(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Countess")
	e.Name, e.NameKey, e.Description, e.Aliases = "Ada Lovelace", "ada lovelace", "A mathematician", []string{"Ada", "Lady L"}
	e.Attributes, e.Confidence, e.UpdatedAt = json.RawMessage(`{"born":1815}`), 1, minute(9)
	changed := got(db.UpdateEntity(ctx(t), e))(t)
	stale := e
	e.Version = 2
	same(t, changed, e)
	same(t, got(db.Entity(ctx(t), e.ID))(t), e)
	_, err := db.UpdateEntity(ctx(t), stale)
	wantCode(t, err, kgl.CodePreconditionFailed)
}

func entityRetype(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Mercury", "Hermes")
	e.Type = "platform"
	got(db.UpdateEntity(ctx(t), e))(t)
	_, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(2, "platform", "Hermes"), newEntity(3, "person", "Hermes")})
	must(t, err)
	same(t, created, []bool{false, true})
}

func entityDelete(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	a, b := addEntity(t, db, 1, "person", "A", "Alpha"), addEntity(t, db, 2, "person", "B")
	r := addRelationships(t, db, newRelationship(3, a, b, "knows"))[0]
	must(t, db.ReplaceMentions(ctx(t), content, kgl.ExtractorMock, []kgl.Mention{newMention(4, content, a.ID), newMention(5, content, b.ID)}))
	got(db.ReplaceEvidence(ctx(t), content, kgl.ExtractorMock, []kgl.Evidence{newEvidence(6, r.ID, content)}))(t)
	must(t, db.DeleteEntity(ctx(t), a.ID))
	_, err := db.Relationship(ctx(t), r.ID)
	wantCode(t, err, kgl.CodeNotFound)
	left := got(db.ContentEntities(ctx(t), content, kgl.Page{Limit: 10}))(t)
	if len(left.Rows) != 1 || left.Rows[0].Entity.ID != b.ID {
		t.Fatalf("the item still mentions %+v", left.Rows)
	}
	if n := len(got(db.RelationshipEvidence(ctx(t), r.ID, kgl.Page{Limit: 10}))(t).Rows); n != 0 {
		t.Fatalf("%d pieces of evidence are left", n)
	}
	_, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(7, "person", "Alpha")})
	must(t, err)
	same(t, created, []bool{true})
}

func entityUpsert(t *testing.T, db *store.DB) {
	older := addEntity(t, db, 1, "organization", "Acme Corporation", "Acme", "Both")
	younger := addEntity(t, db, 2, "organization", "Acme Holding", "Both")
	named := addEntity(t, db, 3, "organization", "Zenith")
	alias := addEntity(t, db, 4, "organization", "Other", "Zenith")
	fresh := newEntity(10, "organization", "Fresh")
	fresh.Aliases = []string{"New One"}
	given := []kgl.Entity{
		newEntity(11, "organization", "ACME"), fresh, newEntity(12, "organization", "acme holding"),
		newEntity(13, "organization", "Zenith"), newEntity(14, "platform", "Acme"), newEntity(15, "organization", "both"),
	}
	stored, created, err := db.UpsertEntities(ctx(t), given)
	must(t, err)
	same(t, created, []bool{false, true, false, false, true, false})
	// A name goes before an alias; of two aliases that of the older entity counts.
	same(t, stored, []kgl.Entity{older, fresh, younger, named, given[4], older})
	same(t, got(db.Entity(ctx(t), alias.ID))(t), alias)
	stored, created, err = db.UpsertEntities(ctx(t), []kgl.Entity{newEntity(20, "organization", "new one")})
	must(t, err)
	same(t, created, []bool{false})
	same(t, stored, []kgl.Entity{fresh})
	stored, created, err = db.UpsertEntities(ctx(t), nil)
	must(t, err)
	if len(stored)+len(created) != 0 {
		t.Fatal("nothing in, something out")
	}
}

func entityUpsertConfidence(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "person", "Ada", "Countess")
	weaker := newEntity(2, "person", "Ada")
	weaker.Confidence, weaker.Description, weaker.Extractor = 0.4, "other", "other"
	stored, _, err := db.UpsertEntities(ctx(t), []kgl.Entity{weaker})
	must(t, err)
	same(t, stored, []kgl.Entity{e})
	stronger, strongest := newEntity(3, "person", "Ada"), newEntity(4, "person", "Countess")
	stronger.Confidence, strongest.Confidence = 0.6, 0.9
	stored, _, err = db.UpsertEntities(ctx(t), []kgl.Entity{stronger, strongest, weaker})
	must(t, err)
	e.Confidence, e.Version, e.UpdatedAt = 0.9, 2, strongest.UpdatedAt
	same(t, stored, []kgl.Entity{e, e, e})
}

func entityUpsertTwice(t *testing.T, db *store.DB) {
	first, again, alias := newEntity(1, "person", "Ada"), newEntity(2, "person", "ADA"), newEntity(3, "person", "Countess")
	first.Aliases, again.Confidence = []string{"Countess"}, 0.8
	stored, created, err := db.UpsertEntities(ctx(t), []kgl.Entity{first, again, alias})
	must(t, err)
	same(t, created, []bool{true, false, false})
	first.Confidence = 0.8
	same(t, stored, []kgl.Entity{first, first, first})
}

// entityUpsertRace lets many callers store overlapping lists in different
// orders: all agree on the ids, and each entity is created once.
func entityUpsertRace(t *testing.T, db *store.DB) {
	const callers, kinds = 12, 10
	ids, made := make([][]string, callers), make([][]bool, callers)
	for _, err := range parallel(callers, func(i int) error {
		es := make([]kgl.Entity, kinds)
		for k := range es {
			name := (k*7 + i) % kinds // another order for each caller
			es[k] = newEntity(100*i+k, "person", fmt.Sprint("Person ", name))
			es[k].Confidence = float64(i+1) / callers
		}
		stored, created, err := db.UpsertEntities(ctx(t), es)
		if err != nil {
			return err
		}
		ids[i], made[i] = make([]string, kinds), make([]bool, kinds)
		for k := range es {
			name := (k*7 + i) % kinds
			ids[i][name], made[i][name] = stored[k].ID, created[k]
		}
		return nil
	}) {
		must(t, err)
	}
	for name := range kinds {
		count := 0
		for i := range callers {
			if ids[i][name] != ids[0][name] {
				t.Fatalf("person %d is %s to one caller and %s to another", name, ids[i][name], ids[0][name])
			}
			if made[i][name] {
				count++
			}
		}
		if e := got(db.Entity(ctx(t), ids[0][name]))(t); count != 1 || e.Confidence != 1 {
			t.Fatalf("person %d was created %d times and has the confidence %v", name, count, e.Confidence)
		}
	}
}

// entityUpsertLock deletes an entity that a transaction has found and is about
// to mention.
func entityUpsertLock(t *testing.T, db *store.DB) {
	content := graphContents(t, db, 1)[0]
	e := addEntity(t, db, 1, "person", "Ada")
	outside := ctx(t)
	must(t, db.InTx(outside, func(ctx context.Context, tx kgl.Store) error {
		_, created, err := tx.UpsertEntities(ctx, []kgl.Entity{newEntity(2, "person", "Ada")})
		must(t, err)
		same(t, created, []bool{false})
		waits(t, outside, func(ctx context.Context) error { return db.DeleteEntity(ctx, e.ID) })
		return tx.ReplaceMentions(ctx, content, kgl.ExtractorMock, []kgl.Mention{newMention(3, content, e.ID)})
	}))
	must(t, db.DeleteEntity(outside, e.ID))
}
