package config

import (
	"net"
	"net/mail"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/auth"
)

// check tests what concerns ranges and more than one variable. It runs on
// values that each parsed.
func (c *Config) check() []Problem {
	var found []Problem
	report := func(variable, message string) {
		found = append(found, Problem{Variable: variable, Message: message})
	}
	c.checkHTTP(report)
	c.checkDatabase(report)
	c.checkAuth(report)
	c.checkIngest(report)
	c.checkEnrich(report)
	c.checkRetention(report)
	return found
}

type reporter func(variable, message string)

func (r reporter) duration(variable string, value, least, most time.Duration) {
	if value < least || value > most {
		r(variable, "must be between "+short(least)+" and "+short(most))
	}
}

func (r reporter) number(variable string, value, least, most int) {
	if value < least || value > most {
		r(variable, "must be between "+strconv.Itoa(least)+" and "+strconv.Itoa(most))
	}
}

// short writes 24h0m0s as 24h.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (c *Config) checkHTTP(report reporter) {
	_, port, err := net.SplitHostPort(c.HTTP.Addr)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		report("KGL_ADDR", "must be host:port, such as 127.0.0.1:8000, or :8000 for every interface")
	}
	if c.HTTP.MaxBody > 64<<20 {
		report("KGL_MAX_BODY", "must be at most 64MiB")
	}
	report.duration("KGL_STOP_TIMEOUT", c.HTTP.StopTimeout, time.Second, 10*time.Minute)
	if c.HTTP.DebugAddr != "" {
		if at, err := netip.ParseAddrPort(c.HTTP.DebugAddr); err != nil || !at.Addr().IsLoopback() {
			report("KGL_DEBUG_ADDR", "must be a loopback address with a port, such as 127.0.0.1:8009: profiles are for this machine only")
		}
	}
}

func (c *Config) checkDatabase(report reporter) {
	report.number("KGL_DB_MAX_CONNS", c.Database.MaxConns, 2, 1000)
	if c.Database.URL.Engine() == Postgres && !c.Auth.MasterKey.IsSet() {
		report("KGL_MASTER_KEY", "is needed with Postgres, where it encrypts the signing keys that all replicas share. "+
			"Make one with `openssl rand -base64 32`, keep it in a file that only the server can read, and set KGL_MASTER_KEY_FILE to its path")
	}
}

func (c *Config) checkAuth(report reporter) {
	if c.Auth.MasterKey.IsSet() {
		if _, err := auth.ParseMasterKey(c.Auth.MasterKey.Reveal()); err != nil {
			report("KGL_MASTER_KEY", err.Error())
		}
	}
	if a, err := mail.ParseAddress(c.Auth.AdminEmail); err != nil || a.Address != c.Auth.AdminEmail {
		report("KGL_ADMIN_EMAIL", "must be an email address, such as admin@example.org")
	}
	// A retired signing key verifies for 20 minutes, which must outlast its tokens.
	report.duration("KGL_ACCESS_TOKEN_TTL", c.Auth.AccessTokenTTL, time.Minute, 15*time.Minute)
	report.duration("KGL_REFRESH_TOKEN_TTL", c.Auth.RefreshTokenTTL, time.Hour, 90*24*time.Hour)
}

func (c *Config) checkIngest(report reporter) {
	report.number("KGL_WORKERS", c.Ingest.Workers, 1, 256)
	report.duration("KGL_FETCH_INTERVAL", c.Ingest.FetchInterval, time.Minute, 30*24*time.Hour)
	report.duration("KGL_FETCH_INTERVAL_MIN", c.Ingest.FetchMin, time.Minute, 30*24*time.Hour)
	report.duration("KGL_FETCH_INTERVAL_MAX", c.Ingest.FetchMax, time.Minute, 30*24*time.Hour)
	if c.Ingest.FetchMin > c.Ingest.FetchMax {
		report("KGL_FETCH_INTERVAL_MIN", "must not be above KGL_FETCH_INTERVAL_MAX")
	}
	if r := c.Ingest.DomainRate; r != 0 && !(r >= 0.001 && r <= 1000) {
		report("KGL_DOMAIN_RATE", "must be between 0.001 and 1000 requests a second, or 0 for no limit")
	}
	report.number("KGL_DOMAIN_BURST", c.Ingest.DomainBurst, 1, 1000)
	report.duration("KGL_HOST_DELAY", c.Ingest.HostDelay, 0, 10*time.Minute)
	report.duration("KGL_FETCH_TIMEOUT", c.Ingest.FetchTimeout, time.Second, 5*time.Minute)
	if c.Ingest.FetchMaxBody > 256<<20 {
		report("KGL_FETCH_MAX_BODY", "must be at most 256MiB")
	}
	if strings.ContainsFunc(c.Ingest.Contact, func(r rune) bool { return r < ' ' || r > '~' || r == '(' || r == ')' }) {
		report("KGL_CONTACT", "must be a URL or an email address, in plain ASCII: it stands in the User-Agent of every fetch")
	}
	if path := c.Ingest.SeedOPML; path != "" && path != SeedNone {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			report("KGL_SEED_OPML", "must be the path of an OPML file that exists, or none")
		}
	}
}

func (c *Config) checkRetention(report reporter) {
	const longest = 100 * 365 * 24 * time.Hour
	report.number("KGL_RETENTION_MAX_ITEMS", c.Keep.MaxItems, 0, 1_000_000)
	if c.Keep.MaxAge != 0 {
		report.duration("KGL_RETENTION_MAX_AGE", c.Keep.MaxAge, 24*time.Hour, longest)
	}
	report.number("KGL_RETENTION_REVISIONS", c.Keep.Revisions, 1, 1000)
	if c.Keep.Events != 0 {
		report.duration("KGL_RETENTION_EVENTS", c.Keep.Events, 24*time.Hour, longest)
	}
	report.number("KGL_FETCH_HISTORY", c.Keep.Fetches, 1, 10_000)
}
