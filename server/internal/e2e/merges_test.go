package e2e

import (
	"net/http"
	"slices"
	"testing"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/client"
)

// newEntity stores an entity with a name of its own.
func (c *caller) newEntity(t *testing.T, typ string) client.Entity {
	t.Helper()
	res, err := c.CreateEntityWithResponse(t.Context(), nil, client.EntityCreate{Name: "Entity " + newPassword(), Type: typ})
	ok(t, err, res, http.StatusCreated)
	return *res.JSON201
}

func (c *caller) relate(t *testing.T, from, to, typ string) client.Relationship {
	t.Helper()
	res, err := c.CreateRelationshipWithResponse(t.Context(), nil, client.RelationshipCreate{FromEntityID: from, ToEntityID: to, Type: typ})
	ok(t, err, res, http.StatusCreated)
	return *res.JSON201
}

func (c *caller) entity(t *testing.T, id string) client.Entity {
	t.Helper()
	res, err := c.GetEntityWithResponse(t.Context(), id, nil)
	ok(t, err, res, http.StatusOK)
	return *res.JSON200
}

// mergeOf merges an entity into another one.
func (c *caller) mergeOf(t *testing.T, winner, loser string) client.EntityMerge {
	t.Helper()
	res, err := c.MergeEntitiesWithResponse(t.Context(), winner, nil, client.EntityMergeCreate{EntityIds: []string{loser}, Reason: ptr(" the same ")})
	ok(t, err, res, http.StatusCreated)
	return *res.JSON201
}

// testMerges merges a chain of entities, asks by the old ids, and undoes the
// first merge while the second is in force.
func testMerges(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.asAdmin(t)
	one, two, three, far := c.newEntity(t, "grant"), c.newEntity(t, "grant"), c.newEntity(t, "grant"), c.newEntity(t, "platform")
	first := c.relate(t, far.ID, one.ID, "offers")
	same := c.relate(t, far.ID, two.ID, "offers")

	merge := c.mergeOf(t, two.ID, one.ID)
	if merge.Reason != "the same" || merge.Moved.Relationships != 1 || merge.Moved.Aliases != 1 || !merge.UndoneAt.IsNull() || merge.Losers[0].ID != one.ID {
		t.Errorf("merge = %+v", merge)
	}
	again := c.mergeOf(t, three.ID, two.ID)
	if e := c.entity(t, one.ID); e.ID != three.ID || e.Degree != 1 || !slices.Contains(e.Aliases, one.Name) || !slices.Contains(e.Aliases, two.Name) {
		t.Errorf("the first id answers %+v", e)
	}
	itself, err := c.GetEntityWithResponse(ctx, one.ID, &client.GetEntityParams{Follow: ptr(false)})
	ok(t, err, itself, http.StatusOK)
	if e := itself.JSON200; e.Status != client.EntityStatusMerged || e.MergedInto.MustGet() != two.ID {
		t.Errorf("the first entity = %+v", e)
	}
	hidden, err := c.GetRelationshipWithResponse(ctx, first.ID, nil)
	ok(t, err, hidden, http.StatusOK)
	if r := hidden.JSON200; r.Status != client.RelationshipStatusMerged || r.MergedInto.IsNull() {
		t.Errorf("the relationship that became the same = %+v", r)
	}
	c.do("PATCH", "/api/v1/relationships/"+first.ID, `{"status":"rejected"}`).want(t, http.StatusConflict)
	c.do("PATCH", "/api/v1/entities/"+one.ID, `{"description":"x"}`).want(t, http.StatusConflict)
	c.do("DELETE", "/api/v1/entities/"+one.ID, "").want(t, http.StatusConflict)
	c.do("POST", "/api/v1/entities/"+one.ID+"/merges", `{"entity_ids":["`+far.ID+`"]}`).want(t, http.StatusConflict)
	c.do("POST", "/api/v1/entities/"+far.ID+"/merges", `{"entity_ids":["`+far.ID+`"]}`).want(t, http.StatusBadRequest)
	c.do("POST", "/api/v1/entities/"+far.ID+"/merges", `{"entity_ids":["`+missingID+`"]}`).want(t, http.StatusBadRequest)

	listed, err := c.ListEntityMergesWithResponse(ctx, two.ID, nil)
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) != 2 || listed.JSON200.Data[0].ID != again.ID || listed.JSON200.Data[1].ID != merge.ID {
		t.Errorf("merges = %+v", listed.JSON200.Data)
	}
	undone, err := c.UndoEntityMergeWithResponse(ctx, three.ID, merge.ID)
	ok(t, err, undone, http.StatusOK)
	if undone.JSON200.UndoneAt.IsNull() || undone.JSON200.UndoneBy.IsNull() {
		t.Errorf("undone = %+v", undone.JSON200)
	}
	if e := c.entity(t, one.ID); e.ID != one.ID || e.Degree != 1 {
		t.Errorf("the first entity is back as %+v", e)
	}
	if e := c.entity(t, two.ID); e.ID != three.ID || e.Degree != 1 {
		t.Errorf("the second id answers %+v", e)
	}
	c.do("DELETE", "/api/v1/entities/"+two.ID+"/merges/"+merge.ID, "").want(t, http.StatusConflict)
	c.do("DELETE", "/api/v1/entities/"+far.ID+"/merges/"+again.ID, "").want(t, http.StatusNotFound)
	c.do("DELETE", "/api/v1/entities/"+three.ID+"/merges/"+again.ID, "").want(t, http.StatusOK)
	if r := c.relationship(t, same.ID); r.Status != client.RelationshipStatusActive || r.To.ID != two.ID {
		t.Errorf("the second relationship is %+v", r)
	}
}

