package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	migrations "github.com/peermesh/kgl-backend/sql"
)

// A backup is one SQLite file: a copy of the database, page for page, with one
// more table, and behind the last page a line with the SHA-256 of all before
// it. SQLite does not look behind the last page, so every tool opens the file;
// the line is written last, so a file that has it is whole.

// backupFormat is the version of the file's form.
const backupFormat = 1

// backupTable holds the manifest and the files that belong to the database.
const (
	backupTable    = "kgl_backup"
	backupManifest = "manifest"
)

const createBackupTable = "CREATE TABLE " + backupTable + " (name TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL)"

// What stands behind the last page: the hash in hexadecimal between these.
const (
	trailerBegin = "\nkgl backup sha256 "
	trailerEnd   = "\n"
	trailerSize  = int64(len(trailerBegin) + 2*sha256.Size + len(trailerEnd))
)

// BackupInfo is what a backup says about itself.
type BackupInfo struct {
	Format    int              `json:"format"`
	Version   string           `json:"kgl_version"`    // of the program that wrote it
	Schema    int64            `json:"schema_version"` // of the database in it
	CreatedAt time.Time        `json:"created_at"`     // all that was stored before is in it
	Rows      map[string]int64 `json:"rows"`           // by table
	Files     []string         `json:"files"`          // names of the files that it holds beside the database, sorted

	Latest int64 `json:"-"` // version of the schema that this binary works with
}

// BackupProgress is told what a backup or a restoration does, and how many of
// how many bytes it has done; 0 of 0 where that is not known.
type BackupProgress func(stage string, done, total int64)

func (p BackupProgress) report(stage string, done, total int64) {
	if p != nil {
		p(stage, done, total)
	}
}

// counter reports each write.
type counter struct {
	progress BackupProgress
	stage    string
	done     int64
	total    int64
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	c.done += int64(len(p))
	c.progress.report(c.stage, c.done, c.total)
	return len(p), nil
}

// contextReader ends a long copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

var errNoBackup = errors.New("this is not a whole backup: it was not written by `kgl backup`, was cut off, or was changed since")

// copyBackup reads a backup to its end, writes the database in it to w, and
// checks the hash.
func copyBackup(ctx context.Context, w io.Writer, f *os.File, progress BackupProgress) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	trailer, err := readTrailer(f, info)
	if err != nil {
		return err
	}
	size := info.Size() - trailerSize
	sum := sha256.New()
	count := &counter{progress: progress, stage: "reading", total: size}
	from := contextReader{ctx, io.NewSectionReader(f, 0, size)}
	if _, err := io.Copy(io.MultiWriter(w, sum, count), from); err != nil {
		return err
	}
	if !bytes.Equal(trailer, trailerOf(sum)) {
		return errors.New("the backup is damaged: its bytes do not have the SHA-256 that was written with them")
	}
	return nil
}

// readTrailer returns what stands behind the last page of a backup.
func readTrailer(f *os.File, info os.FileInfo) ([]byte, error) {
	at := info.Size() - trailerSize
	if !info.Mode().IsRegular() || at <= 0 {
		return nil, errNoBackup
	}
	trailer := make([]byte, trailerSize)
	if _, err := f.ReadAt(trailer, at); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(trailer, []byte(trailerBegin)) {
		return nil, errNoBackup
	}
	return trailer, nil
}

// hasTrailer reports whether a file ends as a backup does.
func hasTrailer(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	_, err = readTrailer(f, info)
	return err == nil
}

func trailerOf(sum hash.Hash) []byte {
	return []byte(trailerBegin + hex.EncodeToString(sum.Sum(nil)) + trailerEnd)
}

// VerifyBackup reads a backup and returns what it says about itself, when all
// of it is as it was written, the database in it is sound, and this binary can
// work with it. It changes nothing.
func VerifyBackup(ctx context.Context, path string, progress BackupProgress) (BackupInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return BackupInfo{}, err
	}
	defer func() { _ = f.Close() }()
	if err := copyBackup(ctx, io.Discard, f, progress); err != nil {
		return BackupInfo{}, err
	}
	db := openPlain(path, url.Values{"mode": {"ro"}, "immutable": {"1"}})
	defer func() { _ = db.Close() }()
	info, _, err := examineBackup(ctx, db, progress)
	return info, err
}

