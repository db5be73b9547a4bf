package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	testKey      = "q83vEjRWeJq83vEjRWeJAZCrze8SNFZ4mrze8SNFZ4k="
	testPassword = "s3cr3t-hunter2"
)

func load(t *testing.T, environ ...string) *Config {
	t.Helper()
	cfg, err := Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDefaults(t *testing.T) {
	cfg := load(t, "PATH=/bin", "KGL_ADDR=")
	if cfg.HTTP.Addr != "127.0.0.1:8000" || cfg.Auth.AccessTokenTTL != 15*time.Minute || cfg.Auth.RefreshTokenTTL != 7*24*time.Hour {
		t.Errorf("defaults: %+v", cfg)
	}
	if got := cfg.Database.URL.Path(); got != filepath.Join("data", "kgl.db") {
		t.Errorf("path = %q", got)
	}
	if cfg.DataDir() != "data" || !cfg.MigrateOnStart() || cfg.PublicURL() != "http://127.0.0.1:8000" || cfg.Issuer() != "kgl-backend" {
		t.Errorf("derived: %q %v %q %q", cfg.DataDir(), cfg.MigrateOnStart(), cfg.PublicURL(), cfg.Issuer())
	}
	for _, role := range []Role{RoleAPI, RoleIngest, RoleEnrich, RoleDeliver} {
		if !cfg.HTTP.Roles.Has(role) {
			t.Errorf("role %s is not on by default", role)
		}
	}
	if len(cfg.Warnings()) != 0 {
		t.Errorf("warnings: %v", cfg.Warnings())
	}
}

func TestValues(t *testing.T) {
	cfg := load(t,
		"KGL_ADDR=:9000", "KGL_DATABASE_URL=postgresql://u:p%40ss@db/kgl", "KGL_MASTER_KEY="+testKey,
		"KGL_ALLOWED_NETWORKS=127.0.0.0/8, ::1", "KGL_ALLOWED_PORTS=80, 8080", "KGL_LOG_LEVEL=DEBUG",
		"KGL_ROLES=ingest,enrich,ingest", "KGL_FETCH_MAX_BODY=2 MiB", "KGL_CORS_ORIGINS=https://App.Example",
		"KGL_PUBLIC_URL=https://kgl.example/", "KGL_SEED_OPML=none",
		"KGL_EXTRACTOR=Push", "KGL_AI_URL=http://ai:8001/", "KGL_AI_TOKEN="+testPassword)
	checks := map[string]bool{
		"postgres URL":  cfg.Database.URL.PostgresURL() == "postgres://u:p%40ss@db/kgl",
		"no migration":  !cfg.MigrateOnStart(),
		"data folder":   cfg.DataDir() == "data",
		"networks":      cfg.Ingest.AllowedNetworks.String() == "127.0.0.0/8,::1/128",
		"ports":         slices.Equal(cfg.Ingest.AllowedPorts, Ports{80, 8080}),
		"level":         cfg.Log.Level.Level == slog.LevelDebug,
		"roles":         cfg.HTTP.Roles.String() == "ingest,enrich" && !cfg.HTTP.Roles.Has(RoleAPI),
		"size":          cfg.Ingest.FetchMaxBody == 2<<20,
		"origins":       cfg.HTTP.CORSOrigins.String() == "https://app.example",
		"public URL":    cfg.PublicURL() == "https://kgl.example" && cfg.Issuer() == "https://kgl.example",
		"seed":          cfg.Ingest.SeedOPML == SeedNone,
		"every address": load(t, "KGL_ADDR=0.0.0.0:1").PublicURL() == "http://localhost:1",
		"AI module":     cfg.Enrich.Extractor == ExtractorPush && cfg.Enrich.AIURL == "http://ai:8001" && cfg.Enrich.AIToken.Reveal() == testPassword,
		"migration":     !load(t, "KGL_MIGRATE_ON_START=false").MigrateOnStart(),
	}
	for name, ok := range checks {
		if !ok {
			t.Errorf("%s: %+v", name, cfg)
		}
	}
}

// TestOneErrorNamesEveryVariable sets a wrong value in each variable that can
// be wrong, and expects one error that names them all and repeats no secret.
func TestOneErrorNamesEveryVariable(t *testing.T) {
	wrong := map[string]string{
		"KGL_ADDR": "8000", "KGL_ROLES": "api,cook", "KGL_PUBLIC_URL": "kgl.example", "KGL_CORS_ORIGINS": "*",
		"KGL_TRUSTED_PROXIES": "10.1.0.0/8", "KGL_MAX_BODY": "1GiB", "KGL_STOP_TIMEOUT": "-1s", "KGL_DEBUG_ADDR": "0.0.0.0:8009",
		"KGL_DB_MAX_CONNS": "1", "KGL_MASTER_KEY": testPassword, "KGL_ADMIN_EMAIL": "A <a@b.example>",
		"KGL_ACCESS_TOKEN_TTL": "1h", "KGL_REFRESH_TOKEN_TTL": "1m", "KGL_SEED_OPML": "/no/such/file.opml", "KGL_WORKERS": "0",
		"KGL_FETCH_INTERVAL": "1s", "KGL_FETCH_INTERVAL_MIN": "1s", "KGL_FETCH_INTERVAL_MAX": "1000h",
		"KGL_DOMAIN_RATE": "-1", "KGL_DOMAIN_BURST": "0", "KGL_HOST_DELAY": "-1s", "KGL_FETCH_TIMEOUT": "1h", "KGL_FETCH_MAX_BODY": "1GiB", "KGL_CONTACT": "a\r\nb",
		"KGL_RETENTION_MAX_ITEMS": "-1", "KGL_RETENTION_MAX_AGE": "1h", "KGL_RETENTION_REVISIONS": "0", "KGL_RETENTION_EVENTS": "1h", "KGL_FETCH_HISTORY": "0",
		"KGL_AI_TIMEOUT": "1ms", "KGL_AI_CONCURRENCY": "0",
	}
	unparsable := map[string]string{
		"KGL_ROLES": "cook", "KGL_PUBLIC_URL": "ftp://x", "KGL_CORS_ORIGINS": "http://a/b", "KGL_TRUSTED_PROXIES": "x",
		"KGL_MAX_BODY": "1MB", "KGL_STOP_TIMEOUT": "x", "KGL_DATABASE_URL": "mysql://u:" + testPassword + "@h/d",
		"KGL_DB_MAX_CONNS": "ten", "KGL_MIGRATE_ON_START": "maybe", "KGL_ACCESS_TOKEN_TTL": "x", "KGL_REFRESH_TOKEN_TTL": "x",
		"KGL_WORKERS": "1.5", "KGL_FETCH_INTERVAL": "hourly", "KGL_FETCH_INTERVAL_MIN": "x", "KGL_FETCH_INTERVAL_MAX": "x",
		"KGL_DOMAIN_RATE": "fast", "KGL_DOMAIN_BURST": "1.5", "KGL_FETCH_TIMEOUT": "x", "KGL_FETCH_MAX_BODY": "-1",
		"KGL_ALLOWED_NETWORKS": "everything", "KGL_ALLOWED_PORTS": "0", "KGL_HOST_DELAY": "x", "KGL_LOG_LEVEL": "loud", "KGL_LOG_FORMAT": "xml",
		"KGL_RETENTION_MAX_ITEMS": "many", "KGL_RETENTION_MAX_AGE": "x", "KGL_RETENTION_REVISIONS": "x", "KGL_RETENTION_EVENTS": "x", "KGL_FETCH_HISTORY": "x",
		"KGL_EXTRACTOR": "oracle", "KGL_AI_URL": "localhost:8001", "KGL_AI_TIMEOUT": "x", "KGL_AI_CONCURRENCY": "x",
	}
	// The first set is reported by several parsers too, so drop what does not parse.
	for _, name := range []string{"KGL_ROLES", "KGL_PUBLIC_URL", "KGL_CORS_ORIGINS", "KGL_TRUSTED_PROXIES"} {
		delete(wrong, name)
	}
	for title, set := range map[string]map[string]string{"out of range": wrong, "unparsable": unparsable} {
		t.Run(title, func(t *testing.T) {
			var environ []string
			for name, value := range set {
				environ = append(environ, name+"="+value)
			}
			_, err := Load(environ)
			problem, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("err = %v", err)
			}
			var named []string
			for _, p := range problem.Problems {
				named = append(named, p.Variable)
			}
			for name := range set {
				if !slices.Contains(named, name) {
					t.Errorf("%s is not named", name)
				}
			}
			if len(named) != len(set) {
				t.Errorf("named %v", named)
			}
			if strings.Contains(err.Error(), testPassword) {
				t.Errorf("a secret is shown: %v", err)
			}
			for _, inside := range []string{"strconv", "Unmarshal", "parse error", "field"} {
				if strings.Contains(err.Error(), inside) {
					t.Errorf("the error speaks of the inside (%s): %v", inside, err)
				}
			}
		})
	}
}

