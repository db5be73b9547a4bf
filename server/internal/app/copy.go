package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/transfer"
)

// CopyOptions say which database is copied where.
type CopyOptions struct {
	From, To config.DatabaseURL
	Force    bool // empties a target that holds something
	Progress func(CopyProgress)
	Note     func(text string) // told what an operator should know on the way
}

// CopyProgress is how far a copy has come.
type CopyProgress = transfer.Progress

// CopyReport is the outcome of a complete copy.
type CopyReport struct {
	transfer.Report
	Keys int `json:"signing_keys"`
}

// ErrCopyStopped is the cause of a copy that was told to stop and can go on.
var ErrCopyStopped = transfer.ErrInterrupted

// CopyDatabase copies a database with its signing keys into another one, and
// compares both. The rest of the configuration counts for both: the folder of
// the signing keys on SQLite, and the master key that seals them on Postgres.
func CopyDatabase(ctx context.Context, cfg *config.Config, env Env, opts CopyOptions) (CopyReport, error) {
	from, to := *cfg, *cfg
	from.Database.URL, to.Database.URL = opts.From, opts.To
	move, err := newKeyMove(ctx, &from, &to, env)
	if err != nil {
		return CopyReport{}, err
	}
	defer move.close()
	keys, err := move.check(ctx, opts.Force)
	if err != nil {
		return CopyReport{}, err
	}
	if keys == 0 && opts.Note != nil {
		opts.Note("the source has no signing keys: servers on the copy make their own, and access tokens handed out before are not good there")
	}
	report, err := transfer.Run(ctx, transfer.Options{
		From: databaseURL(&from), To: databaseURL(&to), Force: opts.Force,
		Keys: move.run, Reseal: newSecretMove(move, env).run, Progress: opts.Progress, Note: opts.Note,
	})
	return CopyReport{Report: report, Keys: move.moved}, err
}

// keyMove carries the signing keys from one installation to another. Each has
// them in a file, or sealed in its database.
type keyMove struct {
	from, to *config.Config
	sealer   *auth.Sealer // nil when neither is on Postgres
	source   *store.DB    // nil on SQLite
	moved    int
}

var errNoMasterKey = errors.New("KGL_MASTER_KEY is needed to copy from or to Postgres, where it seals the signing keys: " +
	"set it, or KGL_MASTER_KEY_FILE, to what the servers on Postgres have; for a new installation make one with `openssl rand -base64 32`")

func newKeyMove(ctx context.Context, from, to *config.Config, env Env) (*keyMove, error) {
	m := &keyMove{from: from, to: to}
	onPostgres := func(c *config.Config) bool { return c.Database.URL.Engine() == config.Postgres }
	if onPostgres(from) || onPostgres(to) {
		if !from.Auth.MasterKey.IsSet() {
			return nil, errNoMasterKey
		}
		master, err := auth.ParseMasterKey(from.Auth.MasterKey.Reveal())
		if err == nil {
			m.sealer, err = auth.NewSealer(master, env.Random)
		}
		if err != nil {
			return nil, fmt.Errorf("KGL_MASTER_KEY: %w", err)
		}
	}
	if !onPostgres(from) {
		return m, nil
	}
	migrator, err := NewMigrator(from)
	if err == nil {
		err = migrator.CheckExact(ctx)
	}
	if err == nil {
		m.source, err = store.Open(ctx, store.Config{URL: databaseURL(from), MaxConns: 1, Clock: env.Clock})
	}
	if err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	return m, nil
}

func (m *keyMove) close() {
	if m.source != nil {
		_ = m.source.Close()
	}
}

// check makes sure, before anything is copied, that the keys can be read and
// replace no others. It returns how many there are.
func (m *keyMove) check(ctx context.Context, force bool) (int, error) {
	keys, err := m.read(ctx)
	if err != nil || m.sealsAtTarget() {
		return len(keys), err
	}
	path := dataFile(m.to, signingKeysFile)
	present, err := auth.ReadKeyFile(ctx, path)
	if err != nil {
		return 0, fmt.Errorf("the target: %w", err)
	}
	for _, k := range present {
		if !force && !slices.ContainsFunc(keys, func(s kgl.SigningKey) bool { return s.ID == k.ID }) {
			return 0, fmt.Errorf("the target: %s holds signing keys that the source has not, so they belong to another installation: "+
				"name a database in another folder, or let --force replace them", path)
		}
	}
	return len(keys), nil
}

func (m *keyMove) sealsAtTarget() bool { return m.to.Database.URL.Engine() == config.Postgres }

// sourceFile returns where an SQLite source has its keys: where a server of this
// configuration would, or else beside the database, which may come from a server
// of another one.
func (m *keyMove) sourceFile() string {
	path := dataFile(m.from, signingKeysFile)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path
	}
	return filepath.Join(filepath.Dir(m.from.Database.URL.Path()), signingKeysFile)
}

// read returns the keys of the source, opened.
func (m *keyMove) read(ctx context.Context) ([]kgl.SigningKey, error) {
	if m.source == nil {
		keys, err := auth.ReadKeyFile(ctx, m.sourceFile())
		if err != nil {
			return nil, fmt.Errorf("the source: %w", err)
		}
		return keys, nil
	}
	sealed, err := m.source.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("the source: read the signing keys: %w", err)
	}
	keys, err := m.sealer.OpenKeys(sealed)
	if err != nil {
		return nil, fmt.Errorf("the source: KGL_MASTER_KEY is not the key under which it keeps its signing keys: %w", err)
	}
	return keys, nil
}

// run returns the rows of the keys in the target's database. On SQLite there are
// none: it writes the file beside it.
func (m *keyMove) run(ctx context.Context) ([]kgl.SigningKey, error) {
	keys, err := m.read(ctx)
	if err != nil {
		return nil, err
	}
	m.moved = len(keys)
	if m.sealsAtTarget() {
		return m.sealer.SealKeys(keys)
	}
	path := dataFile(m.to, signingKeysFile)
	if len(keys) == 0 || m.source == nil && path == m.sourceFile() {
		return nil, nil
	}
	if err := store.MakeFolder(m.to.DataDir()); err != nil {
		return nil, err
	}
	return nil, auth.WriteKeyFile(path, keys)
}
