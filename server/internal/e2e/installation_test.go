package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/demo"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// migrated is a Postgres database with the schema, from which each
// installation gets a copy.
var migrated = pgtest.NewTemplate(func(ctx context.Context, url string) error {
	cfg, err := config.Load([]string{"KGL_DATABASE_URL=" + url, "KGL_MASTER_KEY=" + base64.StdEncoding.EncodeToString(randomBytes(32))})
	if err != nil {
		return err
	}
	m, err := app.NewMigrator(cfg)
	if err != nil {
		return err
	}
	return m.Up(ctx)
})

// clock is the system's clock, which tests can move ahead.
type clock struct{ ahead atomic.Int64 }

// Now implements kgl.Clock.
func (c *clock) Now() time.Time {
	return time.Now().Add(time.Duration(c.ahead.Load())).UTC().Truncate(time.Microsecond)
}

// Advance moves the clock.
func (c *clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// buffer is a log that can be read while it is written.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what was written.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// installation is a database with what belongs to it. Any number of servers
// can be started on it.
type installation struct {
	engine  string
	dir     string
	clock   *clock
	log     *buffer
	secrets *secrets
	admin   account
	environ []string
}

// account is what a person logs in with.
type account struct {
	id, email, password string
	role                string
}

// newInstallation makes an empty installation of an engine. environ adds to
// its configuration.
func newInstallation(t *testing.T, engine string, environ ...string) *installation {
	t.Helper()
	dir := t.TempDir()
	in := &installation{
		engine: engine, dir: dir, clock: &clock{}, log: &buffer{}, secrets: &secrets{},
		admin: account{email: "admin@kgl.test", password: newPassword(), role: "admin"},
	}
	in.secrets.add(in.admin.password)
	in.environ = append([]string{
		"KGL_DATABASE_URL=" + in.newDatabaseURL(t), "KGL_DATA_DIR=" + dir,
		"KGL_MASTER_KEY=" + in.secrets.add(base64.StdEncoding.EncodeToString(randomBytes(32))),
		"KGL_ADDR=127.0.0.1:0", "KGL_ADMIN_EMAIL=" + in.admin.email, "KGL_ADMIN_PASSWORD=" + in.admin.password,
		"KGL_SEED_OPML=none", "KGL_ALLOWED_NETWORKS=127.0.0.0/8", "KGL_HOST_DELAY=0s", "KGL_FETCH_TIMEOUT=5s",
		// Each caller of the tests has an address of its own, so that they do
		// not throttle each other.
		"KGL_TRUSTED_PROXIES=127.0.0.0/8", "KGL_PUBLIC_URL=http://kgl.test",
		"KGL_EXTRACTOR=mock",
	}, environ...)
	return in
}

func (in *installation) newDatabaseURL(t *testing.T) string {
	t.Helper()
	if in.engine == "sqlite" {
		return "sqlite:///" + in.databaseFile()
	}
	return migrated.NewDatabase(t)
}

// databaseFile is the path of the database, on SQLite.
func (in *installation) databaseFile() string { return filepath.Join(in.dir, "kgl.db") }

// setting returns a variable of the installation.
func (in *installation) setting(name string) string {
	for i := len(in.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(in.environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	rand.Read(data)
	return data
}

// newPassword returns a password that is hard to guess.
func newPassword() string { return "Pw-" + rand.Text() }

// config returns the configuration, in which the last of several values counts,
// as it does for a process.
func (in *installation) config(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	values := map[string]string{}
	for _, pair := range slices.Concat(in.environ, environ) {
		name, _, _ := strings.Cut(pair, "=")
		values[name] = pair
	}
	cfg, err := config.Load(slices.Collect(maps.Values(values)))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// env is the environment that cmd/kgl gives the application, but for the clock
// and the log.
func (in *installation) env() app.Env {
	return app.Env{
		Clock: in.clock, Random: rand.Reader, Jitter: mathrand.Float64, Version: "e2e",
		Log:     telemetry.NewLogger(in.log, telemetry.LogOptions{Level: slog.LevelDebug}),
		OwnTime: true, // tests move the clock
	}
}

// open opens the application beside its servers, as the operator's commands do.
func (in *installation) open(t *testing.T) *app.App {
	t.Helper()
	a, err := app.Open(t.Context(), in.config(t), in.env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// backend is one running server.
type backend struct {
	*installation
	url  string
	seen *coverage

	mu        sync.Mutex
	tokens    map[string]adminToken
	callers   atomic.Int64
	sampleURL []string
}

// start starts a server as `kgl serve` does, and stops it when the test ends.
func (in *installation) start(t *testing.T, environ ...string) *backend {
	t.Helper()
	return in.startIn(t, in.env(), environ...)
}

// startIn starts a server with a clock of its own choice.
func (in *installation) startIn(t *testing.T, env app.Env, environ ...string) *backend {
	t.Helper()
	cfg := in.config(t, environ...)
	b := &backend{installation: in, seen: newCoverage(), tokens: map[string]adminToken{}}
	ready, ended := make(chan app.Ready, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	options := app.ServeOptions{OnReady: func(r app.Ready) bool { ready <- r; return true }}
	go func() { ended <- app.Serve(ctx, cfg, env, options) }()
	select {
	case <-ready:
	case err := <-ended:
		stop()
		t.Fatalf("the server did not start: %v", err)
	case <-time.After(time.Minute):
		stop()
		t.Fatal("the server did not start within a minute")
	}
	if b.url = in.servedAt(); b.url == "" {
		t.Fatalf("the log does not say where the server is:\n%s", in.log)
	}
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server did not stop within 20 s")
		}
	})
	return b
}

// servedAt returns the address in the last line of the log that tells one.
func (in *installation) servedAt() string {
	const before = `"message":"serving","module_id":"backend","address":"`
	text := in.log.String()
	at := strings.LastIndex(text, before)
	if at < 0 {
		return ""
	}
	address, _, _ := strings.Cut(text[at+len(before):], `"`)
	return "http://" + address
}

// samples subscribes the feeds of the demo, and waits until they are fetched
// and enriched. It returns the ids of their sources.
func (b *backend) samples(t *testing.T) []string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sampleURL != nil {
		return b.sampleURL
	}
	server := httptest.NewUnstartedServer(nil)
	handler, err := demo.New("http://"+server.Listener.Addr().String(), kgl.ClockFunc(time.Now))
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	c := b.newCaller(t, b.adminTokenLocked(t))
	ids := make([]string, 0, 5)
	for _, f := range handler.Feeds() {
		ids = append(ids, c.createSource(t, f.URL).ID)
	}
	eventually(t, "the sample feeds are processed", func() string {
		d := c.dashboard(t)
		if d.Sources.Total < 5 || d.Content.Total < 100 || d.Content.New+d.Content.Processing > 0 {
			return fmt.Sprintf("%+v", d)
		}
		return ""
	})
	b.sampleURL = ids
	return ids
}

// eventually waits until probe returns nothing; what it returned last is why
// the test fails.
func eventually(t testing.TB, what string, probe func() string) {
	t.Helper()
	var missing string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if missing = probe(); missing == "" {
			return
		}
	}
	t.Fatalf("waited in vain until %s: %s", what, missing)
}

// emptyDatabase replaces the installation's database by one without a schema.
func (in *installation) emptyDatabase(t *testing.T) {
	t.Helper()
	if in.engine == "postgres" {
		in.environ = append(in.environ, "KGL_DATABASE_URL="+pgtest.NewDatabase(t))
	}
}
