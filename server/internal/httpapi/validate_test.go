package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestInvalidRequestsNameTheField(t *testing.T) {
	post := func(path, body string) request { return request{method: "POST", path: path, body: body} }
	tests := []struct {
		name string
		request
		field, message string
	}{
		{"missing", post("/api/v1/sources", `{}`), "url", "is required"},
		{"unknown field", post("/api/v1/sources", `{"url":"https://e.example/","owner_id":"x"}`), "owner_id", "is not a known field"},
		{"other case", post("/api/v1/sources", `{"url":"https://e.example/","URL":"https://f.example/"}`), "URL", "is not a known field"},
		{"type", post("/api/v1/sources", `{"url":7}`), "url", "must be a string"},
		{"null", post("/api/v1/sources", `{"url":null}`), "url", "must not be null"},
		{"too long", post("/api/v1/sources", `{"url":"https://e.example/`+strings.Repeat("x", 2000)+`"}`), "url", "must have at most 2000 characters"},
		{"enum", post("/api/v1/sources", `{"url":"https://e.example/","status":"gone"}`), "status", `must be one of "active","paused"`},
		{"minimum", post("/api/v1/sources", `{"url":"https://e.example/","fetch_interval_seconds":1}`), "fetch_interval_seconds", "must be at least 300"},
		{"fraction", post("/api/v1/sources", `{"url":"https://e.example/","fetch_interval_seconds":300.5}`), "fetch_interval_seconds", "must be an integer"},
		{"huge number", post("/api/v1/sources", `{"url":"https://e.example/","fetch_interval_seconds":1e400}`), "fetch_interval_seconds", "must be an integer"},
		{"element", post("/api/v1/entities", `{"name":"a","type":"b","aliases":["x",7]}`), "aliases[1]", "must be a string"},
		{"pattern", post("/api/v1/entities", `{"name":"a","type":"No Word"}`), "type", "must match ^[a-z][a-z0-9_]{0,39}$"},
		{"mass assignment", post("/api/v1/users", `{"email":"a@b.example","name":"a","role":"user","password":"x","created_at":"2026-01-01T00:00:00Z"}`), "created_at", "is not a known field"},
		{"empty patch", request{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: `{}`}, "body", "must have at least 1 fields"},
		{"not an object", post("/api/v1/sources", `[]`), "body", "must be an object"},
		{"path id", request{path: "/api/v1/sources/abc"}, "source_id", "must be a UUID in its lower-case form"},
		{"path id in upper case", request{path: "/api/v1/sources/0198C6F0-0000-7000-8000-000000000002"}, "source_id", "must be a UUID in its lower-case form"},
		{"limit", request{path: "/api/v1/sources?limit=1000000000"}, "limit", "must be at most 100"},
		{"limit zero", request{path: "/api/v1/sources?limit=0"}, "limit", "must be at least 1"},
		{"limit text", request{path: "/api/v1/sources?limit=many"}, "limit", "must be an integer"},
		{"empty limit", request{path: "/api/v1/sources?limit="}, "limit", "must be an integer"},
		{"unknown parameter", request{path: "/api/v1/sources?page=2"}, "page", "is not a known parameter"},
		{"repeated parameter", request{path: "/api/v1/sources?limit=1&limit=2"}, "limit", "is given more than once"},
		{"sort", request{path: "/api/v1/sources?sort=id"}, "sort", `must be one of "-created_at","title"`},
		{"array element", request{path: "/api/v1/content?status=new&status=odd"}, "status[1]", `must be one of "new","processing","processed","failed","skipped"`},
		{"time", request{path: "/api/v1/content?since=yesterday"}, "since", "must be an RFC 3339 time"},
		{"30 February", request{path: "/api/v1/content?since=2026-02-30T00:00:00Z"}, "since", "must be an RFC 3339 time"},
		{"times in the wrong order", request{path: "/api/v1/content?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"}, "until", "must be after since"},
		{"NUL in the query", request{path: "/api/v1/sources?q=a%00b"}, "q", "is not valid text"},
		{"bad UTF-8 in the query", request{path: "/api/v1/sources?q=%ff"}, "q", "is not valid text"},
		{"confidence", request{path: "/api/v1/entities?min_confidence=1.5"}, "min_confidence", "must be at most 1"},
		{"NaN", request{path: "/api/v1/entities?min_confidence=NaN"}, "min_confidence", "must be a number"},
		{"cursor", request{path: "/api/v1/sources?cursor=abc"}, "cursor", "is not a cursor of this list"},
		{"idempotency key", request{method: "POST", path: "/api/v1/sources", body: `{"url":"https://e.example/"}`, header: http.Header{"Idempotency-Key": {"a b"}}}, "Idempotency-Key", "must match ^[!-~]+$"},
	}
	h := newHarness(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := h.send(tt.request)
			if res.Code != http.StatusBadRequest {
				t.Fatalf("status = %d, want 400: %s", res.Code, res.Body)
			}
			p := problemOf(t, res)
			if len(p.Errors) != 1 || p.Errors[0].Field != tt.field || p.Errors[0].Message != tt.message {
				t.Errorf("errors = %+v, want %s %s", p.Errors, tt.field, tt.message)
			}
		})
	}
}