func (c *caller) relationship(t *testing.T, id string) client.RelationshipDetail {
	t.Helper()
	res, err := c.GetRelationshipWithResponse(t.Context(), id, nil)
	ok(t, err, res, http.StatusOK)
	return *res.JSON200
}

// testRejections takes an entity and a relationship out of the graph and back.
func testRejections(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.asAdmin(t)
	hub, near, far := c.newEntity(t, "grant"), c.newEntity(t, "person"), c.newEntity(t, "person")
	kept, wrong := c.relate(t, hub.ID, near.ID, "funds"), c.relate(t, hub.ID, far.ID, "funds")
	reject := func(path string) answer { return c.do("PATCH", path, `{"status":"rejected"}`).want(t, http.StatusOK) }
	restore := func(path string) answer { return c.do("PATCH", path, `{"status":"active"}`).want(t, http.StatusOK) }

	reject("/api/v1/relationships/" + wrong.ID)
	if e := c.entity(t, hub.ID); e.Degree != 1 {
		t.Errorf("degree %d after a relationship was rejected", e.Degree)
	}
	reject("/api/v1/entities/" + hub.ID)
	if e := c.entity(t, near.ID); e.Degree != 0 {
		t.Errorf("degree %d beside a rejected entity", e.Degree)
	}
	if r := c.relationship(t, kept.ID); r.Status != client.RelationshipStatusSuppressed {
		t.Errorf("a relationship of a rejected entity = %+v", r)
	}
	c.do("POST", "/api/v1/relationships", `{"from_entity_id":"`+hub.ID+`","to_entity_id":"`+far.ID+`","type":"knows"}`).want(t, http.StatusConflict)
	c.do("POST", "/api/v1/entities/"+near.ID+"/merges", `{"entity_ids":["`+hub.ID+`"]}`).want(t, http.StatusConflict)
	listed, err := c.ListRelationshipsWithResponse(ctx, &client.ListRelationshipsParams{
		FromEntityID: &hub.ID, Status: ptr(client.RelationshipStatusSuppressed), Sort: ptr(client.ListRelationshipsParamsSortMinusWeight),
	})
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) != 1 || listed.JSON200.Data[0].ID != kept.ID {
		t.Errorf("suppressed = %+v", listed.JSON200.Data)
	}
	restore("/api/v1/entities/" + hub.ID)
	if r := c.relationship(t, wrong.ID); r.Status != client.RelationshipStatusRejected {
		t.Errorf("what a person rejected came back with its entity: %+v", r)
	}
	restore("/api/v1/relationships/" + wrong.ID)
	if e := c.entity(t, hub.ID); e.Degree != 2 || e.Status != client.EntityStatusActive {
		t.Errorf("the restored entity = %+v", e)
	}
}

