package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/peermesh/kgl-backend/gen/client"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// fixture names things that exist, for the parameters of paths.
type fixture map[string]string

// newFixture looks up one of each.
func newFixture(t *testing.T, b *backend) fixture {
	t.Helper()
	ids, c := b.samples(t), b.asAdmin(t)
	relationships, err := c.ListRelationshipsWithResponse(t.Context(), nil)
	if err != nil || relationships.JSON200 == nil || len(relationships.JSON200.Data) == 0 {
		t.Fatalf("list relationships: %v %s", err, relationships.Body)
	}
	edge := relationships.JSON200.Data[0]
	work, err := c.ListWorkWithResponse(t.Context(), nil)
	if err != nil || work.JSON200 == nil || len(work.JSON200.Data) == 0 {
		t.Fatalf("list tasks: %v %s", err, work.Body)
	}
	item := c.content(t, ids[0])[0].ID
	extraction, run := c.extraction(t, item)
	return fixture{
		"extraction_id": extraction, "run_id": run,
		"task_id": work.JSON200.Data[0].ID,
		"user_id": b.newAccount(t, client.RoleUser).id, "source_id": ids[0], "content_id": item,
		"entity_id": edge.From.ID, "relationship_id": edge.ID, "merge_id": c.mergeOf(t, c.newEntity(t, "grant").ID, c.newEntity(t, "grant").ID).ID,
		"import_id": c.importList(t, `<opml><body><outline text="x" xmlUrl="https://x.example/"/></body></opml>`, "?dry_run=true").ID,
	}
}

