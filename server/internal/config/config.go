// Package config reads the configuration of the server from the environment.
//
// Every variable starts with KGL_, is documented in .env.example, and is
// checked at start: Load returns one error that names all variables that are
// wrong. A secret can be given in a file instead, which the variable with _FILE
// behind its name points to; the value of a secret is never printed.
package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"
)

// Config is the whole configuration, checked. The tags name the variables;
// `secret:"true"` marks those that may be given as a file and are never shown.
type Config struct {
	HTTP     HTTP
	Database Database
	Auth     Auth
	Ingest   Ingest
	Enrich   Enrich
	Keep     Retention
	Log      Log

	settings []Setting
	warnings []string
}

// HTTP configures the API's listener.
type HTTP struct {
	Addr           string        `env:"KGL_ADDR" envDefault:"127.0.0.1:8000"`
	Roles          Roles         `env:"KGL_ROLES" envDefault:"api,ingest,enrich,deliver"`
	PublicURL      BaseURL       `env:"KGL_PUBLIC_URL"`
	CORSOrigins    Origins       `env:"KGL_CORS_ORIGINS" envDefault:"http://localhost:3000,http://127.0.0.1:3000"`
	TrustedProxies Networks      `env:"KGL_TRUSTED_PROXIES"`
	MaxBody        Size          `env:"KGL_MAX_BODY" envDefault:"1MiB"`
	StopTimeout    time.Duration `env:"KGL_STOP_TIMEOUT" envDefault:"8s"`
	DebugAddr      string        `env:"KGL_DEBUG_ADDR"`
}

// Database configures the store.
type Database struct {
	URL            DatabaseURL `env:"KGL_DATABASE_URL" envDefault:"sqlite:///data/kgl.db" secret:"true"`
	MaxConns       int         `env:"KGL_DB_MAX_CONNS" envDefault:"10"`
	MigrateOnStart Auto        `env:"KGL_MIGRATE_ON_START" envDefault:"auto"`
	DataDir        string      `env:"KGL_DATA_DIR"`
}

// Auth configures secrets, tokens and the first administrator.
type Auth struct {
	MasterKey       Secret        `env:"KGL_MASTER_KEY" secret:"true"`
	AdminEmail      string        `env:"KGL_ADMIN_EMAIL" envDefault:"admin@kgl.local"`
	AdminPassword   Secret        `env:"KGL_ADMIN_PASSWORD" secret:"true"`
	Issuer          string        `env:"KGL_ISSUER"`
	Audience        string        `env:"KGL_AUDIENCE" envDefault:"kgl"`
	AccessTokenTTL  time.Duration `env:"KGL_ACCESS_TOKEN_TTL" envDefault:"15m"`
	RefreshTokenTTL time.Duration `env:"KGL_REFRESH_TOKEN_TTL" envDefault:"168h"`
}

// Ingest configures the watching of sources and every request that leaves.
type Ingest struct {
	SeedOPML        string        `env:"KGL_SEED_OPML"`
	Workers         int           `env:"KGL_WORKERS" envDefault:"4"`
	FetchInterval   time.Duration `env:"KGL_FETCH_INTERVAL" envDefault:"1h"`
	FetchMin        time.Duration `env:"KGL_FETCH_INTERVAL_MIN" envDefault:"15m"`
	FetchMax        time.Duration `env:"KGL_FETCH_INTERVAL_MAX" envDefault:"24h"`
	HostDelay       time.Duration `env:"KGL_HOST_DELAY" envDefault:"1s"`
	DomainRate      float64       `env:"KGL_DOMAIN_RATE" envDefault:"1"` // requests a second; 0: no limit
	DomainBurst     int           `env:"KGL_DOMAIN_BURST" envDefault:"5"`
	FetchTimeout    time.Duration `env:"KGL_FETCH_TIMEOUT" envDefault:"30s"`
	FetchMaxBody    Size          `env:"KGL_FETCH_MAX_BODY" envDefault:"10MiB"`
	AllowedNetworks Networks      `env:"KGL_ALLOWED_NETWORKS"`
	AllowedPorts    Ports         `env:"KGL_ALLOWED_PORTS" envDefault:"80,443"`
	Contact         string        `env:"KGL_CONTACT"`
}