func TestPostgresNeedsMasterKey(t *testing.T) {
	_, err := Load([]string{"KGL_DATABASE_URL=postgres://u:" + testPassword + "@h/d"})
	if err == nil || !strings.Contains(err.Error(), "KGL_MASTER_KEY") || !strings.Contains(err.Error(), "openssl rand") {
		t.Fatalf("err = %v", err)
	}
}

func TestDatabaseURL(t *testing.T) {
	for text, want := range map[string]string{
		"sqlite:///data/kgl.db":       filepath.FromSlash("data/kgl.db"),
		"sqlite:////var/lib/kgl.db":   filepath.FromSlash("/var/lib/kgl.db"),
		"sqlite:///a%20b/50%25%3F.db": filepath.FromSlash("a b/50%?.db"),
		"sqlite:///./x/../kgl.db":     "kgl.db",
	} {
		got, err := ParseDatabaseURL(text)
		if err != nil || got.Path() != want || got.Engine() != SQLite || got.PostgresURL() != "" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "kgl.db", "sqlite:kgl.db", "sqlite://kgl.db", "sqlite://host/kgl.db", "sqlite:///", "sqlite:////", "sqlite:///data/",
		"sqlite:///x.db?mode=ro", "sqlite:///%zz", "sqlite:///a%00b", "sqlite:///:memory:", "sqlite://:memory:",
		"mysql://h/d", "postgres://h", "postgres:///d", "postgres://u:" + testPassword + "%zz@h/d",
	} {
		if got, err := ParseDatabaseURL(text); err == nil {
			t.Errorf("%s gave %+v", text, got)
		} else if strings.Contains(err.Error(), testPassword) {
			t.Errorf("a secret is shown: %v", err)
		}
	}
	if _, err := ParseDatabaseURL("postgres:///d?host=/run/postgresql"); err != nil {
		t.Errorf("a socket: %v", err)
	}
}

