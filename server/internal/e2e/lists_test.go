package e2e

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// page is what all lists have in common.
type page struct {
	Data       []map[string]any  `json:"data"`
	Pagination client.Pagination `json:"pagination"`
}

// walk reads a list to its end, in pages of a size, and returns what identifies
// its rows.
func walk(t *testing.T, c *caller, path, query string, limit int) []string {
	t.Helper()
	var rows []string
	cursor := ""
	for range 200 {
		at := fmt.Sprintf("%s?limit=%d%s", path, limit, query)
		if cursor != "" {
			at += "&cursor=" + url.QueryEscape(cursor)
		}
		p := decode[page](t, c.do("GET", at, "").want(t, 200).body)
		if p.Pagination.Limit != limit || len(p.Data) > limit {
			t.Fatalf("%s: %d rows, limit %d", at, len(p.Data), p.Pagination.Limit)
		}
		for _, row := range p.Data {
			rows = append(rows, rowKey(row))
		}
		if next, err := p.Pagination.NextCursor.Get(); err == nil && p.Pagination.HasMore {
			cursor = next
			continue
		}
		if p.Pagination.HasMore || !p.Pagination.NextCursor.IsNull() {
			t.Fatalf("%s: more %t, cursor null %t", at, p.Pagination.HasMore, p.Pagination.NextCursor.IsNull())
		}
		return rows
	}
	t.Fatalf("%s does not end", path)
	return nil
}

// rowKey identifies a row of any list.
func rowKey(row map[string]any) string {
	for _, part := range []string{"entity", "mention", "content"} {
		if of, ok := row[part].(map[string]any); ok {
			return fmt.Sprint(of["id"])
		}
	}
	if id, ok := row["id"]; ok {
		return fmt.Sprint(id)
	}
	return fmt.Sprint(row["content_id"], row["revision"], row["duplicate_of"])
}

// testPages walks lists in pages of several sizes: together the pages hold each
// row once, in one order. Items with the same time and entities with the same
// name make ties.
func testPages(t *testing.T, b *backend) {
	c, f := b.asAdmin(t), newFeedServer(t)
	items := make([]item, 23)
	for i := range items {
		items[i] = newItem(fmt.Sprintf("tie %d", i))
		items[i].published = time.Date(2026, 3, 1, i/8, 0, 0, 0, time.UTC)
	}
	f.serve("/ties.xml", rssFeed("Ties", items...))
	source := c.createSource(t, f.url("/ties.xml")).ID
	c.waitForFetches(t, source, 1)
	name := "Tie " + newPassword()
	for i := range 9 {
		c.do("POST", "/api/v1/entities", encode(t, client.EntityCreate{Name: name, Type: fmt.Sprintf("kind_%d", i), Confidence: ptr(0.5)})).want(t, 201)
	}
	source0 := b.samples(t)[0]
	rich, related := "", mostRelated(t, c)
	for _, item := range c.content(t, source0) {
		if rich = item.ID; len(walk(t, c, "/api/v1/content/"+rich+"/entities", "", 100)) > 1 {
			break
		}
	}
	lists := []struct{ path, query string }{
		{"/api/v1/content", "&source_id=" + source}, {"/api/v1/content", "&sort=published_at&source_id=" + source},
		{"/api/v1/entities", "&name=" + url.QueryEscape(name)}, {"/api/v1/entities", "&sort=-confidence&name=" + url.QueryEscape(name)},
		{"/api/v1/entities", "&sort=-created_at&name=" + url.QueryEscape(name)}, {"/api/v1/sources", ""}, {"/api/v1/sources", "&sort=title"},
		{"/api/v1/users", ""}, {"/api/v1/relationships", "&from_entity_id=" + related},
		{"/api/v1/entities/" + related + "/relationships", ""}, {"/api/v1/content/" + rich + "/entities", ""},
		{"/api/v1/entities", "&sort=-degree&name=" + url.QueryEscape(name)}, {"/api/v1/entities", "&sort=-last_seen_at&name=" + url.QueryEscape(name)},
		{"/api/v1/entities/" + related + "/mentions", ""}, {"/api/v1/entities/" + related + "/content", ""},
	}
	for _, list := range lists {
		t.Run(list.path+list.query, func(t *testing.T) {
			all := walk(t, c, list.path, list.query, 100)
			if len(all) < 2 {
				t.Fatalf("%d rows are too few for a test", len(all))
			}
			for _, limit := range []int{1, 3, 7, len(all)} {
				if limit == 1 && len(all) > 40 || limit > 100 {
					continue
				}
				rows := walk(t, c, list.path, list.query, limit)
				if !slices.Equal(rows, all) {
					t.Errorf("pages of %d: %d rows, want %d in the same order\n%v\n%v", limit, len(rows), len(all), rows, all)
				}
			}
			if unique := slices.Compact(slices.Sorted(slices.Values(all))); len(unique) != len(all) {
				t.Errorf("%d rows, %d of them different", len(all), len(unique))
			}
		})
	}
	times := c.content(t, source)
	if !slices.IsSortedFunc(times, func(a, b client.Content) int { return b.PublishedAt.Compare(a.PublishedAt) }) {
		t.Error("content is not newest first")
	}
}