// openPlain opens an SQLite file that nobody else uses, on one connection.
func openPlain(path string, params url.Values) *sql.DB {
	db := sql.OpenDB(sqliteConnector(path, params))
	db.SetMaxOpenConns(1)
	return db
}

// examineBackup checks the database of a backup against its manifest, and
// returns that with the files beside the database.
func examineBackup(ctx context.Context, db *sql.DB, progress BackupProgress) (BackupInfo, map[string][]byte, error) {
	info, files, err := readManifest(ctx, db)
	if err != nil {
		return info, nil, err
	}
	progress.report("checking", 0, 0)
	if err := checkSound(ctx, db); err != nil {
		return info, nil, err
	}
	status, err := schemaOf(ctx, db)
	if err == nil {
		err = status.obstacle()
	}
	if err != nil {
		return info, nil, err
	}
	info.Latest = status.Latest
	rows, err := countRows(ctx, db)
	if err != nil {
		return info, nil, err
	}
	if status.Version != info.Schema || !maps.Equal(rows, info.Rows) {
		return info, nil, errors.New("the database in the backup is not the one that its manifest describes")
	}
	return info, files, nil
}

func readManifest(ctx context.Context, db *sql.DB) (BackupInfo, map[string][]byte, error) {
	var info BackupInfo
	rs, err := db.QueryContext(ctx, "SELECT name, content FROM "+backupTable)
	if err != nil {
		return info, nil, fmt.Errorf("the backup has no manifest: %w", err)
	}
	defer func() { _ = rs.Close() }()
	files := map[string][]byte{}
	for rs.Next() {
		var name string
		var content []byte
		if err := rs.Scan(&name, &content); err != nil {
			return info, nil, err
		}
		files[name] = content
	}
	if err := rs.Err(); err != nil {
		return info, nil, err
	}
	if err := json.Unmarshal(files[backupManifest], &info); err != nil {
		return info, nil, fmt.Errorf("the backup's manifest cannot be read: %w", err)
	}
	if info.Format != backupFormat {
		return info, nil, fmt.Errorf("the backup has the form %d, and this binary knows form %d: use the kgl that wrote it (%s)", info.Format, backupFormat, info.Version)
	}
	delete(files, backupManifest)
	return info, files, nil
}

// checkSound runs SQLite's own checks: every page and index, and every
// reference between rows.
func checkSound(ctx context.Context, db *sql.DB) error {
	var result string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("the database is damaged: %w", err)
	}
	if result != "ok" {
		return fmt.Errorf("the database is damaged: %s", result)
	}
	var n int64
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("the database is damaged: %d rows refer to rows that do not exist", n)
	}
	return nil
}

// schemaOf reads the version of the schema of an open SQLite file, which must
// not be the target of an unfinished copy.
func schemaOf(ctx context.Context, db *sql.DB) (MigrationStatus, error) {
	m, err := newMigrator("", location{engine: SQLite}, migrations.SQLite, "sqlite/migrations")
	if err != nil {
		return MigrationStatus{}, err
	}
	if err := m.checkCopied(ctx, db); err != nil {
		return MigrationStatus{}, err
	}
	return m.status(ctx, db)
}

// countRows counts the rows of every table but SQLite's own and ours.
func countRows(ctx context.Context, db *sql.DB) (map[string]int64, error) {
	tables, err := tableNames(ctx, db)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, name := range tables {
		var n int64
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM "`+strings.ReplaceAll(name, `"`, `""`)+`"`).Scan(&n); err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", name, err)
		}
		counts[name] = n
	}
	return counts, nil
}

func tableNames(ctx context.Context, db *sql.DB) ([]string, error) {
	rs, err := db.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '"+backupTable+"'")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rs.Close() }()
	var names []string
	for rs.Next() {
		var name string
		if err := rs.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rs.Err()
}

// writeManifest adds the table of a backup to a copy of the database.
func writeManifest(ctx context.Context, db *sql.DB, info BackupInfo, files map[string][]byte) error {
	manifest, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS "+backupTable); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, createBackupTable); err != nil {
		return err
	}
	insert := "INSERT INTO " + backupTable + " (name, content) VALUES (?1, ?2)"
	if _, err := db.ExecContext(ctx, insert, backupManifest, manifest); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, err := db.ExecContext(ctx, insert, name, files[name]); err != nil {
			return err
		}
	}
	return nil
}
