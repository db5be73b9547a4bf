package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func quoted(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(data)
}

func TestConditionalReads(t *testing.T) {
	h := newHarness(t)
	h.each(func(op *operation, r request) {
		if !op.conditional {
			return
		}
		first := h.send(r)
		tag := first.Header().Get("ETag")
		if tag == "" || first.Header().Get("Cache-Control") == "no-store" {
			t.Errorf("%s: ETag %q, Cache-Control %q", op.id, tag, first.Header().Get("Cache-Control"))
		}
		weak := strings.HasPrefix(op.id, "list") || strings.HasPrefix(op.id, "getWork") || slices.Contains([]string{"getNeighborhood", "getPath", "suggestEntities"}, op.id)
		if weak != strings.HasPrefix(tag, "W/") && !strings.HasSuffix(op.id, "Jwks") && op.id != "getDashboard" {
			t.Errorf("%s: ETag = %s", op.id, tag)
		}
		for _, header := range []string{tag, "W/" + strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*"} {
			r.header.Set("If-None-Match", header)
			res := h.send(r)
			if res.Code != http.StatusNotModified || res.Body.Len() > 0 || res.Header().Get("ETag") != tag {
				t.Errorf("%s with %s: %d, %d bytes, ETag %s", op.id, header, res.Code, res.Body.Len(), res.Header().Get("ETag"))
			}
		}
		r.header.Set("If-None-Match", `"other"`)
		if res := h.send(r); res.Code != http.StatusOK || res.Body.Len() != first.Body.Len() {
			t.Errorf("%s with another tag: %d", op.id, res.Code)
		}
	})
}

