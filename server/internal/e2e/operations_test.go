package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/client"
)

// testOperations calls every operation through the typed client, as another
// module would, and expects success.
func testOperations(t *testing.T, b *backend) {
	t.Run("auth", func(t *testing.T) { operateAuth(t, b) })
	t.Run("users", func(t *testing.T) { operateUsers(t, b) })
	t.Run("sources", func(t *testing.T) { operateSources(t, b) })
	t.Run("content", func(t *testing.T) { operateContent(t, b) })
	t.Run("entities", func(t *testing.T) { operateEntities(t, b) })
	t.Run("names of entities", func(t *testing.T) { operateNames(t, b) })
	t.Run("mentions of entities", func(t *testing.T) { testMentioned(t, b) })
	t.Run("graph", func(t *testing.T) { operateGraph(t, b) })
	t.Run("system", func(t *testing.T) { operateSystem(t, b) })
}

// ok fails the test unless a call of the typed client ended with a status. The
// transport has held the answer against the contract already.
func ok(t *testing.T, err error, res interface{ StatusCode() int }, want int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode() != want {
		t.Fatalf("status = %d, want %d", res.StatusCode(), want)
	}
}

func operateAuth(t *testing.T, b *backend) {
	ctx, a := t.Context(), b.newAccount(t, client.RoleUser)
	login, err := b.anonymous(t).LoginWithResponse(ctx, client.LoginRequest{Email: a.email, Password: a.password})
	ok(t, err, login, http.StatusOK)
	if login.JSON200.User.ID != a.id || login.JSON200.ExpiresIn != 900 || login.JSON200.TokenType != client.TokenSetTokenTypeBearer {
		t.Errorf("login = %+v", login.JSON200)
	}
	c := b.newCaller(t, login.JSON200.AccessToken)
	me, err := c.GetCurrentUserWithResponse(ctx, nil)
	ok(t, err, me, http.StatusOK)
	if me.JSON200.Email != a.email || me.JSON200.Role != client.RoleUser {
		t.Errorf("me = %+v", me.JSON200)
	}
	refreshed, err := b.anonymous(t).RefreshTokensWithResponse(ctx, client.RefreshRequest{RefreshToken: login.JSON200.RefreshToken})
	ok(t, err, refreshed, http.StatusOK)
	c = b.newCaller(t, refreshed.JSON200.AccessToken)
	changed, err := c.ChangePasswordWithResponse(ctx, client.PasswordChange{CurrentPassword: a.password, NewPassword: b.secrets.add(newPassword())})
	ok(t, err, changed, http.StatusNoContent)
	other := b.as(t, client.RoleUser)
	out, err := other.LogoutWithResponse(ctx, client.LogoutRequest{})
	ok(t, err, out, http.StatusNoContent)
	token, err := b.anonymous(t).IssueTokenWithFormdataBodyWithResponse(ctx, client.TokenRequest{
		GrantType: "password", Username: &b.admin.email, Password: &b.admin.password,
	})
	ok(t, err, token, http.StatusOK)
	keys, err := b.anonymous(t).GetJWKSWithResponse(ctx, nil)
	ok(t, err, keys, http.StatusOK)
	wellKnown, err := b.anonymous(t).GetWellKnownJWKSWithResponse(ctx, nil)
	ok(t, err, wellKnown, http.StatusOK)
	if string(keys.Body) != string(wellKnown.Body) || len(keys.JSON200.Keys) == 0 {
		t.Errorf("key sets: %s and %s", keys.Body, wellKnown.Body)
	}
}

func operateUsers(t *testing.T, b *backend) {
	ctx, admin := t.Context(), b.asAdmin(t)
	email := strings.ToLower(newPassword()) + "@kgl.test"
	created, err := admin.CreateUserWithResponse(ctx, nil, client.UserCreate{
		Email: email, Name: "Grace", Role: client.RoleUser, Password: b.secrets.add(newPassword()),
	})
	ok(t, err, created, http.StatusCreated)
	id := created.JSON201.ID
	if got := created.HTTPResponse.Header.Get("Location"); got != "/api/v1/users/"+id {
		t.Errorf("Location = %q", got)
	}
	read, err := admin.GetUserWithResponse(ctx, id, nil)
	ok(t, err, read, http.StatusOK)
	listed, err := admin.ListUsersWithResponse(ctx, &client.ListUsersParams{Email: ptr(strings.ToUpper(email[:12]))})
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) != 1 || listed.JSON200.Data[0].ID != id {
		t.Errorf("users whose email begins with %s: %+v", email[:12], listed.JSON200.Data)
	}
	updated, err := admin.UpdateUserWithResponse(ctx, id, nil, client.UserUpdate{Role: ptr(client.RoleModerator), Name: ptr("Grace H.")})
	ok(t, err, updated, http.StatusOK)
	if updated.JSON200.Role != client.RoleModerator || updated.JSON200.Name != "Grace H." || updated.JSON200.Email != email {
		t.Errorf("updated = %+v", updated.JSON200)
	}
	deleted, err := admin.DeleteUserWithResponse(ctx, id, nil)
	ok(t, err, deleted, http.StatusNoContent)
	gone, err := admin.GetUserWithResponse(ctx, id, nil)
	ok(t, err, gone, http.StatusNotFound)
}