func TestAllInvalidFieldsAreNamed(t *testing.T) {
	res := newHarness(t).send(request{method: "POST", path: "/api/v1/users", body: `{"email":7,"role":"king"}`})
	var fields []string
	for _, e := range problemOf(t, res).Errors {
		fields = append(fields, e.Field)
	}
	if got := strings.Join(fields, " "); got != "email name password role" {
		t.Errorf("fields = %s", got)
	}
}

func TestErrorsNeverRepeatSecrets(t *testing.T) {
	h := newHarness(t)
	const secret = "hunter2-hunter2"
	long := strings.Repeat(secret, 100)
	for _, r := range []request{
		{method: "POST", path: "/api/v1/auth/login", token: "-", body: `{"email":"` + secret + `","password":"` + long + `"}`},
		{method: "POST", path: "/api/v1/auth/login", token: "-", body: `{"email":["` + secret + `"],"password":{"a":"` + secret + `"}}`},
		{method: "POST", path: "/api/v1/auth/login", token: "-", body: `{"password":"` + secret + `"`},
		{method: "POST", path: "/api/v1/auth/refresh", token: "-", body: `{"refresh_token":"` + long + `"}`},
		{method: "POST", path: "/api/v1/users", body: `{"email":"a@b.example","name":"a","role":"` + secret + `","password":"` + long + `"}`},
		{path: "/api/v1/sources?limit=" + secret},
		{path: "/api/v1/sources/" + secret},
		{path: "/api/v1/sources?cursor=" + secret},
	} {
		res := h.send(r)
		body := strings.ReplaceAll(res.Body.String(), `"instance":"/api/v1/sources/`+secret+`"`, "")
		if res.Code != http.StatusBadRequest || strings.Contains(body, secret) {
			t.Errorf("%s %s: %d %s", r.method, r.path, res.Code, res.Body)
		}
	}
	if strings.Contains(h.log.String(), secret) {
		t.Errorf("the log holds the secret: %s", h.log)
	}
}

func TestBodiesThatTwoReadersMayDisagreeOn(t *testing.T) {
	tests := map[string]string{
		"trailing garbage":          `{"name":"a","type":"b"} x`,
		"two values":                `{"name":"a","type":"b"}{"name":"a","type":"b"}`,
		"repeated member":           `{"name":"a","name":"b","type":"b"}`,
		"repeated by escape":        `{"name":"a","n\u0061me":"b","type":"b"}`,
		"repeated in an object":     `{"name":"a","type":"b","attributes":{"x":[{"y":1,"y":2}]}}`,
		"NUL":                       `{"name":"a\u0000b","type":"b"}`,
		"NUL in a member name":      `{"name":"a","type":"b","attributes":{"x\u0000":1}}`,
		"lone high surrogate":       `{"name":"\ud83d","type":"b"}`,
		"lone low surrogate":        `{"name":"\ude00","type":"b"}`,
		"reversed surrogates":       `{"name":"\ude00\ud83d","type":"b"}`,
		"high surrogate and letter": `{"name":"\ud83d\u0041","type":"b"}`,
		"invalid UTF-8":             "{\"name\":\"\xff\",\"type\":\"b\"}",
		"deep":                      `{"name":"a","type":"b","attributes":{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`,
		"very deep":                 strings.Repeat("[", 400_000),
		"BOM":                       "\ufeff" + `{"name":"a","type":"b"}`,
		"comment":                   `{"name":"a","type":"b"/**/}`,
		"NaN":                       `{"name":"a","type":"b","confidence":NaN}`,
		"only space":                "  ",
	}
	h := newHarness(t)
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			if res := h.send(request{method: "POST", path: "/api/v1/entities", body: body}); res.Code != http.StatusBadRequest {
				t.Errorf("status = %d: %s", res.Code, res.Body)
			}
		})
	}
	if len(h.entities.created) > 0 {
		t.Errorf("created %+v", h.entities.created)
	}
}

