package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/peermesh/kgl-backend/gen/client"
)

// naughty are texts that break careless programs. The list that
// TestNaughtyCorpus of a shared folder has is tried too, where there is one.
var naughty = []string{
	" ", "''", `"`, "`", "NULL", "null", "undefined", "nil", "true", "0", "-0", "1e999", "NaN", "0x0", "%00", "%s%n", "\\", "\\0", "../../etc/passwd",
	"Robert'); DROP TABLE contents;--", "' OR '1'='1", "{{7*7}}", "${jndi:ldap://x}", "<script>alert(1)</script>", "&lt;b&gt;", "<!--", "]]>",
	"line\nbreak", "tab\tand\rreturn", "bell\a", "\u007f", "zero\u200bwidth", "\ufeffbom", "\u202eright to left", "a\u0301\u0301\u0301 combining",
	"é e\u0301", "ﬁ ligature", "İstanbul ıI", "ß ẞ SS", "雨 ☂ 🏳️‍🌈 👩‍👩‍👧‍👦", "\U0010ffff", "\u2028\u2029", "𝒟𝓇", "Ω≈ç√∫", "ᏌᏊ", "ლ(ಠ益ಠლ)", "\ufdd0", "\u0085", "_%[]^",
	strings.Repeat("x", 300),
}