// path fills the parameters of an operation's path, and those of its query that
// it needs.
func (f fixture) path(op operation) string {
	path := op.path
	for name, id := range f {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	for _, p := range op.Parameters {
		if p.Value.In == openapi3.ParameterInQuery && p.Value.Required {
			path = withQuery(path, p.Value.Name+"="+url.QueryEscape(f.queryValue(p.Value)))
		}
	}
	return path
}

// queryValue returns a value of a parameter: something that exists for one that
// names an entity, else the contract's example.
func (f fixture) queryValue(p *openapi3.Parameter) string {
	if slices.Contains([]string{"id", "from", "to"}, p.Name) {
		return f["entity_id"]
	}
	return fmt.Sprint(p.Example)
}

// withQuery adds a parameter to a path that may have a query.
func withQuery(path, parameter string) string {
	if strings.Contains(path, "?") {
		return path + "&" + parameter
	}
	return path + "?" + parameter
}

// documents reports whether the contract has this answer of an operation.
func (op operation) documents(status int) bool {
	return op.Responses.Value(fmt.Sprint(status)) != nil
}

// takes reports whether an operation has a header parameter.
func (op operation) takes(header string) bool {
	return op.Parameters.GetByInAndName("header", header) != nil
}

// body returns the content type of an operation's body and the contract's
// example of it.
func (op operation) body(t *testing.T) (contentType, body string) {
	t.Helper()
	if op.RequestBody == nil {
		return "application/json", ""
	}
	for mediaType, media := range op.RequestBody.Value.Content {
		if mediaType == "application/json" {
			return mediaType, encode(t, media.Example)
		}
		if text, raw := media.Example.(string); raw {
			return mediaType, text
		}
		form := url.Values{}
		for name, value := range media.Example.(map[string]any) {
			form.Set(name, fmt.Sprint(value))
		}
		return mediaType, form.Encode()
	}
	return "", ""
}

// maxBody returns the limit of an operation's body, in bytes.
func (op operation) maxBody() int {
	if bytes, ok := op.Extensions["x-max-body-bytes"].(float64); ok {
		return int(bytes)
	}
	return 1 << 20
}

// closed reports whether an operation needs a token.
func (op operation) closed() bool { return op.Security == nil || len(*op.Security) > 0 }

// scope returns the scope that an operation needs.
func (op operation) scope() string {
	for _, requirement := range *op.Security {
		if scopes := requirement["oauth2"]; len(scopes) == 1 {
			return scopes[0]
		}
	}
	return ""
}

// provocation makes an operation give one of its documented refusals.
type provocation struct {
	status int
	call   func(c *caller, op operation, path, contentType, body string) answer
}

func provocations(b *backend, t *testing.T) []provocation {
	outsider := b.withScope(t, "profile")
	profileless := b.withScope(t, "dashboard:read")
	return []provocation{
		{http.StatusBadRequest, func(c *caller, op operation, path, contentType, body string) answer {
			return c.do(op.method, withQuery(path, "nonsense=1"), body, "Content-Type", contentType)
		}},
		{http.StatusUnauthorized, func(c *caller, op operation, path, contentType, body string) answer {
			return c.do(op.method, path, body, "Content-Type", contentType, "Authorization", "Bearer nonsense")
		}},
		{http.StatusForbidden, func(_ *caller, op operation, path, contentType, body string) answer {
			from := outsider
			if op.scope() == "profile" {
				from = profileless
			}
			return from.do(op.method, path, body, "Content-Type", contentType)
		}},
		{http.StatusNotFound, func(c *caller, op operation, _, contentType, body string) answer {
			missing := fixture{}
			for name := range newIDs() {
				missing[name] = missingID
			}
			if op.id == "createExtraction" {
				body = `{"content_id":"` + missingID + `"}`
			}
			return c.do(op.method, missing.path(op), body, "Content-Type", contentType)
		}},
		{http.StatusNotAcceptable, func(c *caller, op operation, path, contentType, body string) answer {
			return c.do(op.method, path, body, "Content-Type", contentType, "Accept", "image/png")
		}},
		{http.StatusPreconditionFailed, func(c *caller, op operation, path, contentType, body string) answer {
			return c.do(op.method, path, body, "Content-Type", contentType, "If-Match", `"v999999"`)
		}},
		{http.StatusRequestEntityTooLarge, func(c *caller, op operation, path, contentType, _ string) answer {
			return c.do(op.method, path, strings.Repeat("x", op.maxBody()+1), "Content-Type", contentType)
		}},
		{http.StatusUnsupportedMediaType, func(c *caller, op operation, path, _, _ string) answer {
			return c.do(op.method, path, "plain", "Content-Type", "text/plain")
		}},
	}
}

// newIDs are the names of the parameters of paths.
func newIDs() map[string]bool {
	return map[string]bool{"user_id": true, "source_id": true, "content_id": true, "entity_id": true, "relationship_id": true, "import_id": true, "extraction_id": true, "run_id": true, "task_id": true, "merge_id": true}
}

// testDocumentedAnswers provokes what can be provoked in the same way for every
// operation that documents it. None of these calls may change anything.
func testDocumentedAnswers(t *testing.T, b *backend) {
	f, admin := newFixture(t, b), b.asAdmin(t)
	before := admin.countedNow(t)
	provoke := provocations(b, t)
	for _, op := range contract.operations {
		contentType, body := op.body(t)
		for _, p := range provoke {
			byCredentials := !op.closed() && p.status == http.StatusUnauthorized // see testFailedLogins
			if !op.documents(p.status) || byCredentials || unprovoked(op.id, p.status) {
				continue
			}
			t.Run(fmt.Sprintf("%s %d", op.id, p.status), func(t *testing.T) {
				from := *admin
				from.t = t
				res := p.call(&from, op, f.path(op), contentType, body).want(t, p.status)
				if op.id != "issueToken" {
					checkProblem(t, res, f.path(op))
				}
			})
		}
		if op.method == http.MethodGet {
			t.Run(op.id+" 304", func(t *testing.T) { testNotModified(t, admin, op, f.path(op)) })
		}
	}
	if after := admin.countedNow(t); after.Sources.Total != before.Sources.Total || after.Entities.Total != before.Entities.Total || after.Content.Total != before.Content.Total {
		t.Errorf("refused calls changed something: %+v, then %+v", before, after)
	}
}

// checkProblem holds what every problem document says.
func checkProblem(t *testing.T, res answer, path string) {
	t.Helper()
	p := res.problem(t)
	path, _, _ = strings.Cut(path, "?")
	if p.Status != res.status || p.Type != "urn:kgl:problem:"+p.Code || p.RequestID != res.header.Get("X-Request-Id") ||
		p.Detail == "" || p.Title != http.StatusText(res.status) || !strings.HasPrefix(p.Instance, strings.SplitN(path, "/0", 2)[0]) {
		t.Errorf("problem = %+v", p)
	}
	if res.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control of an error = %q", res.header.Get("Cache-Control"))
	}
	switch challenge := res.header.Get("WWW-Authenticate"); {
	case res.status == http.StatusUnauthorized && !strings.Contains(challenge, `error="invalid_token"`),
		res.status == http.StatusForbidden && !strings.Contains(challenge, `error="insufficient_scope"`):
		t.Errorf("challenge of %d = %q", res.status, challenge)
	}
}