// TestNothingShowsASecret prints a configuration full of secrets in every way
// that a careless line of code might.
func TestNothingShowsASecret(t *testing.T) {
	cfg := load(t, "KGL_MASTER_KEY="+testKey, "KGL_ADMIN_PASSWORD="+testPassword,
		"KGL_DATABASE_URL=postgres://u:"+testPassword+"@h/d?sslmode=disable&sslpassword="+testPassword)
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "auth", cfg.Auth, "db", cfg.Database, "secret", cfg.Auth.MasterKey, "url", cfg.Database.URL)
	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{
		fmt.Sprintf("%v %+v", cfg.Auth, cfg.Database), fmt.Sprintf("%#v", cfg.Auth), fmt.Sprintf("%#v", cfg.Database.URL),
		fmt.Sprint(cfg.Describe()), logged.String(), string(encoded),
	}
	for _, text := range shown {
		if strings.Contains(text, testPassword) || strings.Contains(text, testKey) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
	i := slices.IndexFunc(cfg.Describe(), func(s Setting) bool { return s.Name == "KGL_MASTER_KEY" })
	if got := cfg.Describe()[i]; got.Value != redacted || got.Origin != "environment" {
		t.Errorf("setting = %+v", got)
	}
	if cfg.Auth.AdminPassword.Reveal() != testPassword {
		t.Error("the secret is lost")
	}
}