// mostRelated returns the entity from which most relationships start.
func mostRelated(t *testing.T, c *caller) string {
	t.Helper()
	res := decode[client.RelationshipList](t, c.do("GET", "/api/v1/relationships?limit=100", "").want(t, 200).body)
	count, most := map[string]int{}, ""
	for _, r := range res.Data {
		if count[r.From.ID]++; count[r.From.ID] > count[most] {
			most = r.From.ID
		}
	}
	return most
}

// testForeignCursors gives lists cursors that are not theirs.
func testForeignCursors(t *testing.T, b *backend) {
	c := b.asAdmin(t)
	b.samples(t)
	first := decode[page](t, c.do("GET", "/api/v1/content?limit=2", "").want(t, 200).body)
	cursor := first.Pagination.NextCursor.MustGet()
	c.do("GET", "/api/v1/content?limit=5&cursor="+cursor, "").want(t, 200) // another limit is the same query
	refused := []string{
		"/api/v1/entities?cursor=" + cursor, "/api/v1/sources?cursor=" + cursor, "/api/v1/content?sort=published_at&cursor=" + cursor,
		"/api/v1/content?duplicates=all&cursor=" + cursor, "/api/v1/content?cursor=" + cursor[:len(cursor)-3], "/api/v1/content?cursor=" + cursor + "AA",
		"/api/v1/content?cursor=x", "/api/v1/content?cursor=", "/api/v1/content?cursor=" + strings.Repeat("A", 8193), "/api/v1/content?cursor=%00",
		"/api/v1/content?cursor=" + base64.RawURLEncoding.EncodeToString([]byte(`{"v":1,"q":"","t":"' OR 1=1 --"}`)),
		"/api/v1/content?limit=0", "/api/v1/content?limit=-1", "/api/v1/content?limit=101", "/api/v1/content?limit=1000000000",
		"/api/v1/content?limit=99999999999999999999", "/api/v1/content?limit=1e1", "/api/v1/content?limit=x", "/api/v1/content?limit=", "/api/v1/content?limit=1&limit=2",
		"/api/v1/content?offset=5", "/api/v1/content?Limit=5", "/api/v1/content?since=yesterday", "/api/v1/content?since=2026-02-30T00:00:00Z",
		"/api/v1/content?status=unknown", "/api/v1/content?status=new,unknown", "/api/v1/content?sort=title", "/api/v1/content?source_id=x",
		"/api/v1/content?source_id=0198C6F0-0000-7000-8000-000000000002", "/api/v1/content?%zz", "/api/v1/content?language=%20",
		"/api/v1/entities?min_confidence=2", "/api/v1/entities?min_confidence=NaN", "/api/v1/entities?type=Not%20A%20Type",
	}
	for _, path := range refused {
		if p := c.do("GET", path, "").want(t, 400).problem(t); p.Code != "invalid_request" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

// testContentFilters narrows the content by each filter and compares with what
// the whole list says.
func testContentFilters(t *testing.T, b *backend) {
	c, ids := b.asAdmin(t), b.samples(t)
	all := c.content(t, ids[1])
	middle := all[len(all)/2].PublishedAt
	count := func(query string, want int) {
		t.Helper()
		if got := len(walk(t, c, "/api/v1/content", "&source_id="+ids[1]+query, 50)); got != want {
			t.Errorf("%s: %d items, want %d", query, got, want)
		}
	}
	newer, languages, folded := 0, map[string]int{}, 0
	for _, item := range all {
		if !item.PublishedAt.Before(middle) {
			newer++
		}
		if language, err := item.Language.Get(); err == nil {
			languages[language]++
		}
		if !item.DuplicateOf.IsNull() {
			folded++
		}
	}
	at := url.QueryEscape(middle.Format(time.RFC3339Nano))
	count("&duplicates=all", len(all))
	count("&duplicates=all&since="+at, newer)
	count("&duplicates=all&until="+at, len(all)-newer)
	count("&duplicates=only", folded)
	count("&duplicates=fold", len(all)-folded)
	count("&duplicates=all&status=processed", len(all))
	count("&duplicates=all&status=new&status=failed", 0)
	for language, n := range languages {
		count("&duplicates=all&language="+language, n)
	}
	if len(languages) == 0 {
		t.Error("no item has a language")
	}
}

// testEntityFilters narrows the entities.
func testEntityFilters(t *testing.T, b *backend) {
	c := b.asAdmin(t)
	b.samples(t)
	for _, query := range []string{"type=person", "type=person&type=grant", "min_confidence=0.8", "type=grant&min_confidence=0.5&sort=-confidence"} {
		values, _ := url.ParseQuery(query)
		res := decode[client.EntityList](t, c.do("GET", "/api/v1/entities?limit=100&"+query, "").want(t, 200).body)
		if len(res.Data) == 0 {
			t.Errorf("%s: nothing", query)
		}
		least := 0.0
		if text := values.Get("min_confidence"); text != "" {
			fmt.Sscan(text, &least)
		}
		for _, e := range res.Data {
			if types := values["type"]; len(types) > 0 && !slices.Contains(types, e.Type) || e.Confidence < least {
				t.Errorf("%s: %s of type %s with %v", query, e.Name, e.Type, e.Confidence)
			}
		}
		if values.Get("sort") == "-confidence" && !slices.IsSortedFunc(res.Data, func(a, b client.Entity) int { return -compare(a.Confidence, b.Confidence) }) {
			t.Errorf("%s: not in order", query)
		}
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