// testNotModified reads twice, the second time with the ETag of the first.
func testNotModified(t *testing.T, c *caller, op operation, path string) {
	if !op.documents(http.StatusNotModified) {
		if op.takes("If-None-Match") {
			t.Error("takes If-None-Match and documents no 304")
		}
		return
	}
	from := *c
	from.t = t
	// What a list or the dashboard shows may change in between.
	for range 5 {
		first := from.do(op.method, path, "").want(t, http.StatusOK)
		tag := first.header.Get("ETag")
		second := from.do(op.method, path, "", "If-None-Match", `"other", `+tag)
		if second.status == http.StatusNotModified {
			if second.header.Get("ETag") != tag || len(second.body) > 0 {
				t.Errorf("304 with ETag %q of %q and %d bytes", second.header.Get("ETag"), tag, len(second.body))
			}
			return
		}
		if again := from.do(op.method, path, "").header.Get("ETag"); again == tag {
			t.Fatalf("%d although the ETag is %s still", second.status, tag)
		}
	}
	t.Error("no 304 in five tries")
}

// testConflicts provokes 409 and 422, which need a state each.
func testConflicts(t *testing.T, b *backend) {
	admin, f := b.asAdmin(t), newFeedServer(t)
	user := func(email string) string {
		return encode(t, client.UserCreate{Email: email, Name: "x", Role: client.RoleUser, Password: b.secrets.add(newPassword())})
	}
	entity := func(name string) string { return encode(t, client.EntityCreate{Name: name, Type: "grant"}) }
	one, two := "One "+newPassword(), "Two "+newPassword()
	first := decode[client.Entity](t, admin.do("POST", "/api/v1/entities", entity(one)).want(t, 201).body)
	decode[client.Entity](t, admin.do("POST", "/api/v1/entities", entity(two)).want(t, 201).body)
	named := newPassword()
	second := decode[client.Entity](t, admin.do("POST", "/api/v1/entities",
		`{"name":`+encode(t, "Named "+named)+`,"type":"grant","aliases":["Known alias"],"external_ids":[{"scheme":"x","value":`+encode(t, named)+`}]}`).want(t, 201).body)
	merged := admin.newEntity(t, "grant").ID
	admin.mergeOf(t, second.ID, merged)
	source := admin.createSource(t, f.url("/a.xml"))
	admin.createSource(t, f.url("/b.xml"))
	admin.do("PATCH", "/api/v1/sources/"+source.ID, `{"status":"paused"}`).want(t, 200)
	taken := b.newAccount(t, client.RoleUser)
	me := decode[client.User](t, admin.do("GET", "/api/v1/auth/me", "").want(t, 200).body)
	b.demoteOtherAdmins(t, me.ID)
	conflicts := []struct{ name, method, path, body string }{
		{"email of another user, in other case", "POST", "/api/v1/users", user(strings.ToUpper(taken.email))},
		{"name of another entity, in other case and punctuation", "POST", "/api/v1/entities", entity(strings.ToUpper(one) + " !")},
		{"URL of another source, in another spelling", "POST", "/api/v1/sources", `{"url":"` + f.url("/a.xml") + `?utm_source=x#y"}`},
		{"change to the URL of another source", "PATCH", "/api/v1/sources/" + source.ID, `{"url":"` + f.url("/b.xml") + `"}`},
		{"change to the name of another entity", "PATCH", "/api/v1/entities/" + first.ID, `{"name":` + encode(t, two) + `}`},
		{"external id of another entity", "PATCH", "/api/v1/entities/" + first.ID, `{"external_ids":[{"scheme":"x","value":` + encode(t, named) + `}]}`},
		{"alias that the entity has", "POST", "/api/v1/entities/" + second.ID + "/aliases", `{"alias":"KNOWN alias!"}`},
		{"change of a merged entity", "PATCH", "/api/v1/entities/" + merged, `{"description":"x"}`},
		{"alias for a merged entity", "POST", "/api/v1/entities/" + merged + "/aliases", `{"alias":"x"}`},
		{"removal of an alias of a merged entity", "DELETE", "/api/v1/entities/" + merged + "/aliases?alias=x", ""},
		{"removal of a merged entity", "DELETE", "/api/v1/entities/" + merged, ""},
		{"change to the email of another user", "PATCH", "/api/v1/users/" + me.ID, `{"email":"` + taken.email + `"}`},
		{"last admin demoted", "PATCH", "/api/v1/users/" + me.ID, `{"role":"user"}`},
		{"last admin disabled", "PATCH", "/api/v1/users/" + me.ID, `{"status":"disabled"}`},
		{"last admin deleted", "DELETE", "/api/v1/users/" + me.ID, ""},
		{"refresh of a paused source", "POST", "/api/v1/sources/" + source.ID + "/refresh", ""},
	}
	for _, tt := range conflicts {
		t.Run(tt.name, func(t *testing.T) {
			from := *admin
			from.t = t
			if p := from.do(tt.method, tt.path, tt.body).want(t, http.StatusConflict).problem(t); p.Code != string(kgl.CodeConflict) {
				t.Errorf("code = %s", p.Code)
			}
		})
	}
	for path, bodies := range map[string][2]string{
		"/api/v1/users":    {user(strings.ToLower(newPassword()) + "@kgl.test"), user(strings.ToLower(newPassword()) + "@kgl.test")},
		"/api/v1/entities": {entity("Three " + newPassword()), entity("Four " + newPassword())},
		"/api/v1/entities/" + first.ID + "/aliases": {`{"alias":"Three"}`, `{"alias":"Four"}`},
		"/api/v1/sources": {`{"url":"` + f.url("/c.xml") + `"}`, `{"url":"` + f.url("/d.xml") + `"}`},
	} {
		key := newPassword()
		admin.do("POST", path, bodies[0], "Idempotency-Key", key).want(t, 201)
		if p := admin.do("POST", path, bodies[1], "Idempotency-Key", key).want(t, 422).problem(t); p.Code != string(kgl.CodeIdempotencyMismatch) {
			t.Errorf("%s: code = %s", path, p.Code)
		}
	}
}

// demoteOtherAdmins leaves one administrator.
func (b *backend) demoteOtherAdmins(t *testing.T, keep string) {
	t.Helper()
	admin := b.asAdmin(t)
	res, err := admin.ListUsersWithResponse(t.Context(), &client.ListUsersParams{Role: ptr(client.RoleAdmin), Limit: ptr(100)})
	if err != nil || res.JSON200 == nil {
		t.Fatalf("list administrators: %v", err)
	}
	for _, u := range res.JSON200.Data {
		if u.ID != keep {
			admin.do("PATCH", "/api/v1/users/"+u.ID, `{"role":"user"}`).want(t, 200)
		}
	}
}
