package e2e

import (
	"context"
	"database/sql"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/mattn/go-sqlite3" // to break the audit log from outside

	"github.com/peermesh/kgl-backend/gen/client"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// auditRows lists audit rows, oldest first.
func (b *backend) auditRows(t testing.TB, filter client.ListAuditEventsParams) []client.AuditEvent {
	t.Helper()
	filter.Limit = ptr(100)
	res, err := b.asAdmin(t).ListAuditEventsWithResponse(t.Context(), &filter)
	if err != nil || res.JSON200 == nil {
		t.Fatalf("list the audit log: %v", err)
	}
	rows := res.JSON200.Data
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows
}

// checkAuditChain verifies the whole audit log as `kgl audit verify` does.
func (in *installation) checkAuditChain(t *testing.T) {
	t.Helper()
	a := in.open(t)
	var verifier kgl.AuditVerifier
	for {
		seq, _ := verifier.Head()
		rows, err := a.Store.AuditEventsFrom(t.Context(), seq+1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := verifier.Check(row); err != nil {
				t.Fatal(err)
			}
		}
		if len(rows) == 0 {
			break
		}
	}
	seq, hash := verifier.Head()
	headSeq, headHash, err := a.Store.AuditHead(t.Context())
	if err != nil || seq != headSeq || hash != headHash || seq == 0 {
		t.Errorf("the chain ends at %d %s, the head is %d %s, %v", seq, hash, headSeq, headHash, err)
	}
}

// testAuditRows does what must be audited and looks for its rows.
func testAuditRows(t *testing.T, b *backend) {
	a := b.newAccount(t, client.RoleModerator)
	c, f := b.newCaller(t, b.login(t, a).AccessToken), newFeedServer(t)
	b.anonymous(t).do("POST", "/api/v1/auth/login", encode(t, client.LoginRequest{Email: a.email, Password: "wrong"})).want(t, 401)
	s := c.createSource(t, f.url("/feed.xml"))
	c.do("PATCH", "/api/v1/sources/"+s.ID, `{"title":"x","status":"paused"}`).want(t, 200)
	c.do("PATCH", "/api/v1/sources/"+s.ID, `{"status":"active"}`).want(t, 200)
	c.do("POST", "/api/v1/sources/"+s.ID+"/refresh", "").want(t, 202)
	c.do("DELETE", "/api/v1/sources/"+s.ID, "").want(t, 204)
	e := c.do("POST", "/api/v1/entities", encode(t, client.EntityCreate{Name: "Audited " + newPassword(), Type: "grant"})).want(t, 201)
	c.do("PATCH", e.header.Get("Location"), `{"description":"x"}`).want(t, 200)
	c.do("DELETE", e.header.Get("Location"), "", "X-Request-ID", "audited-request").want(t, 204)
	c.do("GET", "/api/v1/users", "").want(t, 403)
	next := b.secrets.add(newPassword())
	c.do("POST", "/api/v1/auth/password", encode(t, client.PasswordChange{CurrentPassword: "wrong", NewPassword: next})).want(t, 400)
	c.do("POST", "/api/v1/auth/password", encode(t, client.PasswordChange{CurrentPassword: a.password, NewPassword: next})).want(t, 204)
	b.newCaller(t, b.login(t, account{email: a.email, password: next}).AccessToken).do("POST", "/api/v1/auth/logout", "").want(t, 204)
	b.asAdmin(t).do("PATCH", "/api/v1/users/"+a.id, `{"role":"user"}`).want(t, 200)
	b.asAdmin(t).do("DELETE", "/api/v1/users/"+a.id, "").want(t, 204)

	var got []string
	for _, row := range b.auditRows(t, client.ListAuditEventsParams{ActorID: &a.id}) {
		got = append(got, row.Action+" "+string(row.Outcome))
		if row.Address.MustGet() == "" || row.Actor.Type != "user" || row.RequestID.MustGet() == "" {
			t.Errorf("row = %+v", row)
		}
		if row.Action == "entity.delete" && row.RequestID.MustGet() != "audited-request" {
			t.Errorf("row = %+v", row)
		}
	}
	want := []string{
		"auth.login success", "source.create success", "source.update success", "source.update success", "source.refresh success", "source.delete success",
		"entity.create success", "entity.update success", "entity.delete success", "request.refuse refused", "user.change_password failure",
		"user.change_password success", "auth.login success", "auth.logout success",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("rows of the user:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got = got[:0]
	for _, row := range b.auditRows(t, client.ListAuditEventsParams{SubjectType: ptr("user"), SubjectID: &a.id}) {
		got = append(got, row.Action+" "+string(row.Outcome))
	}
	want = []string{
		"user.create success", "auth.login success", "auth.login failure", "user.change_password failure", "user.change_password success",
		"auth.login success", "user.update success", "user.delete success",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("rows about the user:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// testAuditOfRefusals has requests refused for want of a token and of a scope.
// A flood of them writes a bounded number of rows.
func testAuditOfRefusals(t *testing.T, b *backend) {
	c := b.as(t, client.RoleUser)
	c.do("GET", "/api/v1/users", "", "X-Request-ID", "refused-by-scope").want(t, 403)
	b.anonymous(t).do("GET", "/api/v1/users", "", "X-Request-ID", "refused-without-token").want(t, 401)
	flood := b.anonymous(t)
	for range 30 {
		flood.do("DELETE", "/api/v1/users/0198c6f0-0000-7000-8000-000000000001", "").want(t, 401)
	}
	seen, flooded := map[string]string{}, 0
	for _, row := range b.auditRows(t, client.ListAuditEventsParams{Action: ptr("request.refuse"), Outcome: ptr(client.AuditOutcomeRefused)}) {
		seen[row.RequestID.MustGet()] = row.Subject.ID.MustGet()
		if row.Address.MustGet() == flood.address {
			flooded++
		}
	}
	if seen["refused-by-scope"] != "listUsers" || seen["refused-without-token"] != "listUsers" {
		t.Errorf("refusals = %v", seen)
	}
	if flooded == 0 || flooded > 10 {
		t.Errorf("a flood of 30 wrote %d rows", flooded)
	}
}

// TestAuditFailureRefuses breaks the audit log: from then on nothing that must
// be audited happens, and when it works again everything does.
func TestAuditFailureRefuses(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		b := in.start(t)
		a := b.newAccount(t, client.RoleModerator)
		tokens := b.login(t, a)
		c, admin, f := b.newCaller(t, tokens.AccessToken), b.asAdmin(t), newFeedServer(t)
		s := c.createSource(t, f.url("/kept.xml"))
		c.waitForFetches(t, s.ID, 1)
		c.do("PATCH", "/api/v1/sources/"+s.ID, `{"status":"paused"}`).want(t, 200)
		before := c.do("GET", "/api/v1/sources/"+s.ID, "").body
		in.breakAudit(t)
		refused := []struct {
			from               *caller
			method, path, body string
		}{
			{b.anonymous(t), "POST", "/api/v1/auth/login", encode(t, client.LoginRequest{Email: a.email, Password: a.password})},
			{b.anonymous(t), "POST", "/api/v1/auth/login", encode(t, client.LoginRequest{Email: a.email, Password: "wrong"})},
			{c, "POST", "/api/v1/auth/logout", ""},
			{c, "POST", "/api/v1/auth/password", encode(t, client.PasswordChange{CurrentPassword: a.password, NewPassword: b.secrets.add(newPassword())})},
			{c, "POST", "/api/v1/sources", `{"url":"` + f.url("/new.xml") + `"}`},
			{c, "PATCH", "/api/v1/sources/" + s.ID, `{"title":"x"}`},
			{c, "DELETE", "/api/v1/sources/" + s.ID, ""},
			{c, "POST", "/api/v1/entities", `{"name":"Unaudited","type":"grant"}`},
			{admin, "PATCH", "/api/v1/users/" + a.id, `{"role":"admin"}`},
			{admin, "DELETE", "/api/v1/users/" + a.id, ""},
			{admin, "POST", "/api/v1/users", encode(t, client.UserCreate{Email: "unaudited@kgl.test", Name: "x", Role: "user", Password: b.secrets.add(newPassword())})},
		}
		for _, r := range refused {
			if res := r.from.do(r.method, r.path, r.body); res.status != http.StatusInternalServerError && res.status != http.StatusServiceUnavailable {
				t.Errorf("%s %s without an audit log: %d %s", r.method, r.path, res.status, res.body)
			}
		}
		in.mendAudit(t)
		if after := c.do("GET", "/api/v1/sources/"+s.ID, "").want(t, 200).body; string(after) != string(before) {
			t.Errorf("changed without an audit row:\n%s\n%s", before, after)
		}
		if me := decode[client.User](t, c.do("GET", "/api/v1/auth/me", "").want(t, 200).body); me.Role != client.RoleModerator {
			t.Errorf("role = %s", me.Role)
		}
		for _, r := range refused[4:8] {
			r.from.do(r.method, r.path, r.body) // what was refused happens now, so it had not before
		}
		for _, row := range b.auditRows(t, client.ListAuditEventsParams{ActorID: &a.id, Outcome: ptr(client.AuditOutcomeFailure)}) {
			t.Errorf("row = %+v", row)
		}
		b.login(t, a)
		in.checkAuditChain(t)
	})
}

// breakAudit makes every new audit row fail.
func (in *installation) breakAudit(t *testing.T) {
	t.Helper()
	if in.engine == "sqlite" {
		in.execute(t, `CREATE TRIGGER broken BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'broken'); END`)
		return
	}
	in.execute(t, `CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''broken''; END'`)
	in.execute(t, `CREATE TRIGGER broken BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION broken()`)
}

// mendAudit undoes breakAudit.
func (in *installation) mendAudit(t *testing.T) {
	t.Helper()
	if in.engine == "sqlite" {
		in.execute(t, `DROP TRIGGER broken`)
		return
	}
	in.execute(t, `DROP TRIGGER broken ON audit_events`)
}

// execute runs a statement on the database, beside the servers.
func (in *installation) execute(t *testing.T, statement string) {
	t.Helper()
	ctx := context.Background()
	if in.engine == "postgres" {
		conn, err := pgx.Connect(ctx, in.setting("KGL_DATABASE_URL"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
		return
	}
	db, err := sql.Open("sqlite3", "file:"+in.databaseFile()+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// checkIntegrity has SQLite look at the whole file.
func checkIntegrity(t *testing.T, in *installation) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+in.databaseFile()+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity_check: %s %v", result, err)
	}
	rows, err := db.Query("PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() {
		t.Error("foreign_key_check found rows without their parents")
	}
}