func operateSources(t *testing.T, b *backend) {
	ctx, c, f := t.Context(), b.as(t, client.RoleModerator), newFeedServer(t)
	f.serve("/feed.xml", rssFeed("Example", newItem("one"), newItem("two")))
	created, err := c.CreateSourceWithResponse(ctx, nil, client.SourceCreate{
		URL: f.url("/feed.xml"), Tags: &[]string{"Grants"}, FetchIntervalSeconds: nullable.NewNullableWithValue(3600),
	})
	ok(t, err, created, http.StatusCreated)
	id := created.JSON201.ID
	if got := created.HTTPResponse.Header.Get("Location"); got != "/api/v1/sources/"+id {
		t.Errorf("Location = %q", got)
	}
	if tags := created.JSON201.Tags; len(tags) != 1 || tags[0] != "grants" {
		t.Errorf("tags = %v", tags)
	}
	c.waitForFetches(t, id, 1)
	listed, err := c.ListSourcesWithResponse(ctx, &client.ListSourcesParams{Host: &created.JSON201.Host, Tag: ptr("GRANTS"), Q: ptr("exam")})
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) != 1 || listed.JSON200.Data[0].ID != id || listed.JSON200.Data[0].ContentCount != 2 {
		t.Errorf("listed = %+v", listed.JSON200.Data)
	}
	schedule, err := c.GetSourceScheduleWithResponse(ctx, id)
	ok(t, err, schedule, http.StatusOK)
	if s := schedule.JSON200; s.Decision.MustGet().Rule != "own_interval" || s.Interval.Own.MustGet() != 3600 || s.Trigger.MustGet() != "schedule" ||
		len(s.WaitingFor) != 1 || s.WaitingFor[0].Code != "not_due" || s.Health.State != client.SourceHealthStateQuiet || !s.Domain.IsNull() {
		t.Errorf("schedule = %s", schedule.Body)
	}
	refreshed, err := c.RefreshSourceWithResponse(ctx, id)
	ok(t, err, refreshed, http.StatusAccepted)
	fetches := c.waitForFetches(t, id, 2)
	if last := fetches[0]; last.Trigger.MustGet() != "request" || last.Next.MustGet().Rule != "own_interval" || fetches[1].Trigger.MustGet() != "first" {
		t.Errorf("fetches = %+v", fetches)
	}
	updated, err := c.UpdateSourceWithResponse(ctx, id, nil, client.SourceUpdate{Title: nullable.NewNullableWithValue("Mine"), Status: ptr(client.SourceStatusChoicePaused)})
	ok(t, err, updated, http.StatusOK)
	if s := updated.JSON200; s.Title != "Mine" || s.Status != client.SourceStatusPaused || !s.NextFetchAt.IsNull() || s.Tags[0] != "grants" {
		t.Errorf("updated = %+v", s)
	}
	deleted, err := c.DeleteSourceWithResponse(ctx, id, nil)
	ok(t, err, deleted, http.StatusNoContent)
	if left := c.content(t, id); len(left) > 0 {
		t.Errorf("%d items outlived their source", len(left))
	}
}

func operateContent(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.as(t, client.RoleModerator)
	ids := b.samples(t)
	listed, err := c.ListContentWithResponse(ctx, &client.ListContentParams{SourceID: &ids[0], View: ptr(client.ListContentParamsViewSummary)})
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) != 20 || listed.JSON200.Data[0].ContentHTML != nil || !listed.JSON200.Pagination.HasMore {
		t.Errorf("%d items, more %t", len(listed.JSON200.Data), listed.JSON200.Pagination.HasMore)
	}
	id := listed.JSON200.Data[0].ID
	read, err := c.GetContentWithResponse(ctx, id, nil)
	ok(t, err, read, http.StatusOK)
	if read.JSON200.ContentText == nil || *read.JSON200.ContentText == "" || read.JSON200.Status != client.ContentStatusProcessed {
		t.Errorf("content = %+v", read.JSON200)
	}
	entities, err := c.ListContentEntitiesWithResponse(ctx, id, nil)
	ok(t, err, entities, http.StatusOK)
	revisions, err := c.ListContentRevisionsWithResponse(ctx, id, nil)
	ok(t, err, revisions, http.StatusOK)
	duplicates, err := c.ListContentDuplicatesWithResponse(ctx, id, nil)
	ok(t, err, duplicates, http.StatusOK)
	f := newFeedServer(t)
	f.serve("/feed.xml", rssFeed("Short", newItem("one"), newItem("two")))
	own := c.createSource(t, f.url("/feed.xml")).ID
	c.waitForFetches(t, own, 1)
	c.linkAndTakeApart(t, c.content(t, own))
	deleted, err := c.DeleteContentWithResponse(ctx, c.content(t, own)[0].ID, nil)
	ok(t, err, deleted, http.StatusNoContent)
}

