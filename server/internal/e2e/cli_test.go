package e2e

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// exitCode returns the exit code of a command that ended.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := err.(*exec.ExitError)
	if !ok {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

// output runs a kgl command that must succeed, and returns what it printed on
// standard output.
func (in *installation) output(t *testing.T, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := in.command(t, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kgl %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// TestFeedInspect inspects a feed in a file and at a URL: without a database,
// and as one JSON object.
func TestFeedInspect(t *testing.T) {
	t.Parallel()
	in, f := newInstallation(t, "sqlite"), newFeedServer(t)
	document := rssFeed("Inspected", newItem("one"), newItem("two"))
	f.serve("/feed.xml", document)
	path := filepath.Join(in.dir, "feed.xml")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{path, f.url("/feed.xml")} {
		var got struct {
			Feed     struct{ Title, Link, Format string }
			Items    []map[string]json.RawMessage
			Repaired *bool
			Warnings []struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(in.output(t, "feed", "inspect", from, "--json", "--base-url", "https://blog.example.org/")), &got); err != nil {
			t.Fatal(err)
		}
		if got.Feed.Title != "Inspected" || got.Feed.Format != "rss" || got.Feed.Link == "" || len(got.Items) != 2 || got.Repaired == nil || got.Warnings == nil {
			t.Errorf("%s: %+v", from, got)
		}
		for _, field := range []string{"guid", "url", "title", "published_at", "authors", "summary", "content_html"} {
			if _, ok := got.Items[0][field]; !ok {
				t.Errorf("%s: an item has no %s", from, field)
			}
		}
	}
	latin := strings.Replace(document, "Inspected", "Caf\xe9", 1)
	cmd := in.command(t, "feed", "inspect", "-", "--json", "--content-type", "text/xml; charset=iso-8859-1")
	cmd.Stdin = strings.NewReader(strings.Replace(latin, `<?xml version="1.0"?>`, "", 1))
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), `"Café"`) {
		t.Errorf("%v %.200s", err, out)
	}
	for _, bad := range []string{filepath.Join(in.dir, "nothing.xml"), f.url("/nothing.xml"), "http://169.254.169.254/", in.dir} {
		if out, err := in.run(t, "feed", "inspect", bad, "--json"); exitCode(t, err) != 1 || strings.TrimSpace(out) == "" {
			t.Errorf("%s: %v %s", bad, err, out)
		}
	}
	if _, err := os.Stat(in.databaseFile()); !os.IsNotExist(err) {
		t.Error("inspecting made a database")
	}
}

// TestSourceCommands manages sources at the command line while a server runs,
// which fetches them.
func TestSourceCommands(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in, f := newInstallation(t, engine), newFeedServer(t)
		c := in.start(t).asAdmin(t)
		f.serve("/a.xml", rssFeed("From the command line", newItem("one")))
		f.serve("/b.xml", rssFeed("From a list", newItem("two")))
		added := in.output(t, "source", "add", f.url("/a.xml"), "--tag", "cli", "--interval", "2h")
		id := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(added)
		c.waitForFetches(t, id, 1)
		if s := c.source(t, id); s.Title != "From the command line" || s.Tags[0] != "cli" || s.FetchIntervalSeconds.MustGet() != 7200 || !s.CreatedBy.IsNull() {
			t.Errorf("source = %+v", s)
		}
		if out, err := in.run(t, "source", "add", f.url("/a.xml")); exitCode(t, err) != 1 || !strings.Contains(out, "exists") {
			t.Errorf("%v %s", err, out)
		}
		list := filepath.Join(in.dir, "list.opml")
		opml := `<opml version="2.0"><body><outline text="B" xmlUrl="` + f.url("/b.xml") + `"/><outline text="A" xmlUrl="` + f.url("/a.xml") + `"/></body></opml>`
		if err := os.WriteFile(list, []byte(opml), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := in.output(t, "source", "import", list); !strings.Contains(out, "added 1 of 2") {
			t.Error(out)
		}
		if out := in.output(t, "source", "list"); !strings.Contains(out, id) || strings.Count(out, "\n") != 3 {
			t.Error(out)
		}
		in.output(t, "source", "refresh", id)
		c.waitForFetches(t, id, 2)
		in.output(t, "source", "delete", id)
		c.do("GET", "/api/v1/sources/"+id, "").want(t, 404)
		in.checkAuditChain(t)
	})
}

