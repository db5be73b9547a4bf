// Package pgtest gives tests real PostgreSQL databases (15 or newer).
//
// The server is, in this order: the one that KGL_TEST_POSTGRES_URL names; a
// temporary cluster made with binaries found on this machine; a Docker
// container. A test never skips for want of a server: it fails and says what to
// install. One server serves a whole test binary, and the program in cmd/withpg
// shares one among all the binaries of a `go test` run. A temporary server ends
// with the process that started it, however that process ends.
//
// The package is for tests only, which is why it may use the system's clock and
// random source.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvURL names the environment variable that holds the URL of a server to use
// instead of starting one. Its user must be allowed to create databases.
const EnvURL = "KGL_TEST_POSTGRES_URL"

// MinMajor is the oldest major version that the project supports.
const MinMajor = 15

// prefix starts the name of every database that the package makes, followed by
// the Unix second at which the process made its first one.
const prefix = "kgl_test_"

// staleAfter is the age at which a database that an aborted run left on a
// lasting server is removed.
const staleAfter = 6 * time.Hour

// What all tests of a binary share. The function keeps the cluster reachable:
// the garbage collector would close its pipe, and so end it.
var (
	shared     = sync.OnceValues(findServer)
	namePrefix = fmt.Sprintf("%s%d_%s_", prefix, time.Now().Unix(), strings.ToLower(rand.Text()[:8]))
	nameCount  atomic.Int64
)

// findServer returns the server that the environment names, or a new one, which
// nobody stops: it ends with the process (see guardScript).
func findServer() (*Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if named := os.Getenv(EnvURL); named != "" {
		return &Cluster{url: named}, prepare(ctx, named)
	}
	cluster, err := Start(ctx)
	if err != nil {
		return nil, err
	}
	return cluster, prepare(ctx, cluster.url)
}

// URL returns the URL of the server's maintenance database. Use it to reach the
// server as its operator would; NewDatabase is for everything else.
func URL(t testing.TB) string {
	t.Helper()
	cluster, err := shared()
	if err != nil {
		t.Fatalf("PostgreSQL for the tests: %v", err)
	}
	return cluster.url
}

// NewDatabase returns the URL of a new, empty database, which is dropped with
// all its connections when the test ends.
func NewDatabase(t testing.TB) string {
	t.Helper()
	return create(t, "")
}

// Template makes databases that are all migrated alike. It migrates one
// database when first used and copies that, which is many times faster. Declare
// one per test package:
//
//	var template = pgtest.NewTemplate(migrate)
type Template struct {
	name func() (string, error)
}

// NewTemplate returns a Template. migrate is called at most once, with the URL
// of an empty database; it must close its connections before it returns.
func NewTemplate(migrate func(ctx context.Context, databaseURL string) error) *Template {
	return &Template{name: sync.OnceValues(func() (string, error) {
		cluster, err := shared()
		if err != nil {
			return "", err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		name := nextName()
		if err := execute(ctx, cluster.url, "CREATE DATABASE "+quote(name)); err != nil {
			return "", err
		}
		databaseURL, err := withDatabase(cluster.url, name)
		if err != nil {
			return "", err
		}
		if err := migrate(ctx, databaseURL); err != nil {
			return "", fmt.Errorf("migrate the template database: %w", err)
		}
		return name, nil
	})}
}

// NewDatabase returns the URL of a new copy of the template, which is dropped
// with all its connections when the test ends.
func (tm *Template) NewDatabase(t testing.TB) string {
	t.Helper()
	name, err := tm.name()
	if err != nil {
		t.Fatalf("PostgreSQL for the tests: %v", err)
	}
	return create(t, name)
}

// create makes a database, as a copy of template unless that is empty.
func create(t testing.TB, template string) string {
	t.Helper()
	maintenanceURL := URL(t)
	name := nextName()
	// Copying files is faster than the default, which writes every page to the log.
	statement := "CREATE DATABASE " + quote(name)
	if template != "" {
		statement += " TEMPLATE " + quote(template) + " STRATEGY file_copy"
	}
	// Not the test's context: that one is cancelled before the clean-up runs.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := execute(ctx, maintenanceURL, statement); err != nil {
		t.Fatalf("PostgreSQL for the tests: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := execute(ctx, maintenanceURL, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
			t.Errorf("PostgreSQL for the tests: %v", err)
		}
	})
	databaseURL, err := withDatabase(maintenanceURL, name)
	if err != nil {
		t.Fatalf("PostgreSQL for the tests: %v", err)
	}
	return databaseURL
}

// prepare checks the server's version and removes what aborted runs left there.
func prepare(ctx context.Context, maintenanceURL string) error {
	conn, err := pgx.Connect(ctx, maintenanceURL)
	if err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	defer conn.Close(ctx)
	var version string
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')").Scan(&version); err != nil {
		return fmt.Errorf("read the server's version: %w", err)
	}
	if len(version) < 6 || version < fmt.Sprintf("%d0000", MinMajor) {
		return fmt.Errorf("the server has version number %s: PostgreSQL %d or newer is needed", version, MinMajor)
	}
	rows, err := conn.Query(ctx, `SELECT datname FROM pg_database
		WHERE starts_with(datname, $1) AND split_part(datname, '_', 3) ~ '^[0-9]+$'
		AND split_part(datname, '_', 3)::bigint < $2`, prefix, time.Now().Add(-staleAfter).Unix())
	if err != nil {
		return fmt.Errorf("list stale databases: %w", err)
	}
	stale, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list stale databases: %w", err)
	}
	for _, name := range stale {
		// Another process may be removing it too: what stays is met again.
		_, _ = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name))
	}
	return nil
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, databaseURL, statement string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("connect to the server: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func nextName() string { return fmt.Sprintf("%s%d", namePrefix, nameCount.Add(1)) }

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// withDatabase returns the URL of another database of the same server.
func withDatabase(maintenanceURL, name string) (string, error) {
	u, err := url.Parse(maintenanceURL)
	if err != nil {
		return "", fmt.Errorf("%s is not a URL such as postgres://user:password@host:5432/postgres", EnvURL)
	}
	u.Path = "/" + name
	return u.String(), nil
}
