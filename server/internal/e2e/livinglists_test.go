package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
)

// testImport imports a list in which nothing is as it should be.
func testImport(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	f.serve("/new.xml", rssFeed("New", newItem("one")))
	old := c.createSource(t, f.url("/old.xml"))
	list := "<?xml version=\"1.0\"?>\n<opml version=\"1.0\"><body>\n<outline text='Folder'>\n" +
		"<outline text='New' xmlUrl='" + f.url("/new.xml") + "'/>\n<outline text='Old' xmlUrl='" + f.url("/old.xml?utm_source=x") + "'/><outline text='Twice' xmlUrl='" + f.url("/new.xml") + "'/>\n" +
		"</outline>\n<outline text='None' type='rss'/>\n<outline text='Private' xmlUrl='http://10.0.0.1/f'/>\n<outline text='Script' xmlUrl='javascript:alert(1)'/>\n</body></opml>"
	tried := c.importList(t, list, "?dry_run=true&tags=Imported&file_name=my.opml")
	if tried.Total != 6 || tried.Added != 1 || tried.Existing != 2 || tried.Failed != 3 || !tried.DryRun || tried.FileName != "my.opml" || tried.Tags[0] != "imported" {
		t.Errorf("dry run = %+v", tried)
	}
	done := c.importList(t, list, "?tags=Imported")
	if done.Total != 6 || done.Processed != 6 || done.Added != 1 || done.Existing != 2 || done.Failed != 3 || done.FinishedAt.IsNull() || done.CreatedBy.IsNull() {
		t.Errorf("import = %+v", done)
	}
	lines := c.importLines(t, done.ID)
	var outcomes []string
	for _, l := range lines {
		outcomes = append(outcomes, fmt.Sprint(l.Position, " ", l.Line, " ", l.Outcome))
	}
	if want := []string{"1 4 added", "2 5 existing", "3 5 existing", "4 7 failed", "5 8 failed", "6 9 failed"}; !slices.Equal(outcomes, want) {
		t.Errorf("lines = %q, want %q", outcomes, want)
	}
	if lines[1].SourceID.MustGet() != old.ID || lines[2].SourceID.MustGet() != lines[0].SourceID.MustGet() || lines[2].Message.MustGet() != "the same feed stands in line 4" {
		t.Errorf("lines = %+v", lines)
	}
	for _, l := range c.importLines(t, done.ID, client.ImportLineOutcomeFailed) {
		if l.ErrorCode.MustGet() != "invalid_request" || l.Message.MustGet() == "" || !l.SourceID.IsNull() {
			t.Errorf("a line that failed: %+v", l)
		}
	}
	added := c.source(t, lines[0].SourceID.MustGet())
	if !slices.Equal(added.Tags, []string{"imported", "folder"}) || added.CreatedBy.MustGet() != done.CreatedBy.MustGet() {
		t.Errorf("added = %+v", added)
	}
	c.waitForFetches(t, added.ID, 1)
	if again := c.importList(t, list, ""); again.Added != 0 || again.Existing != 3 {
		t.Errorf("again = %+v", again)
	}
	c.do("DELETE", "/api/v1/source-imports/"+done.ID, "").want(t, http.StatusConflict)
	listed, err := c.ListSourceImportsWithResponse(t.Context(), nil)
	ok(t, err, listed, http.StatusOK)
	if len(listed.JSON200.Data) < 3 || listed.JSON200.Data[1].ID != done.ID {
		t.Errorf("imports = %+v", listed.JSON200.Data)
	}
	if empty := c.importList(t, "<opml><body/></opml>", ""); empty.Total != 0 {
		t.Errorf("an empty list: %+v", empty)
	}
	c.do("POST", "/api/v1/source-imports", "<rss/>", "Content-Type", "application/xml").want(t, http.StatusUnprocessableEntity)
	c.do("POST", "/api/v1/source-imports?tags="+strings.Repeat("x", 41), "<opml/>", "Content-Type", "application/xml").want(t, 400)
	rows := b.auditRows(t, client.ListAuditEventsParams{SubjectID: &done.ID})
	if len(rows) != 2 || rows[0].Action != "source_import.create" || rows[1].Action != "source_import.finish" {
		t.Errorf("audit = %+v", rows)
	}
	testCancelImport(t, c)
}

