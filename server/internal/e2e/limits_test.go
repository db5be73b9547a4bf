package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/gen/client"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// TestManyLogins has two hundred people log in at once. Some may be asked to
// come back; the memory that hashing takes is bounded.
func TestManyLogins(t *testing.T) {
	in := newInstallation(t, "sqlite")
	p := in.launch(t, "serve")
	b := p.serving(in)
	statuses := make([]int, 200)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			statuses[i] = b.tryLogin(t, fmt.Sprintf("198.18.1.%d", i), in.admin.email, in.admin.password).status
		})
	}
	group.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	if count[http.StatusOK] == 0 || count[http.StatusOK]+count[http.StatusServiceUnavailable]+count[http.StatusTooManyRequests] != len(statuses) {
		t.Errorf("statuses = %v", count)
	}
	b.login(t, in.admin) // and then everything is well
	peak, err := peakMemory(p.cmd.Process.Pid)
	if err != nil {
		t.Logf("the memory is not known on this system: %v", err)
		return
	}
	t.Logf("statuses %v, peak memory %d MiB", count, peak>>20)
	if peak > 400<<20 {
		t.Errorf("a peak of %d MiB", peak>>20)
	}
}

// peakMemory returns the largest resident set of a process, in bytes, as Linux
// counts it.
func peakMemory(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmHWM of process %d", pid)
}

// TestForgedAddress sends X-Forwarded-For to a server that trusts no proxy: it
// changes neither who is throttled nor what is audited.
func TestForgedAddress(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite", "KGL_TRUSTED_PROXIES=")
	b := in.start(t)
	admin := b.asAdmin(t)
	for i := range 20 {
		b.tryLogin(t, fmt.Sprintf("203.0.113.%d", i), fmt.Sprintf("nobody%d@kgl.test", i), "wrong").want(t, 401)
	}
	wantThrottled(t, b.tryLogin(t, "198.51.100.1", "another@kgl.test", "wrong"))
	rows := decode[client.AuditEventList](t, admin.do("GET", "/api/v1/audit?limit=100&action=auth.login", "").want(t, 200).body)
	for _, row := range rows.Data {
		if row.Address.MustGet() != "127.0.0.1" {
			t.Errorf("row = %+v", row)
		}
	}
}

// TestDatabaseAway takes the database from a running server: it says that it is
// not ready and asks callers to come back, and works on when the database does.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "postgres")
	b := in.start(t)
	c, anonymous := b.asAdmin(t), b.anonymous(t)
	at, err := url.Parse(in.setting("KGL_DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(at.Path, "/")
	server, err := pgx.Connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(context.Background())
	execute := func(statement string, args ...any) {
		t.Helper()
		if _, err := server.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	database := pgx.Identifier{name}.Sanitize()
	execute("ALTER DATABASE " + database + " ALLOW_CONNECTIONS false")
	execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	eventually(t, "the server is not ready", func() string {
		if res := anonymous.do("GET", "/ready", ""); res.status != http.StatusServiceUnavailable {
			return string(res.body)
		}
		return ""
	})
	anonymous.do("GET", "/health", "").want(t, 200)
	for _, call := range [][3]string{{"GET", "/api/v1/sources", ""}, {"GET", "/api/v1/dashboard", ""}, {"POST", "/api/v1/entities", `{"name":"x","type":"y"}`}} {
		if res := c.do(call[0], call[1], call[2]).want(t, 503); res.problem(t).Code != "unavailable" || res.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s, Retry-After %q", call[1], res.body, res.header.Get("Retry-After"))
		}
	}
	execute("ALTER DATABASE " + database + " ALLOW_CONNECTIONS true")
	began := time.Now()
	eventually(t, "the server is ready again", func() string {
		if res := anonymous.do("GET", "/ready", ""); res.status != http.StatusOK {
			return string(res.body)
		}
		return ""
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("ready after %s only", took)
	}
	c.do("POST", "/api/v1/entities", `{"name":"x","type":"y"}`).want(t, 201)
	in.checkAuditChain(t)
}

// TestDatabaseBusy holds SQLite's write lock from outside: readers go on, and
// writers are asked to come back.
func TestDatabaseBusy(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite")
	b := in.start(t)
	c := b.asAdmin(t)
	c.do("GET", "/api/v1/dashboard", "").want(t, 200)
	db, err := sql.Open("sqlite3", "file:"+in.databaseFile()+"?_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	res := c.do("POST", "/api/v1/entities", `{"name":"Waits","type":"grant"}`).want(t, 503)
	if res.problem(t).Code != "unavailable" || res.header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q", res.body, res.header.Get("Retry-After"))
	}
	t.Logf("a writer waited %s", time.Since(began))
	c.do("GET", "/api/v1/sources", "").want(t, 200)
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	c.do("POST", "/api/v1/entities", `{"name":"Waits","type":"grant"}`).want(t, 201)
}