// TestValuesArriveExactly sends values that a careless reader changes.
func TestValuesArriveExactly(t *testing.T) {
	h := newHarness(t)
	const attributes = `{"A":1,"a":12345678901234567890,"f":0.1,"n":null,"s":"\u003cp\u003e \ud83d\ude00"}`
	body := `{"name":"\ud83d\ude00 <b>&amp;\u2028","type":"grant","attributes":` + attributes + `}`
	if res := h.send(request{method: "POST", path: "/api/v1/entities", body: body}); res.Code != http.StatusCreated {
		t.Fatalf("status = %d: %s", res.Code, res.Body)
	}
	got := h.entities.created[0]
	if got.Name != "😀 <b>&amp;\u2028" {
		t.Errorf("name = %q", got.Name)
	}
	for _, want := range []string{`"A":1`, `"a":12345678901234567890`, `"f":0.1`, `"n":null`} {
		if !strings.Contains(string(got.Attributes), want) {
			t.Errorf("attributes = %s, want %s", got.Attributes, want)
		}
	}
	if got.Confidence != nil {
		t.Errorf("confidence = %v, want none: defaults are the service's", *got.Confidence)
	}
	res := h.send(request{path: "/api/v1/entities/" + testEntityID})
	if !strings.Contains(res.Body.String(), `"amount":12345678901234567890`) {
		t.Errorf("stored number changed: %s", res.Body)
	}
}

func TestPatchKeepsClearsAndSets(t *testing.T) {
	h := newHarness(t)
	patch := func(body string) {
		t.Helper()
		if res := h.send(request{method: "PATCH", path: "/api/v1/sources/" + testSourceID, body: body, header: http.Header{"If-Match": {`"v3.abcdef"`}}}); res.Code != 200 {
			t.Fatalf("status = %d: %s", res.Code, res.Body)
		}
	}
	patch(`{"fetch_interval_seconds":null,"title":null,"tags":null}`)
	p := h.sources.patch
	if p.FetchInterval == nil || *p.FetchInterval != 0 || p.Title == nil || *p.Title != "" || p.Tags == nil || *p.Tags != nil || p.URL != nil || p.Status != nil {
		t.Errorf("clearing = %+v", p)
	}
	if p.IfVersion == nil || *p.IfVersion != 3 {
		t.Errorf("IfVersion = %v, want 3", p.IfVersion)
	}
	patch(`{"fetch_interval_seconds":600,"status":"paused"}`)
	p = h.sources.patch
	if p.FetchInterval == nil || p.FetchInterval.Seconds() != 600 || *p.Status != kgl.SourcePaused || p.Title != nil || p.Tags != nil {
		t.Errorf("setting = %+v", p)
	}
}