// TestOperatorCommands runs the commands that look at an installation.
func TestOperatorCommands(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "postgres")
	b := in.start(t)
	out := in.output(t, "config")
	at := in.setting("KGL_DATABASE_URL")
	for _, secret := range []string{in.admin.password, in.setting("KGL_MASTER_KEY")} {
		if strings.Contains(out, secret) {
			t.Error("config prints a secret")
		}
	}
	if user, _, found := strings.Cut(strings.TrimPrefix(at, "postgres://"), "@"); found {
		if _, password, _ := strings.Cut(user, ":"); password != "" && strings.Contains(out, ":"+password+"@") {
			t.Error("config prints the password of the database")
		}
	}
	if !strings.Contains(out, "KGL_ADDR") || !strings.Contains(out, "KGL_SEED_OPML") {
		t.Error(out)
	}
	if out := in.output(t, "healthcheck", "--url", b.url); !strings.Contains(out, "ready") {
		t.Error(out)
	}
	if _, err := in.run(t, "healthcheck", "--url", "http://127.0.0.1:1"); exitCode(t, err) != 1 {
		t.Error("a server that is not there is healthy")
	}
	if out := in.output(t, "version"); !strings.HasPrefix(out, "kgl ") {
		t.Error(out)
	}
	for _, wrong := range [][]string{{"nonsense"}, {"serve", "--nonsense"}, {"source", "add"}, {"version", "x"}} {
		if out, err := in.run(t, wrong...); exitCode(t, err) != 2 || out == "" {
			t.Errorf("%v: %v %s", wrong, err, out)
		}
	}
	cmd := in.command(t, "serve")
	cmd.Env = append(cmd.Env, "KGL_ADDR=nonsense", "KGL_WORKERS=0", "KGL_MASTER_KEY=short-and-secret")
	wrong, err := cmd.CombinedOutput()
	for _, name := range []string{"KGL_ADDR", "KGL_WORKERS", "KGL_MASTER_KEY"} {
		if exitCode(t, err) == 0 || !strings.Contains(string(wrong), name) || strings.Contains(string(wrong), "short-and-secret") {
			t.Errorf("%s: %v %s", name, err, wrong)
		}
	}
}

// TestAuditVerify changes the audit log behind the service's back: the verifier
// names the row.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, statement, want string }{
		{"edited", "UPDATE audit_events SET outcome = 'success', action = 'nothing' WHERE seq = 3", "3"},
		{"deleted", "DELETE FROM audit_events WHERE seq = 3", "3"},
		{"cut off", "DELETE FROM audit_events WHERE seq = (SELECT max(seq) FROM audit_events)", "cut off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := newInstallation(t, "sqlite")
			b := in.start(t)
			for range 3 {
				b.newAccount(t, client.RoleUser)
			}
			if out := in.output(t, "audit", "verify"); !strings.Contains(out, "intact") {
				t.Error(out)
			}
			for _, trigger := range []string{"audit_events_no_update", "audit_events_no_delete"} {
				in.execute(t, "DROP TRIGGER "+trigger)
			}
			in.execute(t, tt.statement)
			if out, err := in.run(t, "audit", "verify"); exitCode(t, err) != 1 || !strings.Contains(out, tt.want) {
				t.Errorf("%v %s", err, out)
			}
		})
	}
}

// TestKeyCommands rotates and revokes signing keys while two servers run.
func TestKeyCommands(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		here, there := in.start(t), in.start(t)
		kids := func(b *backend) []string {
			var ids []string
			for _, key := range decode[client.JWKS](t, b.anonymous(t).do("GET", "/api/v1/auth/jwks.json", "").want(t, 200).body).Keys {
				ids = append(ids, key.Kid)
			}
			return ids
		}
		old := kids(here)
		in.output(t, "keys", "rotate")
		for _, b := range []*backend{here, there} {
			eventually(t, "the new key is published", func() string {
				if now := kids(b); len(now) != len(old)+1 {
					return strings.Join(now, ", ")
				}
				return ""
			})
		}
		if got := kidOf(t, here.login(t, in.admin).AccessToken); !slices.Contains(old, got) {
			t.Errorf("the key %s signs before it was announced for an hour", got)
		}
		in.clock.Advance(61 * time.Minute)
		token := here.login(t, in.admin).AccessToken
		if slices.Contains(old, kidOf(t, token)) {
			t.Error("the new key does not sign an hour later")
		}
		c := there.newCaller(t, token)
		c.do("GET", "/api/v1/auth/me", "").want(t, 200)
		in.output(t, "keys", "revoke", kidOf(t, token))
		eventually(t, "the revoked key is refused", func() string {
			if res := c.do("GET", "/api/v1/auth/me", ""); res.status != 401 {
				return string(res.body)
			}
			return ""
		})
		eventually(t, "another key signs", func() string {
			if next := here.login(t, in.admin).AccessToken; kidOf(t, next) == kidOf(t, token) {
				return kidOf(t, next)
			}
			return ""
		})
		there.newCaller(t, here.login(t, in.admin).AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 200)
	})
}

// kidOf returns the key id in the head of a token.
func kidOf(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	data, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	return decode[struct{ Kid string }](t, data).Kid
}
