package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/client"
)

// operateNames names an entity in every way, and finds it by each of its names.
func operateNames(t *testing.T, b *backend) {
	ctx, c := t.Context(), b.as(t, client.RoleModerator)
	name := "Fund " + newPassword()
	external := []client.ExternalID{{Scheme: "wikidata", Value: newPassword()}}
	created, err := c.CreateEntityWithResponse(ctx, nil, client.EntityCreate{Name: name, Type: "grant", ExternalIds: &external})
	ok(t, err, created, http.StatusCreated)
	id := created.JSON201.ID
	if !slices.Equal(created.JSON201.ExternalIds, external) {
		t.Errorf("external ids = %+v", created.JSON201.ExternalIds)
	}
	added, err := c.AddEntityAliasWithResponse(ctx, id, nil, client.AliasCreate{Alias: "Alias of " + name, Language: ptr("en-GB")})
	ok(t, err, added, http.StatusCreated)
	if got := added.HTTPResponse.Header.Get("Location"); got != "/api/v1/entities/"+id+"/aliases" {
		t.Errorf("Location = %q", got)
	}
	aliases, err := c.ListEntityAliasesWithResponse(ctx, id, nil)
	ok(t, err, aliases, http.StatusOK)
	want := []client.Alias{{Alias: "Alias of " + name, Language: nullable.NewNullableWithValue("en-GB"), Source: "manual"}}
	if len(aliases.JSON200.Data) != 1 || encode(t, aliases.JSON200.Data) != encode(t, want) {
		t.Errorf("aliases = %+v", aliases.JSON200.Data)
	}
	b.findNames(t, c, id, name, external)
	removed, err := c.RemoveEntityAliasWithResponse(ctx, id, &client.RemoveEntityAliasParams{Alias: strings.ToUpper("alias-of " + name)})
	ok(t, err, removed, http.StatusNoContent)
	read, err := c.GetEntityWithResponse(ctx, id, nil)
	ok(t, err, read, http.StatusOK)
	if len(read.JSON200.Aliases) != 0 || read.JSON200.Version != 3 {
		t.Errorf("after two changes: %+v", read.JSON200)
	}
}

// findNames completes and resolves the names of an entity.
func (b *backend) findNames(t *testing.T, c *caller, id, name string, external []client.ExternalID) {
	t.Helper()
	misspelled := name[:len(name)-2]
	for text, kind := range map[string]client.EntityMatchMatch{
		name: client.EntityMatchMatchName, strings.ToLower(misspelled): client.EntityMatchMatchPrefix,
		"Alias of " + name: client.EntityMatchMatchAlias, "Fnud" + strings.TrimPrefix(name, "Fund"): client.EntityMatchMatchSimilar,
	} {
		found, err := c.SuggestEntitiesWithResponse(t.Context(), &client.SuggestEntitiesParams{Q: text, Type: &[]string{"grant"}})
		ok(t, err, found, http.StatusOK)
		at := slices.IndexFunc(found.JSON200.Data, func(m client.EntityMatch) bool { return m.Entity.ID == id })
		if at < 0 || found.JSON200.Data[at].Match != kind {
			t.Errorf("%q suggests %+v", text, found.JSON200.Data)
		}
	}
	resolved, err := c.ResolveEntitiesWithResponse(t.Context(), client.EntityResolve{Names: []client.EntityName{
		{Name: name, Type: ptr("grant")}, {Name: "Alias of " + name}, {Name: "something else", ExternalIds: &external}, {Name: "no " + newPassword()},
	}})
	ok(t, err, resolved, http.StatusOK)
	for i, kind := range []client.EntityMatchMatch{client.EntityMatchMatchName, client.EntityMatchMatchAlias, client.EntityMatchMatchExternalID} {
		r := resolved.JSON200.Data[i]
		if len(r.Candidates) == 0 || r.Candidates[0].Entity.ID != id || r.Candidates[0].Match != kind {
			t.Errorf("%s: %+v", r.Name, r.Candidates)
		}
	}
	if last := resolved.JSON200.Data[3]; len(last.Candidates) != 0 || !last.Type.IsNull() {
		t.Errorf("an unknown name: %+v", last)
	}
}

// testMentioned reads where the sample items mention an entity, and compares
// the lists with the counters.
func testMentioned(t *testing.T, b *backend) {
	c := b.as(t, client.RoleUser)
	ids := b.samples(t)
	item := c.content(t, ids[0])[0]
	found := decode[client.ContentEntityList](t, c.do("GET", "/api/v1/content/"+item.ID+"/entities?limit=1", "").want(t, 200).body)
	id := found.Data[0].Entity.ID
	mentions, err := c.ListEntityMentionsWithResponse(t.Context(), id, &client.ListEntityMentionsParams{Limit: ptr(100)})
	ok(t, err, mentions, http.StatusOK)
	contents, err := c.ListEntityContentWithResponse(t.Context(), id, &client.ListEntityContentParams{Limit: ptr(100)})
	ok(t, err, contents, http.StatusOK)
	places := map[string]int{}
	for i, m := range mentions.JSON200.Data {
		places[m.Content.ID]++
		if i > 0 && m.Content.PublishedAt.After(mentions.JSON200.Data[i-1].Content.PublishedAt) {
			t.Errorf("mention %d is newer than the one before", i)
		}
	}
	if places[item.ID] == 0 {
		t.Errorf("the entity is not mentioned by %s, which mentions it", item.ID)
	}
	if len(mentions.JSON200.Data) < 100 && len(contents.JSON200.Data) != len(places) {
		t.Errorf("%d items, %d have mentions", len(contents.JSON200.Data), len(places))
	}
	for _, row := range contents.JSON200.Data {
		if n, known := places[row.Content.ID]; known && len(mentions.JSON200.Data) < 100 && n != row.MentionCount {
			t.Errorf("%d mentions in %s, counted %d", n, row.Content.ID, row.MentionCount)
		}
	}
	e, err := c.GetEntityWithResponse(t.Context(), id, nil)
	ok(t, err, e, http.StatusOK)
	if seen, err := e.JSON200.LastSeenAt.Get(); err != nil || !seen.Equal(contents.JSON200.Data[0].Content.PublishedAt) {
		t.Errorf("last seen at %v, the newest item is of %v", seen, contents.JSON200.Data[0].Content.PublishedAt)
	}
}
