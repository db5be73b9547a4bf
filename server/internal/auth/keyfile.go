package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// FileKeys is the KeyStore in a file that only its owner can read, beside the
// SQLite database. Processes that share the file take turns by a lock file.
type FileKeys struct {
	path  string
	audit keyAudit
}

// NewFileKeys returns the KeyStore of a file, whose changes are audited in
// store. Its folder must exist; the file is made at the first Update.
func NewFileKeys(path string, store kgl.Store, clock kgl.Clock, ids kgl.IDSource) *FileKeys {
	return &FileKeys{path: path, audit: keyAudit{store: store, clock: clock, ids: ids}}
}

// keyFile is the content of the file.
type keyFile struct {
	Version int          `json:"version"`
	Keys    []keyFileKey `json:"keys"`
}

type keyFileKey struct {
	ID         string          `json:"kid"`
	Algorithm  string          `json:"alg"`
	CreatedAt  time.Time       `json:"created_at"`
	ActiveAt   time.Time       `json:"active_at"`
	RetiredAt  *time.Time      `json:"retired_at,omitempty"`
	ExpiresAt  *time.Time      `json:"expires_at,omitempty"`
	PublicKey  json.RawMessage `json:"public_key"`
	PrivateKey string          `json:"private_key"`
}

const keyFileVersion = 1

// Keys implements KeyStore. A file that others may read or write is refused.
func (f *FileKeys) Keys(context.Context) ([]kgl.SigningKey, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the signing keys: %w", err)
	}
	defer file.Close()
	if err := checkPrivate(file); err != nil {
		return nil, err
	}
	var content keyFile
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&content); err != nil {
		return nil, fmt.Errorf("the signing keys in %s cannot be read: %w", f.path, err)
	}
	if content.Version != keyFileVersion {
		return nil, fmt.Errorf("the signing keys in %s have the unknown version %d", f.path, content.Version)
	}
	keys := make([]kgl.SigningKey, len(content.Keys))
	for i, k := range content.Keys {
		keys[i] = kgl.SigningKey{ID: k.ID, Algorithm: k.Algorithm, PublicKey: string(k.PublicKey), PrivateKey: k.PrivateKey,
			CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt, RetiredAt: k.RetiredAt, ExpiresAt: k.ExpiresAt}
	}
	return keys, nil
}

// checkPrivate refuses a file that anyone but its owner may read or write.
// Windows has no such bits: there the folder's access list decides.
func checkPrivate(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("look at %s: %w", file.Name(), err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%s holds secrets but its mode is %04o: run chmod 600 on it, and replace the keys if others may have read them",
		file.Name(), info.Mode().Perm())
}

// Update implements KeyStore. A file and a database cannot be changed in one
// transaction: the audit rows come first, so that there is no change without
// them, and are contradicted by others when the file cannot be written.
func (f *FileKeys) Update(ctx context.Context, change func([]kgl.SigningKey) ([]kgl.SigningKey, error)) error {
	lock := flock.New(f.path+".lock", flock.SetPermissions(0o600))
	defer lock.Close()
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("lock the signing keys: %w", err)
	}
	old, err := f.Keys(ctx)
	if err != nil {
		return err
	}
	keys, err := change(slices.Clone(old))
	if err != nil {
		return err
	}
	events := f.audit.changes(ctx, old, keys)
	if err := f.audit.record(ctx, events); err != nil {
		return fmt.Errorf("audit the change of the signing keys: %w", err)
	}
	if err := f.write(keys); err != nil {
		return errors.Join(err, f.audit.recordFailure(ctx, events))
	}
	return nil
}

func (f *FileKeys) write(keys []kgl.SigningKey) error {
	content := keyFile{Version: keyFileVersion, Keys: make([]keyFileKey, len(keys))}
	for i, k := range keys {
		content.Keys[i] = keyFileKey{ID: k.ID, Algorithm: k.Algorithm, PublicKey: json.RawMessage(k.PublicKey), PrivateKey: k.PrivateKey,
			CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt, RetiredAt: k.RetiredAt, ExpiresAt: k.ExpiresAt}
	}
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the signing keys: %w", err)
	}
	return WriteSecretFile(f.path, append(data, '\n'))
}

// WriteSecretFile writes a file that only its owner can read, replacing the one
// at path in one step: after a crash either the old or the new one is there.
func WriteSecretFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(file.Name())))
	}
	return syncFolder(dir)
}

// syncFolder makes a rename in a folder last through a loss of power, where
// the system can: Windows cannot open a folder for it.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