func TestEntityTags(t *testing.T) {
	for header, want := range map[string]string{
		``: "", `"a"`: `"a"`, `"a","b"`: `"a"|"b"`, ` W/"a" , "b,c" `: `W/"a"|"b,c"`, `*`: "*", `"open`: "", `x, "a"`: `x|"a"`, `,,"a",,`: `"a"`,
	} {
		if got := strings.Join(entityTags(header), "|"); got != want {
			t.Errorf("entityTags(%s) = %s, want %s", header, got, want)
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	h := newHarness(t)
	h.keys.reruns = 1 // as after a serialization failure
	call := func(key, body string) (res struct {
		code                   int
		body, location, replay string
	}) {
		r := h.send(request{method: "POST", path: "/api/v1/sources", body: body, header: http.Header{"Idempotency-Key": {key}}})
		res.code, res.body, res.location, res.replay = r.Code, r.Body.String(), r.Header().Get("Location"), r.Header().Get("Idempotency-Replayed")
		return res
	}
	first := call("k1", `{"url":"https://e.example/f","tags":["a"]}`)
	if first.code != 201 || first.replay != "" || first.location == "" {
		t.Fatalf("first = %+v", first)
	}
	if got := h.sources.created[len(h.sources.created)-1]; got.URL != "https://e.example/f" || len(got.Tags) != 1 {
		t.Errorf("the rerun lost the body: %+v", got)
	}
	made := len(h.sources.created)
	again := call("k1", `{"tags":["a"], "url":"https://e.example/f"}`)
	if again.code != 201 || again.replay != "true" || again.body != first.body || again.location != first.location || len(h.sources.created) != made {
		t.Errorf("replay = %+v", again)
	}
	if other := call("k1", `{"url":"https://e.example/g"}`); other.code != 422 || !strings.Contains(other.body, "idempotency_key_reused") {
		t.Errorf("other body = %+v", other)
	}
	h.clock.Advance(idempotencyTTL)
	if late := call("k1", `{"url":"https://e.example/g"}`); late.code != 201 || late.replay != "" {
		t.Errorf("after the time = %+v", late)
	}
}

func TestIdempotencyKeyOfARefusedRequestIsFree(t *testing.T) {
	h := newHarness(t)
	r := request{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/f"}`, header: http.Header{"Idempotency-Key": {"k"}}}
	h.fault.err = kgl.Errorf(kgl.CodeConflict, "a source with this URL exists already")
	if res := h.send(r); res.Code != 409 || res.Header().Get("Location") != "" {
		t.Fatalf("%d %v", res.Code, res.Header())
	}
	h.fault.err = errPanic
	if res := h.send(r); res.Code != 500 {
		t.Fatalf("panic: %d", res.Code)
	}
	h.fault.err = nil
	if res := h.send(r); res.Code != 201 {
		t.Errorf("after the refusal: %d %s", res.Code, res.Body)
	}
}

func TestIdempotencyKeyInProgress(t *testing.T) {
	h := newHarness(t)
	r := request{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/f"}`, header: http.Header{"Idempotency-Key": {"k"}}}
	h.send(r)
	for key, stored := range h.keys.records {
		stored.Completed = false
		h.keys.records[key] = stored
	}
	if res := h.send(r); res.Code != 409 || !strings.Contains(res.Body.String(), "idempotency_in_progress") {
		t.Errorf("%d %s", res.Code, res.Body)
	}
}

func TestCursors(t *testing.T) {
	h := newHarness(t)
	next := func(path string) string {
		t.Helper()
		res := h.send(request{path: path})
		var list struct {
			Pagination struct {
				NextCursor string `json:"next_cursor"`
				HasMore    bool   `json:"has_more"`
			}
		}
		if err := json.Unmarshal(res.Body.Bytes(), &list); err != nil || !list.Pagination.HasMore {
			t.Fatalf("%v: %s", err, res.Body)
		}
		return url.QueryEscape(list.Pagination.NextCursor)
	}
	cursor := next("/api/v1/sources?tag=a&status=active&status=failing")
	ok := []string{
		"/api/v1/sources?tag=a&status=active&status=failing&cursor=" + cursor,
		"/api/v1/sources?cursor=" + cursor + "&status=failing&tag=a&status=active&limit=100",
	}
	for _, path := range ok {
		if res := h.send(request{path: path}); res.Code != 200 {
			t.Errorf("%s: %d %s", path, res.Code, res.Body)
		}
		if after := h.sources.page.After; after == nil || after.Int != 7 || after.Text != "a" || after.ID != testSourceID {
			t.Errorf("position = %+v", after)
		}
	}
	foreign := []string{
		"/api/v1/sources?cursor=" + cursor,
		"/api/v1/sources?tag=b&status=active&status=failing&cursor=" + cursor,
		"/api/v1/sources?tag=a&status=active&cursor=" + cursor,
		"/api/v1/sources?tag=a&status=active&status=failing&sort=title&cursor=" + cursor,
		"/api/v1/users?cursor=" + cursor,
		"/api/v1/sources/" + testSourceID + "/fetches?cursor=" + cursor,
		"/api/v1/sources/" + testEntityID + "/fetches?cursor=" + next("/api/v1/sources/"+testSourceID+"/fetches"),
		"/api/v1/sources?tag=a&status=active&status=failing&cursor=" + cursor[:len(cursor)-4],
	}
	for _, path := range foreign {
		if res := h.send(request{path: path}); res.Code != 400 {
			t.Errorf("%s: %d", path, res.Code)
		}
	}
}

func TestBrokenCursors(t *testing.T) {
	good := `"v":1,"q":"h"`
	for name, text := range map[string]string{
		"not an object": `7`, "unknown field": `{` + good + `,"x":1}`, "other version": `{"v":2,"q":"h"}`, "other query": `{"v":1,"q":"g"}`,
		"bad id": `{` + good + `,"id":"x' OR 1"}`, "NUL": `{` + good + `,"t":"\u0000"}`, "repeated": `{` + good + `,"v":1}`,
		"trailing": `{` + good + `} {}`, "type": `{` + good + `,"i":"1"}`, "overflow": `{` + good + `,"i":99999999999999999999}`,
		"infinite": `{` + good + `,"n":1e999}`,
	} {
		if _, err := decodeCursor("h", base64.RawURLEncoding.EncodeToString([]byte(text))); !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	if _, err := decodeCursor("h", base64.RawURLEncoding.EncodeToString([]byte(`{`+good+`}`))); err != nil {
		t.Errorf("the plain cursor is refused: %v", err)
	}
}

// FuzzDecodeCursor checks that a cursor is refused or means exactly one
// position.
func FuzzDecodeCursor(f *testing.F) {
	for _, p := range []kgl.Position{{}, {Text: "ä", ID: testSourceID}, {Number: .5}, {Int: math.MaxInt64}} {
		text, err := encodeCursor("h", p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := decodeCursor("h", text)
		if err != nil {
			if !kgl.Is(err, kgl.CodeInvalid) {
				t.Fatalf("error = %v", err)
			}
			return
		}
		encoded, err := encodeCursor("h", p)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeCursor("h", encoded); err != nil || again != p {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
	})
}

// FuzzCheckJSON checks that what passes is one valid JSON value.
func FuzzCheckJSON(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":[1,"\ud83d\ude00"],"b":{"a":null}}`, `"\u0000"`, `{"a":1,"a":2}`, `[[[[`, `"\`, `"\u12`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkJSON(data) == nil && !json.Valid(data) {
			t.Fatalf("accepted %q", data)
		}
	})
}

func TestDocs(t *testing.T) {
	h := newHarness(t)
	page := h.send(request{path: "/docs", token: "-"})
	if strings.Contains(page.Body.String(), "<script>") || strings.Contains(page.Body.String(), "//cdn") {
		t.Error("the page has inline scripts or files from elsewhere")
	}
	for _, file := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "kgl-init.js"} {
		if !strings.Contains(page.Body.String(), "docs/"+file) {
			t.Errorf("the page does not use %s", file)
		}
		res := h.raw(request{path: "/docs/" + file, token: "-"})
		if res.Code != 200 || res.Body.Len() < 100 {
			t.Errorf("%s: %d, %d bytes", file, res.Code, res.Body.Len())
		}
	}
	for _, path := range []string{"/docs/nothing.js", "/docs/../health/x"} {
		if res := h.raw(request{path: path, token: "-"}); res.Code != 404 || problemOf(t, res).Code != "not_found" {
			t.Errorf("%s: %d %s", path, res.Code, res.Body)
		}
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]any
	}
	res := h.send(request{path: "/api/v1/openapi.json", token: "-"})
	if err := json.Unmarshal(res.Body.Bytes(), &doc); err != nil || doc.OpenAPI != "3.0.3" || len(doc.Paths) != h.doc.Paths.Len() {
		t.Errorf("contract: %v, %s, %d paths", err, doc.OpenAPI, len(doc.Paths))
	}
	if got := res.Header().Get("Content-Length"); got != strconv.Itoa(res.Body.Len()) {
		t.Errorf("Content-Length = %s, body %d", got, res.Body.Len())
	}
}

func TestMetrics(t *testing.T) {
	h := newHarness(t)
	h.send(request{path: "/api/v1/dashboard"})
	h.send(request{path: "/api/v1/nothing"})
	body := h.send(request{path: "/metrics", token: "-"}).Body.String()
	for _, want := range []string{
		`kgl_http_requests_total{operation="getDashboard",status="200"} 1`,
		`kgl_http_requests_total{operation="none",status="404"} 1`, "kgl_http_requests_in_flight 1",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// TestDashboardIsNotModified asks for the same counts twice: only the time at
// which they were counted differs.
func TestDashboardIsNotModified(t *testing.T) {
	h := newHarness(t)
	first := h.send(request{path: "/api/v1/dashboard"})
	h.clock.Advance(time.Second)
	second := h.send(request{path: "/api/v1/dashboard", header: http.Header{"If-None-Match": {first.Header().Get("ETag")}}})
	if second.Code != http.StatusNotModified {
		t.Errorf("status = %d: %s, then %s", second.Code, first.Body, second.Body)
	}
}