// corpus returns the shared list of texts, or nothing where it is absent.
func corpus(t *testing.T) []string {
	t.Helper()
	shared := os.Getenv("KGL_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(shared, "vectors", "naughty-strings", "blns.json"))
	if err != nil {
		t.Logf("only the short list: there is no shared corpus (KGL_SHARED): %v", err)
		return nil
	}
	return decode[[]string](t, data)
}

// testNaughtyStrings writes texts into every field that takes text, and reads
// them again: they are stored exactly, up to space around them and, for names, the
// composition of characters, or refused with 400. As filters they give an answer or 400.
func testNaughtyStrings(t *testing.T, b *backend) {
	c := b.asAdmin(t)
	kept := 0
	mark := newPassword()
	for i, text := range append(slices.Clone(naughty), corpus(t)...) {
		if !utf8.ValidString(text) {
			continue
		}
		attributes, _ := json.Marshal(map[string]string{"text": text})
		raw := json.RawMessage(attributes)
		body := encode(t, client.EntityCreate{Name: mark + text, Type: "grant", Description: &text, Attributes: &raw})
		res := c.do("POST", "/api/v1/entities", body)
		switch res.status {
		case http.StatusCreated:
			kept++
			got := decode[client.Entity](t, c.do("GET", res.header.Get("Location"), "").want(t, 200).body)
			checkKept(t, "name", norm.NFC.String(strings.TrimSpace(mark+text)), strings.TrimSpace(got.Name))
			checkKept(t, "description", strings.TrimSpace(text), got.Description)
			checkKept(t, "attributes", text, decode[map[string]string](t, got.Attributes)["text"])
		case http.StatusBadRequest, http.StatusConflict: // equal to another one but for case and punctuation
		default:
			t.Errorf("%q: %d %s", text, res.status, res.body)
		}
		if i < len(naughty) {
			naughtyFilters(t, c, text)
		}
	}
	if kept < 20 {
		t.Errorf("only %d texts were kept", kept)
	}
	naughtySource(t, b)
	naughtyUser(t, b)
}

// checkKept compares what was stored with what was sent.
func checkKept(t *testing.T, field, sent, got string) {
	t.Helper()
	if got != sent {
		t.Errorf("%s: sent %q, stored %q", field, sent, got)
	}
}

func naughtyFilters(t *testing.T, c *caller, text string) {
	t.Helper()
	value := url.QueryEscape(text)
	for _, path := range []string{
		"/api/v1/sources?q=", "/api/v1/sources?host=", "/api/v1/sources?tag=", "/api/v1/entities?name=", "/api/v1/entities?type=",
		"/api/v1/users?email=", "/api/v1/audit?action=", "/api/v1/audit?actor_id=", "/api/v1/content?language=",
	} {
		if res := c.do("GET", path+value, ""); res.status != 200 && res.status != 400 {
			t.Errorf("%s%s: %d %s", path, value, res.status, res.body)
		}
	}
}

// naughtySource writes texts into the fields of a source.
func naughtySource(t *testing.T, b *backend) {
	c, f := b.asAdmin(t), newFeedServer(t)
	path := "/api/v1/sources/" + c.createSource(t, f.url("/naughty.xml")).ID
	for _, text := range naughty {
		res := c.do("PATCH", path, encode(t, map[string]any{"title": text, "status": "paused"}))
		if res.status == 200 {
			checkKept(t, "title", strings.TrimSpace(text), decode[client.Source](t, res.body).Title)
		} else if res.status != 400 {
			t.Errorf("title %q: %d %s", text, res.status, res.body)
		}
		res = c.do("PATCH", path, encode(t, map[string]any{"tags": []string{text}}))
		if res.status == 200 {
			if tags := decode[client.Source](t, res.body).Tags; len(tags) != 1 || tags[0] != strings.ToLower(strings.TrimSpace(text)) {
				t.Errorf("tag %q became %q", text, tags)
			}
		} else if res.status != 400 {
			t.Errorf("tag %q: %d %s", text, res.status, res.body)
		}
	}
}

// naughtyUser writes texts into the fields of an account.
func naughtyUser(t *testing.T, b *backend) {
	c, a := b.asAdmin(t), b.newAccount(t, client.RoleUser)
	for _, text := range naughty {
		res := c.do("PATCH", "/api/v1/users/"+a.id, encode(t, map[string]any{"name": text}))
		if res.status == 200 {
			checkKept(t, "name", strings.TrimSpace(text), decode[client.User](t, res.body).Name)
		} else if res.status != 400 {
			t.Errorf("name %q: %d %s", text, res.status, res.body)
		}
		if res := c.do("PATCH", "/api/v1/users/"+a.id, encode(t, map[string]any{"email": text})); res.status != 400 {
			t.Errorf("the email %q: %d %s", text, res.status, res.body)
		}
	}
}

// testMassAssignment sends fields that are not for the caller to set. They are
// refused, whoever sends them.
func testMassAssignment(t *testing.T, b *backend) {
	c, f := b.asAdmin(t), newFeedServer(t)
	me := decode[client.User](t, c.do("GET", "/api/v1/auth/me", "").want(t, 200).body)
	entity := c.do("POST", "/api/v1/entities", encode(t, client.EntityCreate{Name: "Owned " + newPassword(), Type: "grant"})).want(t, 201).header.Get("Location")
	source := "/api/v1/sources/" + c.createSource(t, f.url("/mass.xml")).ID
	common := []string{`"id":"0198c6f0-0000-7000-8000-000000000001"`, `"created_at":"2020-01-01T00:00:00Z"`, `"updated_at":"2020-01-01T00:00:00Z"`, `"version":9`, `"owner_id":"x"`}
	targets := []struct {
		method, path, rest string
		fields             []string
	}{
		{"POST", "/api/v1/entities", `"name":"x","type":"y",`, []string{`"extractor":"mock"`, `"mention_count":9`, `"Name":"z"`}},
		{"PATCH", entity, `"description":"x",`, []string{`"extractor":"mock"`, `"mention_count":9`}},
		{"POST", "/api/v1/sources", `"url":"` + f.url("/mass2.xml") + `",`, []string{`"created_by":null`, `"content_count":9`, `"host":"x"`, `"last_error":null`, `"next_fetch_at":null`}},
		{"PATCH", source, `"title":"x",`, []string{`"created_by":null`, `"consecutive_failures":0`, `"format":"rss"`, `"etag":"x"`}},
		{"POST", "/api/v1/users", `"email":"mass@kgl.test","name":"x","role":"user","password":"` + b.secrets.add(newPassword()) + `",`, []string{`"status":"active"`, `"password_hash":"x"`, `"last_login_at":null`}},
		{"PATCH", "/api/v1/users/" + me.ID, `"name":"x",`, []string{`"password_hash":"x"`, `"last_login_at":null`, `"email_key":"x"`}},
		{"POST", "/api/v1/auth/password", `"current_password":"x","new_password":"y",`, []string{`"user_id":"x"`, `"role":"admin"`}},
		{"POST", "/api/v1/auth/login", `"email":"x@kgl.test","password":"y",`, []string{`"role":"admin"`, `"scope":"users:write"`}},
	}
	for _, target := range targets {
		for _, field := range append(slices.Clone(common), target.fields...) {
			p := c.do(target.method, target.path, "{"+target.rest+field+"}").want(t, 400).problem(t)
			if p.Errors == nil || !strings.HasPrefix(field, `"`+(*p.Errors)[0].Field+`"`) {
				t.Errorf("%s %s with %s: %+v", target.method, target.path, field, p)
			}
		}
	}
}

// testOddJSON sends bodies that two readers may understand differently, or
// not at all. (Package httpapi runs the whole JSON test suite.)
func testOddJSON(t *testing.T, b *backend) {
	c := b.as(t, client.RoleModerator)
	name := "Odd " + newPassword()
	before := c.dashboard(t).Entities.Total
	for what, body := range map[string]string{
		"trailing garbage": `{"name":"` + name + `","type":"b"} x`, "two values": `{"name":"a","type":"b"}{}`,
		"repeated member": `{"name":"a","name":"b","type":"b"}`, "repeated by escape": `{"name":"a","n\u0061me":"b","type":"b"}`,
		"NUL": `{"name":"a\u0000b","type":"b"}`, "lone surrogate": `{"name":"\ud83d","type":"b"}`, "invalid UTF-8": "{\"name\":\"\xff\",\"type\":\"b\"}",
		"deep": `{"name":"a","type":"b","attributes":{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`,
		"bomb": strings.Repeat("[", 900_000), "BOM": "\ufeff" + `{"name":"a","type":"b"}`, "comment": `{"name":"a","type":"b"/**/}`,
		"NaN": `{"name":"a","type":"b","confidence":NaN}`, "infinite": `{"name":"a","type":"b","confidence":1e999}`, "blank": "  ",
		"array": `[{"name":"a","type":"b"}]`, "null": "null", "text": `"x"`, "number": "1", "single quotes": `{'name':'a'}`, "cut off": `{"name":"a"`,
		"null name": `{"name":null,"type":"b"}`, "number for text": `{"name":1,"type":"b"}`, "text for number": `{"name":"a","type":"b","confidence":"1"}`,
		"confidence of 2": `{"name":"a","type":"b","confidence":2}`, "aliases with null": `{"name":"a","type":"b","aliases":[null]}`,
	} {
		t.Run(what, func(t *testing.T) {
			from := *c
			from.t = t
			from.do("POST", "/api/v1/entities", body).want(t, http.StatusBadRequest).problem(t)
		})
	}
	if after := c.dashboard(t).Entities.Total; after != before {
		t.Errorf("%d entities, then %d", before, after)
	}
	exact := `{"A":1,"a":12345678901234567890,"f":0.10,"n":null,"s":"\u003cp\u003e \ud83d\ude00"}`
	res := c.do("POST", "/api/v1/entities", `{"name":"`+name+`","type":"grant","attributes":`+exact+`}`).want(t, 201)
	read := c.do("GET", res.header.Get("Location"), "").want(t, 200)
	for _, want := range []string{`"A":1`, `"a":12345678901234567890`, `"n":null`} {
		if !strings.Contains(strings.ReplaceAll(string(read.body), " ", ""), want) {
			t.Errorf("attributes are not kept exactly, %s is missing: %s", want, read.body)
		}
	}
}

// testMethodsAndPaths asks for what there is not.
func testMethodsAndPaths(t *testing.T, b *backend) {
	c := b.asAdmin(t)
	for path, methods := range map[string][]string{
		"/api/v1/sources": {"PUT", "PATCH", "DELETE"}, "/api/v1/content": {"POST", "DELETE"}, "/api/v1/dashboard": {"POST"}, "/api/v1/auth/login": {"GET"},
		"/health": {"POST", "DELETE"}, "/api/v1/audit": {"DELETE"},
	} {
		for _, method := range methods {
			res := c.do(method, path, "").want(t, http.StatusMethodNotAllowed)
			if p := res.problem(t); p.Code != "method_not_allowed" || res.header.Get("Allow") == "" {
				t.Errorf("%s %s: %+v, Allow %q", method, path, p, res.header.Get("Allow"))
			}
		}
	}
	for _, path := range []string{
		"/", "/api", "/api/v1", "/api/v1/", "/api/v2/sources", "/api/v1/sources/", "/api/v1/Sources", "/api/v1/nothing", "/api/v1/sources/x/y", "/.env", "/.git/config",
		"/debug/pprof/", "/api/v1/../../etc/passwd", "/docs/../health/x", "/api/v1/sources/0198c6f0-0000-7000-8000-000000000001/refresh:now", "/admin",
	} {
		if res := c.do("GET", path, ""); res.status != http.StatusNotFound && res.status != http.StatusBadRequest {
			t.Errorf("GET %s: %d", path, res.status)
		}
	}
	for _, id := range []string{"x", "0198C6F0-0000-7000-8000-000000000001", "0198c6f0-0000-7000-8000-00000000000", "%00", "1", "'--"} {
		c.do("GET", "/api/v1/sources/"+url.PathEscape(id), "").want(t, http.StatusBadRequest)
	}
}
