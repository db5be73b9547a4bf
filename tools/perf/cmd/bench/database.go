package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "github.com/mattn/go-sqlite3"    // the driver "sqlite3"
)

// findPostmaster returns the process id of the server: the parent of the
// process that serves a connection.
func findPostmaster(ctx context.Context, server string) (int, error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return 0, fmt.Errorf("connect to the Postgres server: %w", err)
	}
	defer conn.Close(ctx)
	var backend int
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return 0, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", backend))
	if err != nil {
		return 0, errors.New("the Postgres server does not run on this machine: its CPU time cannot be counted")
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 || !strings.Contains(string(stat), "(postgres)") {
		return 0, errors.New("the Postgres server does not run on this machine: its CPU time cannot be counted")
	}
	return strconv.Atoi(fields[1])
}

// postgresPID is the process whose CPU time counts beside the service's: 0 on
// SQLite, which has none.
func (b *bench) postgresPID(engine string) int {
	if engine == "postgres" {
		return b.postmaster
	}
	return 0
}

// admin runs a statement on the server's maintenance database.
func (b *bench) admin(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, b.postgres)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// database returns the URL of an empty database.
func (b *bench) database(ctx context.Context, engine, name string) (string, error) {
	if engine == "sqlite" {
		dir := filepath.Join(b.work, name)
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
			return "", err
		}
		return "sqlite:///" + filepath.Join(dir, "kgl.db"), nil
	}
	name = "kgl_bench_" + strings.ReplaceAll(name, "-", "_")
	quoted := pgx.Identifier{name}.Sanitize()
	if err := errors.Join(b.admin(ctx, "DROP DATABASE IF EXISTS "+quoted+" WITH (FORCE)"), b.admin(ctx, "CREATE DATABASE "+quoted)); err != nil {
		return "", err
	}
	if !slices.Contains(b.made, name) {
		b.made = append(b.made, name)
	}
	return b.postgresURL(name)
}

func (b *bench) postgresURL(name string) (string, error) {
	u, err := url.Parse(b.postgres)
	if err != nil {
		return "", errors.New("-postgres is no URL")
	}
	u.Path = "/" + name
	return u.String(), nil
}

// filled returns the URL of a database with a number of items, which it fills
// unless an earlier part or run did.
func (b *bench) filled(ctx context.Context, engine string, items int) (string, error) {
	name := "filled_" + strconv.Itoa(items)
	databaseURL := "sqlite:///" + filepath.Join(b.reuse, name+".db")
	if engine == "postgres" {
		var err error
		if databaseURL, err = b.postgresURL("kgl_bench_" + name); err != nil {
			return "", err
		}
	}
	if n, err := count(ctx, databaseURL, "SELECT COUNT(*) FROM contents"); err == nil && n >= items {
		return databaseURL, b.settle(ctx, engine)
	}
	b.say("filling %s with %d items", engine, items)
	if engine == "postgres" {
		keep := !strings.HasPrefix(b.reuse, b.work)
		if _, err := b.database(ctx, engine, name); err != nil {
			return "", err
		}
		if keep {
			b.made = slices.DeleteFunc(b.made, func(made string) bool { return made == "kgl_bench_"+name })
		}
	} else {
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(strings.TrimPrefix(databaseURL, "sqlite:///") + end)
		}
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "filldb"), "-items", strconv.Itoa(items), "-until", "now")
	cmd.Env = append(os.Environ(), "KGL_DATABASE_URL="+databaseURL) // not in the arguments, which others can read
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("filldb: %w\n%s", err, out)
	}
	b.report.Fills = append(b.report.Fills, Fill{Engine: engine, Items: items, Seconds: time.Since(start).Seconds(), MB: b.size(ctx, databaseURL)})
	return databaseURL, b.settle(ctx, engine)
}

// settle has Postgres write what it holds back, which would be accounted to
// whatever is measured meanwhile.
func (b *bench) settle(ctx context.Context, engine string) error {
	if engine != "postgres" {
		return nil
	}
	return b.admin(ctx, "CHECKPOINT")
}

// size returns the size of a database, in millions of bytes.
func (b *bench) size(ctx context.Context, databaseURL string) float64 {
	if path, ok := strings.CutPrefix(databaseURL, "sqlite:///"); ok {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return float64(info.Size()) / 1e6
	}
	n, err := count(ctx, databaseURL, "SELECT pg_database_size(current_database())")
	if err != nil {
		return 0
	}
	return float64(n) / 1e6
}

// connect opens a database of either engine beside the service.
func connect(databaseURL string) (*sql.DB, error) {
	if path, ok := strings.CutPrefix(databaseURL, "sqlite:///"); ok {
		return sql.Open("sqlite3", "file:"+path+"?mode=rw&_busy_timeout=10000&_txlock=immediate")
	}
	return sql.Open("pgx", databaseURL)
}

// count runs a query that gives a number.
func count(ctx context.Context, databaseURL, query string) (n int, err error) {
	db, err := connect(databaseURL)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}