// testRelationshipEdits adds a relationship, changes and deletes it.
func testRelationshipEdits(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.asAdmin(t)
	from, to := c.newEntity(t, "platform"), c.newEntity(t, "grant")
	key := newPassword()
	create := client.RelationshipCreate{
		FromEntityID: from.ID, ToEntityID: to.ID, Type: "offers", Fact: ptr(" It offers it. "), Confidence: ptr(0.5), ValidFrom: ptr("2026-11"),
	}
	created, err := c.CreateRelationshipWithResponse(ctx, &client.CreateRelationshipParams{IdempotencyKey: &key}, create)
	ok(t, err, created, http.StatusCreated)
	r := created.JSON201
	if r.Fact != "It offers it." || r.Weight != 0.5 || r.ValidFrom.MustGet() != "2026-11" || !r.ValidTo.IsNull() || r.Extractor != "manual" || r.From.Name != from.Name {
		t.Errorf("created = %+v", r)
	}
	c.do("POST", "/api/v1/relationships", encode(t, create)).want(t, http.StatusConflict)
	create.Type = "funds"
	c.do("POST", "/api/v1/relationships", encode(t, create), "Idempotency-Key", key).want(t, http.StatusUnprocessableEntity)
	create.ValidTo = ptr("2026-10")
	c.do("POST", "/api/v1/relationships", encode(t, create)).want(t, http.StatusBadRequest)
	create.FromEntityID, create.ValidTo = missingID, nil
	c.do("POST", "/api/v1/relationships", encode(t, create)).want(t, http.StatusBadRequest)

	path, tag := "/api/v1/relationships/"+r.ID, created.HTTPResponse.Header.Get("ETag")
	updated, err := c.UpdateRelationshipWithResponse(ctx, r.ID, &client.UpdateRelationshipParams{IfMatch: &tag}, client.RelationshipUpdate{
		Confidence: ptr(0.25), ValidFrom: nullable.NewNullNullable[string](), ValidTo: nullable.NewNullableWithValue("2027"),
	})
	ok(t, err, updated, http.StatusOK)
	if u := updated.JSON200; u.Weight != 0.25 || !u.ValidFrom.IsNull() || u.ValidTo.MustGet() != "2027" || u.Fact != r.Fact || u.Version != 2 {
		t.Errorf("updated = %+v", u)
	}
	c.do("PATCH", path, `{"fact":"x"}`, "If-Match", tag).want(t, http.StatusPreconditionFailed)
	evidence, err := c.ListRelationshipEvidenceWithResponse(ctx, r.ID, nil)
	ok(t, err, evidence, http.StatusOK)
	if len(evidence.JSON200.Data) != 0 {
		t.Errorf("evidence = %+v", evidence.JSON200.Data)
	}
	of, err := c.ListEntityRelationshipsWithResponse(ctx, to.ID, &client.ListEntityRelationshipsParams{
		Sort: ptr(client.ListEntityRelationshipsParamsSortMinusWeight), MinConfidence: ptr(0.2),
	})
	ok(t, err, of, http.StatusOK)
	if len(of.JSON200.Data) != 1 || of.JSON200.Data[0].ID != r.ID {
		t.Errorf("relationships of the end = %+v", of.JSON200.Data)
	}
	deleted, err := c.DeleteRelationshipWithResponse(ctx, r.ID, nil)
	ok(t, err, deleted, http.StatusNoContent)
	c.do("GET", path, "").want(t, http.StatusNotFound)
	if e := c.entity(t, to.ID); e.Degree != 0 {
		t.Errorf("degree %d after the relationship was deleted", e.Degree)
	}
	// A merge is meant once, too.
	body := `{"entity_ids":["` + from.ID + `"]}`
	c.do("POST", "/api/v1/entities/"+to.ID+"/merges", body, "Idempotency-Key", key+"m").want(t, http.StatusCreated)
	if res := c.do("POST", "/api/v1/entities/"+to.ID+"/merges", body, "Idempotency-Key", key+"m").want(t, http.StatusCreated); res.header.Get("Idempotency-Replayed") != "true" {
		t.Error("the merge was not replayed")
	}
	c.do("POST", "/api/v1/entities/"+to.ID+"/merges", `{"entity_ids":["`+missingID+`"]}`, "Idempotency-Key", key+"m").want(t, http.StatusUnprocessableEntity)
}
