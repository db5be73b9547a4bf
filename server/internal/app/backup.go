package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// signingKeysFile lies beside an SQLite database.
const signingKeysFile = "signing-keys.json"

// keyFiles are the files that a database on SQLite is not whole without.
var keyFiles = [...]string{signingKeysFile, sourceKeyFile}

// BackupInfo is what a backup says about itself.
type BackupInfo = store.BackupInfo

// BackupProgress is told what a backup or a restoration does.
type BackupProgress = store.BackupProgress

// ErrBackupEngine is returned for a database that kgl does not back up itself.
var ErrBackupEngine = store.ErrBackupEngine

// Backup writes the configured SQLite database and its key files to one file. Any number of servers may run meanwhile, and the schema may be one that
// this binary would have to migrate.
func Backup(ctx context.Context, cfg *config.Config, env Env, target string, force bool, progress BackupProgress) (BackupInfo, error) {
	if cfg.Database.URL.Engine() != config.SQLite {
		return BackupInfo{}, ErrBackupEngine
	}
	files := map[string][]byte{}
	path := dataFile(cfg, signingKeysFile)
	// A file that cannot be used must not be kept as if it could.
	if _, err := auth.ReadKeyFile(ctx, path); err != nil {
		return BackupInfo{}, err
	}
	if _, err := auth.ReadSealKey(dataFile(cfg, sourceKeyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return BackupInfo{}, err
	}
	for _, name := range keyFiles {
		content, err := os.ReadFile(dataFile(cfg, name))
		switch {
		case err == nil:
			files[name] = content
		case !errors.Is(err, fs.ErrNotExist):
			return BackupInfo{}, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return store.Backup(ctx, databaseURL(cfg), store.BackupOptions{
		Target: target, Force: force, Version: env.Version, Clock: env.Clock, Files: files, Progress: progress,
	})
}

// VerifyBackup returns what a backup says about itself, when it is whole and
// sound and this binary can restore it.
func VerifyBackup(ctx context.Context, path string, progress BackupProgress) (BackupInfo, error) {
	return store.VerifyBackup(ctx, path, progress)
}

// Restored tells what a restoration did.
type Restored struct {
	Backup BackupInfo
	// Where is now what was there before; empty when there was none, or the same.
	Aside          string // the database
	KeysAside      string // the signing keys
	SourceKeyAside string // the key of the credentials of sources
}

// Restore puts a backup in the place of the configured SQLite database and its
// key files. It fails while the database is open anywhere, and, unless it is
// forced, when there is one.
func Restore(ctx context.Context, cfg *config.Config, env Env, backup string, force bool, progress BackupProgress) (Restored, error) {
	if cfg.Database.URL.Engine() != config.SQLite {
		return Restored{}, ErrBackupEngine
	}
	var keysAside, sourceKeyAside string
	done, err := store.Restore(ctx, databaseURL(cfg), backup, store.RestoreOptions{
		Force: force, Clock: env.Clock, Progress: progress,
		Files: func(files map[string][]byte, ending string) (err error) {
			if keysAside, err = restoreKeys(dataFile(cfg, signingKeysFile), files[signingKeysFile], ending); err != nil {
				return err
			}
			sourceKeyAside, err = restoreKeys(dataFile(cfg, sourceKeyFile), files[sourceKeyFile], ending)
			return err
		},
	})
	return Restored{Backup: done.Backup, Aside: done.Aside, KeysAside: keysAside, SourceKeyAside: sourceKeyAside}, err
}

// restoreKeys writes a key file of a backup, and keeps another one that is there
// under another name. A backup without the file changes nothing.
func restoreKeys(path string, keys []byte, ending string) (aside string, err error) {
	if keys == nil {
		return "", nil
	}
	present, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the present keys: %w", err)
	}
	if err == nil && !bytes.Equal(present, keys) {
		aside = path + ending
		if err := auth.WriteSecretFile(aside, present); err != nil {
			return "", err
		}
	}
	return aside, auth.WriteSecretFile(path, keys)
}
