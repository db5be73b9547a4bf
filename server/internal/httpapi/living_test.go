package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestImportBodies(t *testing.T) {
	h := newHarness(t)
	send := func(contentType, body string, header ...string) *http.Response {
		t.Helper()
		r := request{method: "POST", path: "/api/v1/source-imports?dry_run=true&tags=a&tags=b&file_name=my.opml", body: body, header: http.Header{"Content-Type": {contentType}}}
		for i := 0; i < len(header); i += 2 {
			r.header.Set(header[i], header[i+1])
		}
		return h.send(r).Result()
	}
	const list = `<opml><body/></opml>`
	for contentType, want := range map[string]int{
		"application/xml": 202, "text/xml; charset=utf-8": 202, "text/x-opml": 202, "application/xml; charset=iso-8859-1": 202, "TEXT/XML": 202,
		"application/json": 415, "text/plain": 415, "": 415, "multipart/form-data": 415,
	} {
		if res := send(contentType, list); res.StatusCode != want {
			t.Errorf("%q: %d, want %d", contentType, res.StatusCode, want)
		}
	}
	got := h.imports.started[0]
	if string(got.Body) != list || !got.DryRun || got.FileName != "my.opml" || strings.Join(got.Tags, ",") != "a,b" {
		t.Errorf("import = %+v", got)
	}
	if res := send("application/xml", ""); res.StatusCode != 400 {
		t.Errorf("without a body: %d", res.StatusCode)
	}
	large := strings.Repeat("x", 2<<20)
	if res := send("application/xml", large); res.StatusCode != 202 {
		t.Errorf("2 MiB: %d", res.StatusCode)
	}
	if res := send("application/xml", strings.Repeat(large, 8)+"x"); res.StatusCode != 413 {
		t.Errorf("over 16 MiB: %d", res.StatusCode)
	}
}

// TestImportIsMeantOnce: the key belongs to the bytes and to the parameters.
func TestImportIsMeantOnce(t *testing.T) {
	h := newHarness(t)
	h.keys.reruns = 1
	call := func(query, body string) *http.Response {
		r := request{method: "POST", path: "/api/v1/source-imports" + query, body: body, header: http.Header{"Content-Type": {"text/xml"}, "Idempotency-Key": {"k"}}}
		return h.send(r).Result()
	}
	if res := call("?tags=a", "<opml/>"); res.StatusCode != 202 || res.Header.Get("Location") == "" {
		t.Fatalf("first: %d", res.StatusCode)
	}
	if n := len(h.imports.started); string(h.imports.started[n-1].Body) != "<opml/>" {
		t.Errorf("the rerun lost the body: %+v", h.imports.started)
	}
	if res := call("?tags=a", "<opml/>"); res.StatusCode != 202 || res.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %d %v", res.StatusCode, res.Header)
	}
	if res := call("?tags=a", "<opml />"); res.StatusCode != 422 {
		t.Errorf("other bytes: %d", res.StatusCode)
	}
	if res := call("?tags=b", "<opml/>"); res.StatusCode != 422 {
		t.Errorf("other parameters: %d", res.StatusCode)
	}
}

