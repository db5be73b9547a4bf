//go:build container

package container

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stopTime is what compose.yaml gives the backend to stop.
const stopTime = 15 * time.Second

// leases is how long what a killed worker had claimed stays claimed, generously:
// five minutes for a task of enrichment, less for a fetch.
const leases = 8 * time.Minute

// TestComposeServices says what each profile starts.
func TestComposeServices(t *testing.T) {
	for profile, want := range map[string]string{"": "backend", "sqlite": "backend", "postgres": "api migrate postgres worker"} {
		p := newProject(t, profile)
		found := map[string]bool{}
		for _, name := range strings.Fields(p.compose("config", "--services")) {
			found[name] = true
		}
		for _, name := range strings.Fields(want) {
			if !found[name] {
				t.Errorf("profile %q does not start %s", profile, name)
			}
			delete(found, name)
		}
		if len(found) > 0 {
			t.Errorf("profile %q starts %v too", profile, found)
		}
	}
}

// TestComposeSQLite drives the default profile, kills it under load, and
// restarts it.
func TestComposeSQLite(t *testing.T) {
	t.Parallel()
	p, feeds := newProject(t, ""), serveFeeds(t)
	p.up()
	p.checkHardening()
	backend := p.service("backend")
	password := backend.password()
	s := login(t, p.url, password)
	l := begin(s, feeds)
	for range 3 {
		l.waitMore(5)
		backend.crash()
		backend.waitHealthy()
	}
	l.waitMore(5)
	l.finish(s)
	s.waitFilled(leases, l.count())
	t.Logf("memory: %s", backend.memory())
	backend.stop(stopTime)
	p.up()
	if found := login(t, p.url, password).sources(); len(found) != l.count() {
		t.Errorf("%d sources after the restart, want %d", len(found), l.count())
	}
	if out, err := p.service("backend").exec("kgl", "audit", "verify"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	p.checkGone()
}

// TestComposePostgres drives the profile postgres while each of its containers
// is killed, and a second worker joins.
func TestComposePostgres(t *testing.T) {
	t.Parallel()
	p, feeds := newProject(t, "postgres"), serveFeeds(t)
	p.makeSecrets(os.Getuid(), os.Getgid())
	p.up()
	p.checkHardening()
	if code := p.service("migrate").inspect("{{.State.ExitCode}}"); code != "0" {
		t.Errorf("migrate ended with %s", code)
	}
	s := login(t, p.url, p.secret("admin_password"))
	l := begin(s, feeds)
	l.waitMore(5)
	for _, name := range []string{"api", "worker", "postgres", "worker", "api"} {
		p.service(name).crash()
		p.service(name).waitHealthy()
		l.waitMore(5)
	}
	p.up("--scale", "worker=2")
	if n := len(p.services("worker")); n != 2 {
		t.Errorf("%d workers", n)
	}
	l.waitMore(10)
	l.finish(s)
	for _, name := range []string{"api", "worker", "postgres"} {
		for _, c := range p.services(name) {
			c.waitHealthy()
		}
	}
	s.waitFilled(leases, l.count())
	if out, err := p.service("api").exec("kgl", "audit", "verify"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	p.checkStop()
	p.up()
	if found := login(t, p.url, p.secret("admin_password")).sources(); len(found) != l.count() {
		t.Errorf("%d sources after the restart, want %d", len(found), l.count())
	}
	p.checkGone()
}

// checkStop stops all containers, and prints what they used before.
func (p *project) checkStop() {
	p.t.Helper()
	for _, name := range []string{"worker", "api", "postgres"} {
		for _, c := range p.services(name) {
			p.t.Logf("memory of %s: %s", name, c.memory())
			c.stop(stopTime)
		}
	}
}

// TestComposeMove backs SQLite up, restores it, and moves to Postgres, with the
// commands of docs/operations.md: sources and passwords come along.
func TestComposeMove(t *testing.T) {
	p, feeds := newProject(t, ""), serveFeeds(t)
	p.up()
	backend := p.service("backend")
	password := backend.password()
	s := login(t, p.url, password)
	if _, ok, problem := s.addSource(feeds+"/one.xml", "one"); !ok {
		t.Fatal(problem)
	}
	s.waitFilled(time.Minute, 1)
	p.compose("exec", "backend", "kgl", "backup", "/data/backup.db")
	p.compose("cp", "backend:/data/backup.db", "backup.db")
	if id, ok, problem := s.addSource(feeds+"/two.xml", "two"); !ok {
		t.Fatal(id, problem)
	}
	p.compose("stop", "backend")
	p.compose("run", "--rm", "backend", "restore", "--force", "/data/backup.db")
	p.up()
	if found := login(t, p.url, password).sources(); len(found) != 1 {
		t.Errorf("sources after the restoration: %v", found)
	}

	p.compose("stop", "backend")
	p.profile = "postgres"
	p.makeSecrets(os.Getuid(), os.Getgid())
	out := p.compose("run", "--rm", "--volume", p.name+"_sqlite:/old", "migrate",
		"db", "copy", "--from", "sqlite:////old/kgl.db", "--to-file", "/run/secrets/database_url")
	t.Logf("kgl db copy:\n%s", out)
	p.up()
	s = login(t, p.url, password)
	if found := s.sources(); len(found) != 1 {
		t.Errorf("sources after the move: %v", found)
	}
	if _, ok, problem := s.addSource(feeds+"/three.xml", "three"); !ok {
		t.Fatal(problem)
	}
	s.waitFilled(time.Minute, 2)
	dump := p.compose("exec", "--no-TTY", "postgres", "pg_dump", "--username=kgl", "--format=custom", "kgl")
	if !strings.HasPrefix(dump, "PGDMP") {
		t.Errorf("no dump: %.40q", dump)
	}
	p.checkGone()
}

// TestComposeUser has the secrets made by somebody who is not root: they and
// the containers can read the files, and nobody else.
func TestComposeUser(t *testing.T) {
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 54321, 54321
	}
	p, feeds := newProject(t, "postgres"), serveFeeds(t)
	p.makeSecrets(uid, gid)
	before := p.secret("database_url")
	p.makeSecrets(uid, gid)
	if p.secret("database_url") != before {
		t.Error("a secret was replaced")
	}
	p.checkModes(uid)
	p.up()
	s := login(t, p.url, p.secret("admin_password"))
	if _, ok, problem := s.addSource(feeds+"/one.xml", "one"); !ok {
		t.Fatal(problem)
	}
	s.waitFilled(time.Minute, 1)
	if log := p.service("api").logs(); strings.Contains(log, `"level":"warn"`) {
		t.Errorf("api warns:\n%s", log)
	}
	p.checkGone()
}

// checkModes checks that only their maker and the user of the image can read
// the secrets.
func (p *project) checkModes(uid int) {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "secrets", "*"))
	if err != nil || len(files) != 4 {
		p.t.Errorf("%v %v", err, files)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			p.t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o440 || int(owner.Uid) != uid || owner.Gid != 65532 {
			p.t.Errorf("%s: %v of %d:%d", file, info.Mode(), owner.Uid, owner.Gid)
		}
	}
	if info, err := os.Stat(filepath.Join(p.dir, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		p.t.Errorf("%v %v", err, info.Mode())
	}
}