// Retention configures how much is kept of what was ingested.
type Retention struct {
	MaxItems  int           `env:"KGL_RETENTION_MAX_ITEMS" envDefault:"0"` // of a source; 0: all
	MaxAge    time.Duration `env:"KGL_RETENTION_MAX_AGE" envDefault:"0"`   // after publication; 0: for ever
	Revisions int           `env:"KGL_RETENTION_REVISIONS" envDefault:"20"`
	Events    time.Duration `env:"KGL_RETENTION_EVENTS" envDefault:"720h"` // 0: for ever
	Fetches   int           `env:"KGL_FETCH_HISTORY" envDefault:"100"`     // of a source
}

// SeedNone is the value of KGL_SEED_OPML that subscribes nothing.
const SeedNone = "none"

// Log configures the log, which goes to standard error.
type Log struct {
	Level  Level     `env:"KGL_LOG_LEVEL" envDefault:"info"`
	Format LogFormat `env:"KGL_LOG_FORMAT" envDefault:"auto"`
}

// Setting is one variable as the configuration sees it.
type Setting struct {
	Name   string // the variable, such as KGL_ADDR
	Value  string // its value; a secret only says whether it is set
	Origin string // "default", "environment", or the path of the file
}

// Describe returns every variable in the order of the structure, with secrets
// redacted. It is what `kgl config` prints.
func (c *Config) Describe() []Setting { return append([]Setting(nil), c.settings...) }

// Warnings returns what is odd and yet no reason to refuse the start, such as
// a variable that does not exist or a secret file that everybody can read.
func (c *Config) Warnings() []string { return append([]string(nil), c.warnings...) }

// MigrateOnStart reports whether `serve` migrates: as KGL_MIGRATE_ON_START
// says, else on SQLite only, where no other replica can be in the way.
func (c *Config) MigrateOnStart() bool {
	switch c.Database.MigrateOnStart {
	case Yes:
		return true
	case No:
		return false
	default:
		return c.Database.URL.Engine() == SQLite
	}
}

// DataDir returns the folder of files beside the database: signing keys on
// SQLite, and the first administrator's password.
func (c *Config) DataDir() string {
	switch {
	case c.Database.DataDir != "":
		return c.Database.DataDir
	case c.Database.URL.Engine() == SQLite:
		return filepath.Dir(c.Database.URL.Path())
	default:
		return "data"
	}
}

// PublicURL returns the address under which clients reach the server, without
// a slash at its end: KGL_PUBLIC_URL, else the address it listens on.
func (c *Config) PublicURL() string {
	if c.HTTP.PublicURL != "" {
		return string(c.HTTP.PublicURL)
	}
	host, port, err := net.SplitHostPort(c.HTTP.Addr)
	if err != nil {
		return "http://" + c.HTTP.Addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}).String()
}

// defaultIssuer is the `iss` of tokens where nothing says more. It is the same
// on all replicas of one database, which may listen on different addresses.
const defaultIssuer = "kgl-backend"

// Issuer returns the `iss` of tokens: KGL_ISSUER, else KGL_PUBLIC_URL, else a
// constant.
func (c *Config) Issuer() string {
	switch {
	case c.Auth.Issuer != "":
		return c.Auth.Issuer
	case c.HTTP.PublicURL != "":
		return string(c.HTTP.PublicURL)
	default:
		return defaultIssuer
	}
}

// Problem is one variable that is wrong.
type Problem struct {
	Variable string
	Message  string // never contains a secret
}

// Error lists every variable that is wrong.
type Error struct {
	Problems []Problem
}

// Error implements error, one line for each variable.
func (e *Error) Error() string {
	text := fmt.Sprintf("configuration: %d variables are wrong", len(e.Problems))
	if len(e.Problems) == 1 {
		text = "configuration: one variable is wrong"
	}
	for _, p := range e.Problems {
		text += "\n  " + p.Variable + ": " + p.Message
	}
	return text
}