func TestBulkRequest(t *testing.T) {
	h := newHarness(t)
	send := func(body string) (int, string) {
		res := h.send(request{method: "POST", path: "/api/v1/sources/bulk", body: body})
		return res.Code, res.Body.String()
	}
	code, body := send(`{"select":{"filter":{"status":["failing"],"health":["throttled"],"tag":"a","host":"h","q":"x"},"limit":7},"dry_run":true,
		"action":{"add_tags":["b"],"status":"paused","fetch_interval_seconds":null,"retention":{"max_items":null,"max_age_days":30}}}`)
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	got := h.sources.bulk[0]
	if f := got.which.Filter; f.Status[0] != kgl.SourceFailing || f.Health[0] != kgl.HealthThrottled || f.Tag != "a" || f.Host != "h" || f.TitlePrefix != "x" || got.which.Limit != 7 {
		t.Errorf("selection = %+v", got.which)
	}
	if a := got.what; !got.dryRun || a.AddTags[0] != "b" || *a.Status != kgl.SourcePaused || *a.FetchInterval != 0 || *a.MaxItems != 0 || *a.MaxAgeDays != 30 || a.SetTags != nil || a.Delete {
		t.Errorf("action = %+v", a)
	}
	_, cursor, _ := strings.Cut(body, `"next_cursor":"`)
	cursor, _, _ = strings.Cut(cursor, `"`)
	if code, _ := send(`{"select":{"filter":{"tag":"other"},"cursor":"` + cursor + `"},"action":{"refresh":true}}`); code != 400 {
		t.Errorf("cursor of another filter: %d", code)
	}
	code, _ = send(`{"select":{"filter":{"status":["failing"],"health":["throttled"],"tag":"a","host":"h","q":"x"},"cursor":"` + cursor + `"},"action":{"retention":null}}`)
	if last := h.sources.bulk[len(h.sources.bulk)-1]; code != 200 || last.which.After == nil || last.which.After.Int != 7 || *last.what.MaxItems != 0 || *last.what.MaxAgeDays != 0 {
		t.Errorf("%d %+v", code, last)
	}
	for _, bad := range []string{
		`{"select":{},"action":{"refresh":true}}`, `{"select":{"ids":[]},"action":{"refresh":true}}`, `{"select":{"ids":["x"]},"action":{"refresh":true}}`,
		`{"select":{"filter":{}},"action":{}}`, `{"select":{"filter":{}},"action":{"status":"gone"}}`, `{"select":{"filter":{"x":1}},"action":{"refresh":true}}`,
		`{"select":{"filter":{},"limit":1001},"action":{"refresh":true}}`, `{"action":{"refresh":true}}`,
	} {
		if code, body := send(bad); code != 400 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
}

// TestCredentialsOfSources holds that what is secret reaches the service and
// nothing else.
func TestCredentialsOfSources(t *testing.T) {
	h := newHarness(t)
	const secrets = `"request_headers":{"X-Key":"secret-header"},"authentication":{"type":"basic","username":"ada","password":"secret-password"}`
	for _, r := range []request{
		{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/f","retention":{"max_items":5},` + secrets + `}`, header: http.Header{"Idempotency-Key": {"k"}}},
		{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{` + secrets + `}`},
		{method: "POST", path: "/api/v1/sources/test", body: `{"url":"https://e.example/f",` + secrets + `}`},
		{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{"request_headers":{"X-Key":7,"Y":"secret-header"}}`},
		{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{"authentication":{"type":"digest","username":"ada","password":"secret-password"}}`},
	} {
		if res := h.send(r); strings.Contains(res.Body.String(), "secret-") || res.Code >= 500 {
			t.Errorf("%s %s: %d %s", r.method, r.path, res.Code, res.Body)
		}
	}
	if strings.Contains(h.log.String(), "secret-") {
		t.Errorf("the log tells a secret:\n%s", h.log)
	}
	for _, stored := range h.keys.records {
		if strings.Contains(string(stored.Body), "secret-") {
			t.Errorf("a stored answer tells a secret: %s", stored.Body)
		}
	}
	created := h.sources.created[0]
	if c := created.Credentials; c.User != "ada" || c.Password != "secret-password" || c.Header.Get("X-Key") != "secret-header" || created.MaxItems != 5 {
		t.Errorf("created = %+v", created)
	}
	if p := h.sources.patch; p.Authorization == nil || p.Authorization.Password != "secret-password" || p.RequestHeader.Get("X-Key") != "secret-header" {
		t.Errorf("patch = %+v", p)
	}
	if c := h.probe.credentials; c.Password != "secret-password" || c.Header.Get("X-Key") != "secret-header" {
		t.Error("a test got no credentials")
	}
	h.send(request{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{"request_headers":null,"authentication":null}`})
	if p := h.sources.patch; p.Authorization == nil || p.Authorization.Username != "" || p.RequestHeader == nil || len(*p.RequestHeader) != 0 {
		t.Errorf("cleared = %+v", p)
	}
}
