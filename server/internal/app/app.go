package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/builtin"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/enrich"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// keyOverlap is how much longer than its last token a retired key verifies:
// the skew of clocks between replicas, generously.
const keyOverlap = 5 * time.Minute

// Env is what the process gives: the time, chance and the log.
type Env struct {
	Clock   kgl.Clock
	Random  io.Reader      // such as crypto/rand.Reader
	Jitter  func() float64 // in [0, 1), safe for concurrent use
	Log     *slog.Logger
	Version string

	// OwnTime lets Clock count also with Postgres, whose time all replicas share
	// otherwise. It is for tests that move the clock.
	OwnTime bool
}

// App is the application on an open database, without a server.
type App struct {
	Store         *store.DB
	IDs           kgl.IDSource
	Outbound      *outbound.Client
	Accounts      *auth.Accounts
	Sources       *ingest.Sources
	Imports       *ingest.Imports
	Probe         *ingest.Probe
	Contents      *ingest.Contents
	Vault         *ingest.Vault // seals the credentials of sources
	Explainer     *ingest.Explainer
	Entities      *graph.Entities
	Relationships *graph.Relationships
	Merges        *graph.Merges
	Graph         *graph.Traversals
	Recorder      *enrich.Recorder // stores what extractors find
	Runs          *enrich.Runs

	cfg    *config.Config
	env    Env
	hasher *auth.Hasher
	finder enrich.Extractor // nil until a server is made
	wake   *wakeUp
	clock  *sharedClock // nil where the machine's counts
}

// Migrator changes and reports the schema of a database.
type Migrator = *store.Migrator

// NewMigrator returns the migrator of the configured database.
func NewMigrator(cfg *config.Config) (Migrator, error) {
	return store.NewMigrator(databaseURL(cfg))
}

// Open opens the configured database, which must have the schema of this
// binary, and makes the services. It starts nothing. Close it.
func Open(ctx context.Context, cfg *config.Config, env Env) (*App, error) {
	return open(ctx, cfg, env, "")
}

func open(ctx context.Context, cfg *config.Config, env Env, trustedFeedOrigin string) (*App, error) {
	m, err := NewMigrator(cfg)
	if err != nil {
		return nil, err
	}
	if err := m.Check(ctx); err != nil {
		return nil, err
	}
	if status, err := m.Status(ctx); err == nil && status.Newer() {
		env.Log.Warn("a newer kgl has migrated the database; this one works on", "schema", status.Version, "known", status.Latest)
	}
	hasher, err := auth.NewHasher(env.Random, auth.HasherConfig{})
	if err != nil {
		return nil, err
	}
	client, err := newOutbound(cfg, env.Version, trustedFeedOrigin)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Config{
		URL: databaseURL(cfg), MaxConns: cfg.Database.MaxConns, Random: env.Random, Clock: env.Clock,
	})
	if err != nil {
		return nil, err
	}
	shared, err := shareTime(ctx, db, &env)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ids := kgl.NewUUIDv7(env.Clock, env.Random)
	wake := &wakeUp{}
	vault := newVault(cfg, env)
	sources := ingest.NewSources(db, client, env.Clock, ids, wake.ingest).WithVault(vault)
	return &App{
		Store:         db,
		IDs:           ids,
		Outbound:      client,
		Accounts:      auth.NewAccounts(auth.Deps{Store: db, Clock: env.Clock, IDs: ids, Random: env.Random, Hasher: hasher}),
		Sources:       sources,
		Imports:       ingest.NewImports(sources, wake.imports),
		Probe:         newProbe(cfg, client, db, env.Clock),
		Vault:         vault,
		Explainer:     ingest.NewExplainer(db, env.Clock, fetchSchedule(cfg, env), domainRate(cfg)),
		Contents:      ingest.NewContents(db, env.Clock, ids),
		Entities:      graph.NewEntities(db, env.Clock, ids),
		Relationships: graph.NewRelationships(db, env.Clock, ids),
		Merges:        graph.NewMerges(db, env.Clock, ids),
		Graph:         graph.NewTraversals(db),
		Recorder:      enrich.NewRecorder(db, env.Clock, ids, builtin.WithCoOccurrences),
		Runs:          enrich.NewRuns(db, env.Clock, ids),
		cfg:           cfg, env: env, hasher: hasher, wake: wake, clock: shared,
	}, nil
}

// Close closes the database.
func (a *App) Close() {
	a.Outbound.Close()
	if err := a.Store.Close(); err != nil {
		a.env.Log.Error("the database could not be closed", "error", err)
	}
}

// Keyring returns the signing keys: in a file beside the database with SQLite,
// sealed in the database with Postgres. It makes the first key where there is
// none.
func (a *App) Keyring(ctx context.Context) (*auth.Keyring, error) {
	keys, err := a.keyStore()
	if err != nil {
		return nil, err
	}
	return auth.NewKeyring(ctx, keys, a.env.Clock, a.env.Random, a.env.Log, auth.KeyringConfig{
		VerifyFor: a.cfg.Auth.AccessTokenTTL + keyOverlap,
	})
}

func (a *App) keyStore() (auth.KeyStore, error) {
	if a.cfg.Database.URL.Engine() == config.SQLite {
		if err := a.makeDataDir(); err != nil {
			return nil, err
		}
		return a.fileKeys(), nil
	}
	master, err := auth.ParseMasterKey(a.cfg.Auth.MasterKey.Reveal())
	if err != nil {
		return nil, fmt.Errorf("KGL_MASTER_KEY: %w", err)
	}
	sealer, err := auth.NewSealer(master, a.env.Random)
	if err != nil {
		return nil, err
	}
	return auth.NewDatabaseKeys(a.Store, sealer, a.env.Clock, a.IDs), nil
}

func (a *App) fileKeys() *auth.FileKeys {
	return auth.NewFileKeys(a.dataFile(signingKeysFile), a.Store, a.env.Clock, a.IDs)
}

// SigningKeys returns what may be known of the signing keys. It makes none, and
// on Postgres needs no master key.
func (a *App) SigningKeys(ctx context.Context) ([]auth.KeyInfo, error) {
	list := a.Store.SigningKeys
	if a.cfg.Database.URL.Engine() == config.SQLite {
		list = a.fileKeys().Keys
	}
	keys, err := list(ctx)
	if err != nil {
		return nil, err
	}
	return auth.DescribeKeys(keys, a.env.Clock.Now()), nil
}

// NewOutbound returns the guarded HTTP client as the configuration sets it.
func NewOutbound(cfg *config.Config, version string) (*outbound.Client, error) {
	return newOutbound(cfg, version, "")
}

// newOutbound also opens the guard for one origin; empty for none.
func newOutbound(cfg *config.Config, version, trustedOrigin string) (*outbound.Client, error) {
	policy := outbound.Policy{AllowedNetworks: cfg.Ingest.AllowedNetworks, AllowedPorts: cfg.Ingest.AllowedPorts}
	if trustedOrigin != "" {
		policy.TrustedOrigins = []string{trustedOrigin}
	}
	return outbound.New(outbound.Config{
		UserAgent: outbound.UserAgent(version, cfg.Ingest.Contact),
		Policy:    policy,
		Limits:    outbound.Limits{Total: cfg.Ingest.FetchTimeout, MaxBody: int64(cfg.Ingest.FetchMaxBody)},
	})
}

// databaseURL returns the URL in the form that the store takes.
func databaseURL(cfg *config.Config) string {
	if cfg.Database.URL.Engine() == config.SQLite {
		return "sqlite:///" + cfg.Database.URL.Path()
	}
	return cfg.Database.URL.PostgresURL()
}
