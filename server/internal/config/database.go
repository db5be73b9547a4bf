package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

// Engine is a database engine.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// DatabaseURL says which database is used. Its text forms hide the password.
type DatabaseURL struct {
	engine Engine
	path   string // of the SQLite file
	url    string // of Postgres, with its password
}

// ParseDatabaseURL reads sqlite:///relative/path, sqlite:////absolute/path,
// postgres://... or postgresql://.... The error never repeats the text, which
// may hold a password.
func ParseDatabaseURL(text string) (DatabaseURL, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(text), "://")
	switch {
	case ok && scheme == "sqlite":
		return parseSQLite(rest)
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return parsePostgres("postgres://" + rest)
	default:
		return DatabaseURL{}, errors.New("must be sqlite:///relative/path, sqlite:////absolute/path or postgres://user:password@host:5432/database")
	}
}

func parseSQLite(rest string) (DatabaseURL, error) {
	escaped, ok := strings.CutPrefix(rest, "/")
	switch {
	case strings.Contains(rest, ":memory:"):
		return DatabaseURL{}, errors.New("a database in memory is lost at every stop: give the path of a file")
	case !ok:
		return DatabaseURL{}, errors.New("sqlite:// takes three slashes and a relative path, or four and an absolute one")
	case strings.ContainsAny(escaped, "?#"):
		return DatabaseURL{}, errors.New("a SQLite URL takes no parameters; write ? as %3F and # as %23")
	}
	path, err := url.PathUnescape(escaped)
	if err != nil || strings.ContainsRune(path, 0) {
		return DatabaseURL{}, errors.New("the path has a broken percent escape; write % as %25")
	}
	if path == "" || strings.HasSuffix(path, "/") {
		return DatabaseURL{}, errors.New("the path must name a file")
	}
	return DatabaseURL{engine: SQLite, path: filepath.Clean(filepath.FromSlash(path))}, nil
}

func parsePostgres(text string) (DatabaseURL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // the library's error repeats the password
		return DatabaseURL{}, errors.New("is not a URL; percent-encode what is special in the password, such as @ as %40")
	case u.Host == "" && u.Query().Get("host") == "":
		return DatabaseURL{}, errors.New("names no host")
	case strings.Trim(u.Path, "/") == "":
		return DatabaseURL{}, errors.New("names no database: put /name behind the host")
	}
	return DatabaseURL{engine: Postgres, url: text}, nil
}

// Engine returns the engine, empty for the zero value.
func (d DatabaseURL) Engine() Engine { return d.engine }

// Path returns the path of the SQLite file, empty on Postgres.
func (d DatabaseURL) Path() string { return d.path }

// PostgresURL returns the URL with its password, empty on SQLite.
func (d DatabaseURL) PostgresURL() string { return d.url }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *DatabaseURL) UnmarshalText(text []byte) error {
	parsed, err := ParseDatabaseURL(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// String returns the URL with the password redacted.
func (d DatabaseURL) String() string {
	switch d.engine {
	case SQLite:
		return "sqlite:///" + filepath.ToSlash(d.path)
	case Postgres:
		u, err := url.Parse(d.url)
		if err != nil {
			return "postgres://" + redacted
		}
		query := u.Query()
		for _, name := range []string{"password", "sslpassword"} { // the driver takes them as parameters too
			if query.Has(name) {
				query.Set(name, "xxxxx")
			}
		}
		u.RawQuery = query.Encode()
		return u.Redacted()
	default:
		return ""
	}
}

// GoString implements fmt.GoStringer, so that %#v leaks nothing either.
func (d DatabaseURL) GoString() string { return "config.DatabaseURL(" + d.String() + ")" }
