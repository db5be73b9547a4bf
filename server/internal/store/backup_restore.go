package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// RestoreOptions say what becomes of a database that is there already, and of
// the files beside it.
type RestoreOptions struct {
	Force    bool           // move a database aside that is not empty
	Clock    kgl.Clock      // names what is moved aside
	Progress BackupProgress // nil for none
	// Files is given the files of the backup when it was found good, right before
	// the database is replaced, with the ending that old files get; nil for none.
	Files func(files map[string][]byte, aside string) error
}

// Restored tells what a restoration did.
type Restored struct {
	Backup BackupInfo
	Aside  string // where the old database is now; empty when there was none
}

// Restore puts the database of a backup in the place of an SQLite database.
// Everything is checked on a copy beside that place before anything there
// changes; the old database is moved aside, not deleted. It fails while the
// database is open anywhere.
func Restore(ctx context.Context, databaseURL, backup string, opts RestoreOptions) (Restored, error) {
	loc, err := parseURL(databaseURL)
	if err != nil {
		return Restored{}, err
	}
	if loc.engine != SQLite {
		return Restored{}, ErrBackupEngine
	}
	unlock, err := lockAlone(loc.path)
	if err != nil {
		return Restored{}, err
	}
	defer unlock()
	path, err := realPath(loc.path)
	if err != nil {
		return Restored{}, err
	}
	occupied, err := isOccupied(path)
	if err != nil {
		return Restored{}, err
	}
	if occupied && !opts.Force {
		return Restored{}, fmt.Errorf("%s is there already: with --force it is moved aside", path)
	}
	partial, err := newPartial(path)
	if err != nil {
		return Restored{}, err
	}
	done, err := restoreFrom(ctx, backup, partial, path, opts)
	return done, errors.Join(err, removePartials(path))
}

// realPath follows a symbolic link to the database, as SQLite does: the file
// that it names is replaced, not the link.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return real, err
}

// isOccupied reports whether there is a database that is not an empty file.
func isOccupied(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is there and is not a file", path)
	}
	return info.Size() > 0, nil
}

func restoreFrom(ctx context.Context, backup, partial, path string, opts RestoreOptions) (Restored, error) {
	info, files, err := unpack(ctx, backup, partial, opts)
	if err != nil {
		return Restored{}, err
	}
	if err := settle(ctx, path); err != nil {
		return Restored{}, err
	}
	done := Restored{Backup: info}
	ending := ".before-restore-" + opts.Clock.Now().UTC().Format("20060102T150405.000Z")
	if opts.Files != nil {
		if err := opts.Files(files, ending); err != nil {
			return Restored{}, err
		}
	}
	if done.Aside, err = moveAside(path, ending); err != nil {
		return Restored{}, err
	}
	if err := os.Rename(partial, path); err != nil {
		return done, err
	}
	return done, syncFolder(filepath.Dir(path))
}

// unpack copies the database of a backup to partial, checks it there, and makes
// it one that a server can go on with.
func unpack(ctx context.Context, backup, partial string, opts RestoreOptions) (BackupInfo, map[string][]byte, error) {
	if err := unpackDatabase(ctx, backup, partial, opts.Progress); err != nil {
		return BackupInfo{}, nil, err
	}
	// Deleting overwrites: the keys must not stay in free pages.
	db := openPlain(partial, url.Values{"_secure_delete": {"true"}, "_synchronous": {"FULL"}, "_locking_mode": {"EXCLUSIVE"}})
	info, files, err := examineBackup(ctx, db, opts.Progress)
	if err == nil {
		_, err = db.ExecContext(ctx, "DROP TABLE "+backupTable)
	}
	if err == nil {
		err = advanceEvents(ctx, db, opts.Clock)
	}
	return info, files, errors.Join(err, db.Close())
}

// advanceEvents lets new events come after all that the database ever had, also
// after those that were lost with what came after the backup: whoever has read
// them must not take the new ones for read. The seconds of the clock do it,
// because the same backup may be restored again.
func advanceEvents(ctx context.Context, db *sql.DB, clock kgl.Clock) error {
	_, err := db.ExecContext(ctx, "UPDATE event_clock SET tx_offset = max(tx_offset + 1, ?1)", clock.Now().Unix())
	return err
}

func unpackDatabase(ctx context.Context, backup, partial string, progress BackupProgress) error {
	from, err := os.Open(backup)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(partial, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = copyBackup(ctx, to, from, progress)
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

// settle puts all of the present database into its one file, and with that
// finds programs that have it open without our lock. A database that is too
// damaged for it stays as it is.
func settle(ctx context.Context, path string) error {
	occupied, err := isOccupied(path)
	if err != nil || !occupied {
		return err
	}
	db := openPlain(path, url.Values{"mode": {"rw"}})
	err = errors.Join(leaveWAL(ctx, db), db.Close())
	if se, ok := errors.AsType[sqlite3.Error](err); ok {
		if se.Code == sqlite3.ErrBusy || se.Code == sqlite3.ErrLocked {
			return errInUse
		}
		return nil
	}
	return err
}

// moveAside gives the present database another name. The file itself stays
// until the new one takes its place in one step; what lies beside it must not
// meet the new one, and goes along.
func moveAside(path, ending string) (string, error) {
	occupied, err := isOccupied(path)
	if err != nil || !occupied {
		return "", errors.Join(err, removeBeside(path))
	}
	aside := path + ending
	if err := os.Link(path, aside); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return "", err
		}
		if err := os.Rename(path, aside); err != nil { // a file system without links
			return "", err
		}
	}
	for _, suffix := range besideSQLite() {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}

// besideSQLite returns the endings of files that SQLite reads as parts of a
// database.
func besideSQLite() []string { return []string{"-wal", "-shm", "-journal"} }

func removeBeside(path string) error {
	for _, suffix := range besideSQLite() {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
