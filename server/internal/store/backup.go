package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ErrBackupEngine is returned for a database that is not SQLite.
var ErrBackupEngine = errors.New("only SQLite is backed up and restored by kgl itself")

// BackupOptions say what a backup holds and where it goes.
type BackupOptions struct {
	Target   string            // path of the file to write, in a folder that exists
	Force    bool              // replace a backup that is there; other files never are
	Version  string            // of the program
	Clock    kgl.Clock         // tells when the backup was made
	Files    map[string][]byte // what belongs to the database and is not in it, by name
	Progress BackupProgress    // nil for none
}

// backupStep is how many pages are copied between two looks at the context.
const backupStep = 1024

// Backup copies an SQLite database, as it is at one moment, into one file that
// only its owner can read. Servers may write all the while; it holds a snapshot
// and no lock, so that they wait for nothing and the copy never starts again.
// The file appears under its name when it is whole, checked and on the disk. See
// docs/decisions/0009-backups.md.
func Backup(ctx context.Context, databaseURL string, opts BackupOptions) (BackupInfo, error) {
	loc, err := parseURL(databaseURL)
	if err != nil {
		return BackupInfo{}, err
	}
	if loc.engine != SQLite {
		return BackupInfo{}, ErrBackupEngine
	}
	if err := checkBackupTarget(loc.path, opts); err != nil {
		return BackupInfo{}, err
	}
	use, err := lockUse(ctx, loc.path, DefaultAcquireTimeout)
	if err != nil {
		return BackupInfo{}, err
	}
	defer func() { _ = use.Close() }()
	lock, err := lockBackup(loc.path)
	if err != nil {
		return BackupInfo{}, err
	}
	defer func() { _ = lock.Close() }()

	partial, err := newPartial(opts.Target)
	if err != nil {
		return BackupInfo{}, err
	}
	info, err := fillBackup(ctx, loc.path, partial, opts)
	if err == nil {
		err = publish(partial, opts.Target, opts.Force)
	}
	if err != nil {
		return info, errors.Join(err, removePartials(opts.Target))
	}
	return info, nil
}

// checkBackupTarget refuses what must not or cannot be written.
func checkBackupTarget(source string, opts BackupOptions) error {
	from, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("there is no database to back up: %w", err)
	}
	to, err := os.Lstat(opts.Target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	switch {
	case err != nil:
		return err
	case !to.Mode().IsRegular():
		return fmt.Errorf("%s is there and is not a file", opts.Target)
	case os.SameFile(from, to):
		return fmt.Errorf("%s is the database itself", opts.Target)
	case !opts.Force:
		return fmt.Errorf("%s is there already: choose another name, or replace it with --force", opts.Target)
	case to.Size() > 0 && !hasTrailer(opts.Target):
		return fmt.Errorf("%s is there and is no backup: remove it first if nobody needs it", opts.Target)
	}
	return nil
}

// partialPrefix begins the names of unfinished files beside a target.
func partialPrefix(target string) string { return "." + filepath.Base(target) + ".partial-" }

// newPartial removes what a killed run left beside target, and makes an empty
// file there that only its owner can read.
func newPartial(target string) (string, error) {
	if err := removePartials(target); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(target), partialPrefix(target)+"*") // mode 0600
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

func removePartials(target string) error {
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), partialPrefix(target)) {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(target), entry.Name())))
		}
	}
	return err
}

// fillBackup writes a whole backup to partial.
func fillBackup(ctx context.Context, source, partial string, opts BackupOptions) (BackupInfo, error) {
	info := BackupInfo{
		Format: backupFormat, Version: opts.Version, CreatedAt: opts.Clock.Now().UTC(),
		Files: slices.Sorted(maps.Keys(opts.Files)),
	}
	// Nobody waits for this file before it is whole: it is made durable at its end.
	copied := openPlain(partial, url.Values{"_journal_mode": {"OFF"}, "_synchronous": {"OFF"}, "_locking_mode": {"EXCLUSIVE"}})
	err := copyPages(ctx, source, copied, opts.Progress)
	if err == nil {
		err = describeCopy(ctx, copied, &info, opts)
	}
	if err := errors.Join(err, copied.Close()); err != nil {
		return info, err
	}
	return info, appendTrailer(ctx, partial, opts.Progress)
}

