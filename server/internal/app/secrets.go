package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// sourceKeyFile holds the key that seals the credentials of sources; it lies
// beside an SQLite database. On Postgres the master key seals them.
const sourceKeyFile = "source-secrets.key"

// newVault returns what seals the credentials of sources. Without a master key
// that can be used, one on Postgres refuses them.
func newVault(cfg *config.Config, env Env) *ingest.Vault {
	if cfg.Database.URL.Engine() == config.SQLite {
		return ingest.NewVault(auth.NewFileSealer(dataFile(cfg, sourceKeyFile), env.Random))
	}
	master, err := auth.ParseMasterKey(cfg.Auth.MasterKey.Reveal())
	if err != nil {
		return ingest.NewVault(nil)
	}
	sealer, err := auth.NewSealer(master, env.Random)
	if err != nil {
		return ingest.NewVault(nil)
	}
	return ingest.NewVault(sealer)
}

// secretMove seals the credentials of sources for another installation.
type secretMove struct {
	keys     *keyMove
	env      Env
	from, to *auth.Sealer // nil until the first source with credentials
}

func newSecretMove(keys *keyMove, env Env) *secretMove { return &secretMove{keys: keys, env: env} }

// run is the Reseal of a copy.
func (m *secretMove) run(sourceID, sealed string) (string, error) {
	if m.from == nil {
		if err := m.open(); err != nil {
			return "", err
		}
	}
	plain, err := m.from.Open(ingest.SealSource, sourceID, sealed)
	if err != nil {
		return "", fmt.Errorf("they are sealed under another key than the source's: %w", err)
	}
	return m.to.SealFixed(ingest.SealSource, sourceID, plain)
}

// open finds the keys of both installations. One on SQLite that gets its first
// credentials gets its key with them.
func (m *secretMove) open() error {
	from, err := m.sealerAt(m.keys.from, m.sourceFile())
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	target := dataFile(m.keys.to, sourceKeyFile)
	if m.keys.to.Database.URL.Engine() == config.SQLite {
		if err := store.MakeFolder(m.keys.to.DataDir()); err != nil {
			return err
		}
		if err := auth.NewFileSealer(target, m.env.Random).Prepare(); err != nil {
			return fmt.Errorf("the target: %w", err)
		}
	}
	to, err := m.sealerAt(m.keys.to, target)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	m.from, m.to = from, to
	return nil
}

func (m *secretMove) sealerAt(cfg *config.Config, file string) (*auth.Sealer, error) {
	if cfg.Database.URL.Engine() == config.Postgres {
		return m.keys.sealer, nil
	}
	key, err := auth.ReadSealKey(file)
	if err != nil {
		return nil, err
	}
	return auth.NewSealer(key, m.env.Random)
}

// sourceFile returns where an SQLite source has its key; see keyMove.sourceFile.
func (m *secretMove) sourceFile() string {
	path := dataFile(m.keys.from, sourceKeyFile)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path
	}
	return filepath.Join(filepath.Dir(m.keys.from.Database.URL.Path()), sourceKeyFile)
}