func TestTokenEndpoint(t *testing.T) {
	tests := []struct {
		name, form string
		status     int
		err        string
	}{
		{"password", "grant_type=password&username=a%40b.example&password=x&scope=&client_id=swagger-ui&unknown=1", 200, ""},
		{"refresh", "grant_type=refresh_token&refresh_token=x", 200, ""},
		{"wrong password", "grant_type=password&username=a&password=wrong", 400, "invalid_grant"},
		{"other grant", "grant_type=client_credentials", 400, "unsupported_grant_type"},
		{"no grant", "username=a", 400, "invalid_request"},
		{"no password", "grant_type=password&username=a", 400, "invalid_request"},
		{"no token", "grant_type=refresh_token", 400, "invalid_request"},
		{"repeated", "grant_type=password&grant_type=password&username=a&password=x", 400, "invalid_request"},
		{"scope", "grant_type=password&username=a&password=x&scope=everything", 400, "invalid_scope"},
		{"bad escape", "grant_type=%zz", 400, "invalid_request"},
		{"NUL", "grant_type=password&username=a%00&password=x", 400, "invalid_request"},
		{"empty", "", 400, "invalid_request"},
	}
	h := newHarness(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := h.send(request{
				method: "POST", path: "/api/v1/auth/token", body: tt.form, token: "-",
				header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
			})
			if res.Code != tt.status || (tt.err != "" && !strings.Contains(res.Body.String(), `"error":"`+tt.err+`"`)) {
				t.Errorf("%d %s, want %d %s", res.Code, res.Body, tt.status, tt.err)
			}
			if res.Header().Get("Cache-Control") != "no-store" || res.Header().Get("Content-Type") != "application/json" {
				t.Errorf("headers = %v", res.Header())
			}
		})
	}
	res := h.send(request{method: "POST", path: "/api/v1/auth/token", body: "{}", token: "-"})
	if res.Code != 415 || !strings.Contains(res.Body.String(), `"error":"invalid_request"`) {
		t.Errorf("JSON: %d %s", res.Code, res.Body)
	}
	h.fault.err = kgl.Errorf(kgl.CodeRateLimited, "too many failures")
	res = h.send(request{method: "POST", path: "/api/v1/auth/token", body: "grant_type=refresh_token&refresh_token=x", token: "-", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}})
	if res.Code != 429 || res.Header().Get("Retry-After") == "" {
		t.Errorf("throttled: %d %v", res.Code, res.Header())
	}
}

// vectors returns a folder of the shared test data, or skips.
func vectors(t *testing.T, name string) string {
	root := os.Getenv("KGL_SHARED")
	if root == "" {
		root = "../../../../shared"
	}
	dir := filepath.Join(root, "vectors", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the shared vectors %s are not here; set KGL_SHARED", name)
	}
	return dir
}

// TestJSONTestSuite sends Nicolas Seriot's JSON parsing tests as bodies and as
// attributes: what must be refused gives 400, nothing gives 500.
func TestJSONTestSuite(t *testing.T) {
	var files []string
	err := filepath.WalkDir(vectors(t, "jsontestsuite"), func(path string, entry os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".json") && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	h := newHarness(t)
	for _, file := range files {
		name := filepath.Base(file)
		if !strings.HasPrefix(name, "y_") && !strings.HasPrefix(name, "n_") && !strings.HasPrefix(name, "i_") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkJSON(data); name[0] == 'n' && err == nil {
			t.Errorf("%s is accepted", name)
		} else if name[0] == 'y' && err != nil && !strings.Contains(name, "duplicated") && !strings.Contains(name, "noncharacter") && !strings.Contains(name, "null_escape") && !strings.Contains(name, "u+0000") && !strings.Contains(name, "escaped_null") {
			t.Errorf("%s is refused: %v", name, err)
		}
		if len(data) == 0 {
			continue
		}
		for _, body := range []string{string(data), `{"name":"a","type":"b","attributes":{"x":` + string(data) + `}}`} {
			res := h.send(request{method: "POST", path: "/api/v1/entities", body: body})
			if res.Code != 400 && res.Code != 201 || name[0] == 'n' && body == string(data) && res.Code != 400 {
				t.Errorf("%s: %d %s", name, res.Code, res.Body)
			}
		}
	}
}

// TestNaughtyStrings sends strings that break careless programs in a body and
// in a query: they arrive exactly, or are refused with 400.
func TestNaughtyStrings(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(vectors(t, "naughty-strings"), "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var naughty []string
	if err := json.Unmarshal(data, &naughty); err != nil {
		t.Fatal(err)
	}
	h := newHarness(t)
	for _, text := range naughty {
		before := len(h.entities.created)
		res := h.send(request{method: "POST", path: "/api/v1/entities", body: `{"name":` + quoted(text) + `,"type":"b"}`})
		switch {
		case res.Code == 201 && h.entities.created[before].Name != text:
			t.Errorf("%q arrived as %q", text, h.entities.created[before].Name)
		case res.Code != 201 && res.Code != 400:
			t.Errorf("%q: %d %s", text, res.Code, res.Body)
		}
		res = h.send(request{path: "/api/v1/sources?q=" + url.QueryEscape(text)})
		switch {
		case res.Code == 200 && h.sources.filter.TitlePrefix != text:
			t.Errorf("query %q arrived as %q", text, h.sources.filter.TitlePrefix)
		case res.Code != 200 && res.Code != 400:
			t.Errorf("query %q: %d %s", text, res.Code, res.Body)
		}
	}
}