func TestSecretFiles(t *testing.T) {
	file := func(content string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private := file(testPassword+"\r\n", 0o640)
	for _, tt := range []struct {
		name    string
		environ []string
		warning string
		fault   string
	}{
		{"private", []string{"KGL_ADMIN_PASSWORD_FILE=" + private}, "", ""},
		{"readable by the world", []string{"KGL_ADMIN_PASSWORD_FILE=" + file(testPassword, 0o644)}, "can be read by every user", ""},
		{"mounted by a container engine", []string{"KGL_ADMIN_PASSWORD_FILE=" + file(testPassword, 0o444)}, "can be read by every user", ""},
		{"writable by the world", []string{"KGL_ADMIN_PASSWORD_FILE=" + file(testPassword, 0o602)}, "", "can be changed by every user"},
		{"missing", []string{"KGL_ADMIN_PASSWORD_FILE=/no/such/file"}, "", "cannot read"},
		{"empty", []string{"KGL_ADMIN_PASSWORD_FILE=" + file("\n", 0o600)}, "", "is empty"},
		{"folder", []string{"KGL_ADMIN_PASSWORD_FILE=" + t.TempDir()}, "", "is not a file"},
		{"huge", []string{"KGL_ADMIN_PASSWORD_FILE=" + file(strings.Repeat("x", maxSecretFile+1), 0o600)}, "", "too large"},
		{"both", []string{"KGL_ADMIN_PASSWORD=x", "KGL_ADMIN_PASSWORD_FILE=" + private}, "", "not both"},
		{"no secret", []string{"KGL_ADDR_FILE=" + private}, "KGL_ADDR_FILE: there is no such variable", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(tt.environ)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) || !strings.Contains(err.Error(), "KGL_ADMIN_PASSWORD_FILE") {
					t.Fatalf("err = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(cfg.Warnings(), "\n"); (tt.warning == "") != (got == "") || !strings.Contains(got, tt.warning) {
				t.Errorf("warnings = %q", got)
			}
			if tt.name == "private" && cfg.Auth.AdminPassword.Reveal() != testPassword {
				t.Errorf("password = %q", cfg.Auth.AdminPassword.Reveal())
			}
		})
	}
}

func TestUnknownVariablesAreWarnedAbout(t *testing.T) {
	cfg := load(t, "KGL_LOGLEVEL=debug", "KGL_SOMETHING_ELSE=1", "KGL_TEST_POSTGRES_URL=x", "OTHER=1")
	want := []string{
		"KGL_LOGLEVEL: there is no such variable, did you mean KGL_LOG_LEVEL?",
		"KGL_SOMETHING_ELSE: there is no such variable",
	}
	if !slices.Equal(cfg.Warnings(), want) {
		t.Errorf("warnings = %q", cfg.Warnings())
	}
}

var exampleLine = regexp.MustCompile(`(?m)^#(KGL_[A-Z0-9_]+)=(.*)$`)

// TestExampleEqualsStructure holds .env.example and the structure equal: the
// same variables in the same order with the same defaults, secrets marked.
func TestExampleEqualsStructure(t *testing.T) {
	text, err := os.ReadFile("../../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	var documented, declared []string
	for _, match := range exampleLine.FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, match[1]+"="+match[2])
	}
	for _, f := range fieldsOf(reflect.ValueOf(&Config{}).Elem()) {
		declared = append(declared, f.name+"="+f.def)
		before, _, _ := strings.Cut(string(text), "\n#"+f.name+"=")
		comment := before[strings.LastIndex(before, "\n\n")+1:]
		if f.secret && !strings.Contains(comment, "(secret)") {
			t.Errorf("%s is not marked as a secret", f.name)
		}
	}
	if !slices.Equal(documented, declared) {
		t.Errorf(".env.example and the structure differ:\n%q\n%q", documented, declared)
	}
}

// TestFieldNamesAreUnique holds what the mapping of the library's errors to
// variables relies on.
func TestFieldNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, f := range fieldsOf(reflect.ValueOf(&Config{}).Elem()) {
		if f.name == "" || seen[f.goName] != "" {
			t.Errorf("%s (%s) and %s share a field name", f.name, f.goName, seen[f.goName])
		}
		seen[f.goName] = f.name
	}
}

func TestMigrateOnStartInOtherWords(t *testing.T) {
	for text, want := range map[string]bool{"true": true, "yes": true, "ON": true, "1": true, "false": false, "no": false, "off": false, "0": false} {
		cfg, err := Load([]string{"KGL_MIGRATE_ON_START=" + text})
		if err != nil || cfg.MigrateOnStart() != want {
			t.Errorf("%q: %v, want %t", text, err, want)
		}
	}
	if _, err := Load([]string{"KGL_MIGRATE_ON_START=perhaps"}); err == nil {
		t.Error("a word that means nothing is taken")
	}
}