// testCancelImport cancels while the worker is at it, which may come too late.
func testCancelImport(t *testing.T, c *caller) {
	var list strings.Builder
	list.WriteString("<opml><body>")
	for n := range 5000 {
		fmt.Fprintf(&list, "<outline text='x' xmlUrl='https://canceled-%d.example/%s'/>\n", n%50, newPassword())
	}
	list.WriteString("</body></opml>")
	i := decode[client.SourceImport](t, c.do("POST", "/api/v1/source-imports", list.String(), "Content-Type", "application/xml").want(t, 202).body)
	res, err := c.CancelSourceImportWithResponse(t.Context(), i.ID)
	ok(t, err, res, http.StatusNoContent)
	read, err := c.GetSourceImportWithResponse(t.Context(), i.ID, nil)
	ok(t, err, read, http.StatusOK)
	if now := read.JSON200; now.State != client.ImportStateCanceled || now.Processed == now.Total {
		t.Errorf("canceled = %+v", now)
	}
	for {
		done := c.bulk(t, `{"select":{"filter":{"q":"x"},"limit":100},"action":{"delete":true}}`)
		if done.NextCursor.IsNull() {
			break
		}
	}
}

// testImportOnce sends one list many times at once, with one key.
func testImportOnce(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	list, key := "<opml><body><outline xmlUrl='"+f.url("/x.xml")+"'/></body></opml>", newPassword()
	answers := make([]answer, 10)
	var group sync.WaitGroup
	for n := range answers {
		group.Go(func() {
			answers[n] = c.do("POST", "/api/v1/source-imports", list, "Content-Type", "application/xml", "Idempotency-Key", key)
		})
	}
	group.Wait()
	ids := map[string]bool{}
	for _, a := range answers {
		if a.status == http.StatusConflict {
			continue
		}
		a.want(t, http.StatusAccepted)
		ids[decode[client.SourceImport](t, a.body).ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("%d imports of one request", len(ids))
	}
	c.do("POST", "/api/v1/source-imports", list+" ", "Content-Type", "application/xml", "Idempotency-Key", key).want(t, http.StatusUnprocessableEntity)
}

// testExport reads a list back in.
func testExport(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	tag := strings.ToLower(newPassword())
	c.importList(t, "<opml><body><outline text='A &amp; B' xmlUrl='"+f.url("/a.xml?x=1&amp;y=2")+"'/><outline text='C' xmlUrl='"+f.url("/c.xml")+"' category='more'/></body></opml>", "?tags="+tag)
	res, err := c.ExportSourcesWithResponse(t.Context(), &client.ExportSourcesParams{Tag: &tag})
	ok(t, err, res, http.StatusOK)
	if got := res.HTTPResponse.Header.Get("Content-Disposition"); !strings.Contains(got, ".opml") {
		t.Errorf("Content-Disposition = %q", got)
	}
	for _, want := range []string{`text="A &amp; B"`, `xmlUrl="` + f.url("/a.xml?x=1&amp;y=2") + `"`, `category="more"`, `text="` + tag + `"`} {
		if !strings.Contains(string(res.Body), want) {
			t.Errorf("no %s in\n%s", want, res.Body)
		}
	}
	if again := c.importList(t, string(res.Body), ""); again.Total != 2 || again.Existing != 2 {
		t.Errorf("read back: %+v", again)
	}
	if none := c.do("GET", "/api/v1/sources/export?tag="+tag+"&health=gone", "").want(t, 200); strings.Contains(string(none.body), "xmlUrl") {
		t.Errorf("export of none: %s", none.body)
	}
}

// sourceTags returns all tags, read one by one, with their numbers of sources.
func (c *caller) sourceTags(t testing.TB) map[string]int64 {
	t.Helper()
	tags := map[string]int64{}
	page := &client.ListSourceTagsParams{Limit: ptr(1)}
	for {
		res, err := c.ListSourceTagsWithResponse(t.Context(), page)
		if err != nil || res.JSON200 == nil {
			t.Fatalf("list tags: %v %s", err, res.Body)
		}
		for _, row := range res.JSON200.Data {
			tags[row.Tag] = row.Sources
		}
		if res.JSON200.Pagination.NextCursor.IsNull() {
			return tags
		}
		page.Cursor = ptr(res.JSON200.Pagination.NextCursor.MustGet())
	}
}

// testBulk renames a tag, pauses, resumes and deletes by the dozen.
func testBulk(t *testing.T, b *backend) {
	c, f := b.as(t, client.RoleModerator), newFeedServer(t)
	old, renamed := "a-"+strings.ToLower(newPassword()), "b-"+strings.ToLower(newPassword())
	var ids []string
	for n := range 5 {
		ids = append(ids, decode[client.Source](t, c.do("POST", "/api/v1/sources", encode(t, client.SourceCreate{URL: f.url(fmt.Sprintf("/%d.xml", n)), Tags: &[]string{old}})).want(t, 201).body).ID)
	}
	sel := func(filter string, more string) string { return `{"select":{"filter":` + filter + more + `},"action":` }
	byTag := `{"tag":"` + old + `"}`
	rename := `{"add_tags":["` + strings.ToUpper(renamed) + `"],"remove_tags":["` + old + `"]}`
	if would := c.bulk(t, sel(byTag, "")+rename+`,"dry_run":true}`); !would.DryRun || would.Matched != 5 || would.Changed != 5 || !would.NextCursor.IsNull() {
		t.Errorf("dry run = %+v", would)
	}
	first := c.bulk(t, sel(byTag, `,"limit":2`)+`{"status":"paused"}}`)
	if first.Matched != 2 || first.Changed != 2 || first.NextCursor.IsNull() {
		t.Fatalf("first = %+v", first)
	}
	second := c.bulk(t, sel(byTag, `,"cursor":"`+first.NextCursor.MustGet()+`"`)+`{"status":"paused"}}`)
	if second.Matched != 3 || second.Changed != 3 || !second.NextCursor.IsNull() {
		t.Errorf("second = %+v", second)
	}
	if done := c.bulk(t, sel(byTag, "")+rename+`}`); done.Changed != 5 || len(done.Failures) != 0 {
		t.Errorf("renamed = %+v", done)
	}
	tags := c.sourceTags(t)
	if tags[renamed] != 5 || tags[old] != 0 {
		t.Errorf("tags = %v", tags)
	}
	missing := "0198c6f0-0000-7000-8000-00000000dead"
	refused := c.bulk(t, `{"select":{"ids":["`+ids[0]+`","`+missing+`"]},"action":{"refresh":true}}`)
	if refused.Matched != 1 || refused.Changed != 0 || len(refused.Failures) != 2 {
		t.Errorf("refused = %+v", refused)
	}
	edited := c.bulk(t, `{"select":{"filter":{"tag":"`+renamed+`","status":["paused"]}},"action":{"status":"active","fetch_interval_seconds":7200,"set_tags":["`+renamed+`","x"],"retention":{"max_items":9}}}`)
	if edited.Changed != 5 {
		t.Errorf("edited = %+v", edited)
	}
	if s := c.source(t, ids[1]); s.Status == client.SourceStatusPaused || s.FetchIntervalSeconds.MustGet() != 7200 || len(s.Tags) != 2 || s.Retention.MaxItems.MustGet() != 9 {
		t.Errorf("source = %+v", s)
	}
	before := len(b.auditRows(t, client.ListAuditEventsParams{Action: ptr("source.bulk")}))
	if gone := c.bulk(t, `{"select":{"ids":["`+strings.Join(ids, `","`)+`"]},"action":{"delete":true}}`); gone.Changed != 5 {
		t.Errorf("deleted = %+v", gone)
	}
	c.do("GET", "/api/v1/sources/"+ids[0], "").want(t, 404)
	if rows := b.auditRows(t, client.ListAuditEventsParams{Action: ptr("source.bulk")}); len(rows) != before+1 {
		t.Errorf("%d audit rows of one edit", len(rows)-before)
	}
	for _, bad := range []string{
		`{"select":{"ids":["` + ids[0] + `"],"filter":{}},"action":{"refresh":true}}`, `{"select":{"filter":{}},"action":{"delete":true,"refresh":true}}`,
		`{"select":{"filter":{},"limit":101},"action":{"delete":true}}`, `{"select":{"filter":{}},"action":{"set_tags":["a"],"add_tags":["b"]}}`,
		`{"select":{"filter":{}},"action":{"add_tags":[" "]}}`, `{"select":{"filter":{},"cursor":"x"},"action":{"refresh":true}}`,
	} {
		c.do("POST", "/api/v1/sources/bulk", bad).want(t, 400)
	}
}