// linkAndTakeApart links the second of two items to the first, and undoes it.
func (c *caller) linkAndTakeApart(t *testing.T, items []client.Content) {
	t.Helper()
	ctx := t.Context()
	linked, err := c.LinkContentDuplicateWithResponse(ctx, items[1].ID, nil, client.DuplicateCreate{DuplicateOf: items[0].ID})
	ok(t, err, linked, http.StatusCreated)
	if l := linked.JSON201; l.DuplicateOf != items[0].ID || l.Reason != client.DuplicateReasonManual || l.Score != 1 || l.CreatedBy.IsNull() {
		t.Errorf("linked = %+v", l)
	}
	head, err := c.GetContentWithResponse(ctx, items[0].ID, nil)
	ok(t, err, head, http.StatusOK)
	if head.JSON200.DuplicateCount != 1 {
		t.Errorf("%d items are folded under the head", head.JSON200.DuplicateCount)
	}
	apart, err := c.TakeContentApartWithResponse(ctx, items[0].ID)
	ok(t, err, apart, http.StatusNoContent)
	again, err := c.TakeContentApartWithResponse(ctx, items[0].ID)
	ok(t, err, again, http.StatusConflict)
}

func operateEntities(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.as(t, client.RoleModerator)
	b.samples(t)
	name := "Fund " + newPassword()
	created, err := c.CreateEntityWithResponse(ctx, nil, client.EntityCreate{Name: name, Type: "grant", Aliases: &[]string{"alias of " + name}})
	ok(t, err, created, http.StatusCreated)
	id := created.JSON201.ID
	if created.JSON201.Extractor != "manual" || created.JSON201.Confidence != 1 {
		t.Errorf("created = %+v", created.JSON201)
	}
	read, err := c.GetEntityWithResponse(ctx, id, nil)
	ok(t, err, read, http.StatusOK)
	listed, err := c.ListEntitiesWithResponse(ctx, &client.ListEntitiesParams{Name: ptr("ALIAS OF " + name)})
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) != 1 || listed.JSON200.Data[0].ID != id {
		t.Errorf("entities by alias = %+v", listed.JSON200.Data)
	}
	updated, err := c.UpdateEntityWithResponse(ctx, id, nil, client.EntityUpdate{Description: nullable.NewNullableWithValue("A fund.")})
	ok(t, err, updated, http.StatusOK)
	if updated.JSON200.Description != "A fund." || updated.JSON200.Name != name || len(updated.JSON200.Aliases) != 1 {
		t.Errorf("updated = %+v", updated.JSON200)
	}
	deleted, err := c.DeleteEntityWithResponse(ctx, id, nil)
	ok(t, err, deleted, http.StatusNoContent)

	relationships, err := c.ListRelationshipsWithResponse(ctx, &client.ListRelationshipsParams{Limit: ptr(5)})
	ok(t, err, relationships, http.StatusOK)
	if len(relationships.JSON200.Data) != 5 {
		t.Fatalf("%d relationships", len(relationships.JSON200.Data))
	}
	edge := relationships.JSON200.Data[0]
	detail, err := c.GetRelationshipWithResponse(ctx, edge.ID, nil)
	ok(t, err, detail, http.StatusOK)
	if len(detail.JSON200.Evidence) == 0 || detail.JSON200.Extractor != "mock" {
		t.Errorf("relationship = %+v", detail.JSON200)
	}
	of, err := c.ListEntityRelationshipsWithResponse(ctx, edge.From.ID, &client.ListEntityRelationshipsParams{
		Direction: ptr(client.ListEntityRelationshipsParamsDirectionOut), Type: &edge.Type,
	})
	ok(t, err, of, http.StatusOK)
	if len(of.JSON200.Data) == 0 {
		t.Error("an entity has none of its relationships")
	}
	for _, r := range of.JSON200.Data {
		if r.From.ID != edge.From.ID || r.Type != edge.Type {
			t.Errorf("not a relationship that was asked for: %+v", r)
		}
	}
}

func operateSystem(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.anonymous(t)
	health, err := c.GetHealthWithResponse(ctx)
	ok(t, err, health, http.StatusOK)
	ready, err := c.GetReadinessWithResponse(ctx)
	ok(t, err, ready, http.StatusOK)
	if ready.JSON200.Status != client.ReadinessStatusReady || len(ready.JSON200.Checks) == 0 {
		t.Errorf("ready = %+v", ready.JSON200)
	}
	metrics, err := c.GetMetricsWithResponse(ctx)
	ok(t, err, metrics, http.StatusOK)
	docs, err := c.GetDocsWithResponse(ctx)
	ok(t, err, docs, http.StatusOK)
	asJSON, err := c.GetContractJSONWithResponse(ctx, nil)
	ok(t, err, asJSON, http.StatusOK)
	// The client generator leaves operations without a JSON body of their own out.
	c.do("GET", "/api/v1/openapi.yaml", "").want(t, http.StatusOK)
	audit, err := b.asAdmin(t).ListAuditEventsWithResponse(ctx, nil)
	ok(t, err, audit, http.StatusOK)
	board, err := b.as(t, client.RoleUser).GetDashboardWithResponse(ctx, nil)
	ok(t, err, board, http.StatusOK)
}