// copyPages copies every page of the source as one snapshot shows it.
func copyPages(ctx context.Context, source string, copied *sql.DB, progress BackupProgress) error {
	db := openPlain(source, url.Values{"mode": {"rw"}, "_query_only": {"true"}})
	defer func() { _ = db.Close() }()
	from, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	if _, err := from.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() { _, _ = from.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") }()
	// The first read takes the snapshot. While it is held, the steps below all
	// see it; without it, each write of another process starts them again.
	var pageSize int64
	if err := from.QueryRowContext(ctx, "SELECT page_size FROM pragma_page_size, (SELECT count(*) FROM sqlite_schema)").Scan(&pageSize); err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	to, err := copied.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	return to.Raw(func(target any) error {
		return from.Raw(func(source any) error {
			b, err := target.(*sqlite3.SQLiteConn).Backup("main", source.(*sqlite3.SQLiteConn), "main")
			if err != nil {
				return err
			}
			err = stepBackup(ctx, b, pageSize, progress)
			if finish := b.Finish(); err == nil { // which else tells of the same fault
				err = finish
			}
			return err
		})
	})
}

func stepBackup(ctx context.Context, b *sqlite3.SQLiteBackup, pageSize int64, progress BackupProgress) error {
	for left := -1; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := b.Step(backupStep)
		if err != nil {
			return fmt.Errorf("copy the database: %w", err)
		}
		progress.report("copying", int64(b.PageCount()-b.Remaining())*pageSize, int64(b.PageCount())*pageSize)
		if done {
			return nil
		}
		// The driver reports a lock as a step that copied nothing.
		if b.Remaining() == left {
			return errors.New("copy the database: it is locked")
		}
		left = b.Remaining()
	}
}

// describeCopy checks a copy, and adds to it what it is.
func describeCopy(ctx context.Context, copied *sql.DB, info *BackupInfo, opts BackupOptions) error {
	// The copy says that it is in WAL mode, which takes three files.
	if err := leaveWAL(ctx, copied); err != nil {
		return err
	}
	opts.Progress.report("checking", 0, 0)
	if err := checkSound(ctx, copied); err != nil {
		return err
	}
	status, err := schemaOf(ctx, copied)
	if err != nil {
		return err
	}
	// What this binary could not restore is no backup.
	if err := status.obstacle(); err != nil {
		return err
	}
	if status.Version == 0 {
		return errors.New("the database has no schema: there is nothing to back up")
	}
	info.Schema, info.Latest = status.Version, status.Latest
	if info.Rows, err = countRows(ctx, copied); err != nil {
		return err
	}
	return writeManifest(ctx, copied, *info, opts.Files)
}

// leaveWAL puts all of a database into its one file. It fails when another
// connection is open.
func leaveWAL(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode=DELETE").Scan(&mode); err != nil {
		return err
	}
	if mode != "delete" {
		return fmt.Errorf("the journal of the database stays in mode %s: %w", mode, errInUse)
	}
	return nil
}

// appendTrailer writes the hash of a file behind its end, and makes the file
// durable.
func appendTrailer(ctx context.Context, path string, progress BackupProgress) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := sha256.New()
	count := &counter{progress: progress, stage: "hashing", total: info.Size()}
	if _, err := io.Copy(io.MultiWriter(sum, count), contextReader{ctx, f}); err != nil {
		return err
	}
	if _, err := f.Write(trailerOf(sum)); err != nil {
		return err
	}
	return f.Sync()
}

// publish gives a whole file its name. Without force it replaces nothing, also
// no file that appeared in the meantime.
func publish(partial, target string, force bool) error {
	if force {
		if err := os.Rename(partial, target); err != nil {
			return err
		}
		return syncFolder(filepath.Dir(target))
	}
	err := os.Link(partial, target)
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if err != nil { // a file system without links
		err = os.Rename(partial, target)
	} else {
		err = os.Remove(partial)
	}
	return errors.Join(err, syncFolder(filepath.Dir(target)))
}
