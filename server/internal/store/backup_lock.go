package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// Who works with an SQLite file holds a shared lock of the file beside it, for
// as long as it is open; who replaces the file takes it alone. The system gives
// a lock back when its process ends, however that ends.
const (
	useLockSuffix     = ".lock"
	migrateLockSuffix = ".migrate.lock"
	backupLockSuffix  = ".backup.lock"
	lockPoll          = 20 * time.Millisecond
)

// lockUse takes the shared lock of a database, and waits for one who is about
// to replace the file.
func lockUse(ctx context.Context, path string, wait time.Duration) (*flock.Flock, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	l := flock.New(path+useLockSuffix, flock.SetPermissions(0o600))
	if _, err := l.TryRLockContext(ctx, lockPoll); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("lock the database, which another process may be restoring: %w", err)
	}
	return l, nil
}

// errInUse is returned when a database that is to be replaced is open.
var errInUse = errors.New("the database is in use: stop the servers and commands that work with it, and try again")

// lockAlone takes the locks of a database that keep out everybody who opens or
// migrates it, or fails at once.
func lockAlone(path string) (unlock func(), err error) {
	if err := MakeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("create the folder of the database: %w", err)
	}
	var locks []*flock.Flock
	unlock = func() {
		for _, l := range locks {
			_ = l.Close()
		}
	}
	for _, suffix := range []string{migrateLockSuffix, useLockSuffix} {
		l := flock.New(path+suffix, flock.SetPermissions(0o600))
		locks = append(locks, l)
		ok, err := l.TryLock()
		if err == nil && !ok {
			err = errInUse
		}
		if err != nil {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// lockBackup keeps a second backup of the same database out.
func lockBackup(path string) (*flock.Flock, error) {
	l := flock.New(path+backupLockSuffix, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err == nil && !ok {
		err = errors.New("another backup of this database is under way")
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// syncFolder makes the names in a folder last through a loss of power, where
// the system can: Windows cannot open a folder for it.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
