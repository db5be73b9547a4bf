package auth

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// KeyStore keeps the signing keys that all replicas share. Their PrivateKey is
// plain PEM (PKCS #8) on this interface; how it rests is the store's matter.
type KeyStore interface {
	// Keys returns all keys.
	Keys(ctx context.Context) ([]kgl.SigningKey, error)

	// Update gives the stored keys to change and stores what it returns: keys
	// that are new, retirements and removals. change has no other effects,
	// since it may run again.
	Update(ctx context.Context, change func([]kgl.SigningKey) ([]kgl.SigningKey, error)) error
}

// KeyringConfig sets the times of a Keyring. Zero fields take the defaults.
type KeyringConfig struct {
	RotateAfter  time.Duration // a key signs that long, default 90 days
	Announce     time.Duration // a new key is published that long before it signs, default 1 h
	VerifyFor    time.Duration // a retired key verifies that long: lifetime of a token and skew, default 20 min
	RefreshEvery time.Duration // how often Run reads the store, default 15 s
	Cooldown     time.Duration // between two reads because of an unknown kid, default 5 s
}

// Keyring holds the keys that sign and verify access tokens. Replicas that
// share a store agree: each publishes and verifies with all keys, and a new key
// is announced long before it signs. It is safe for concurrent use.
type Keyring struct {
	store  KeyStore
	clock  kgl.Clock
	random io.Reader
	log    *slog.Logger
	cfg    KeyringConfig

	keys atomic.Pointer[[]ringKey] // sorted by ActiveAt, then id

	refreshing sync.Mutex // one refresh at a time
	lookup     sync.Mutex // guards lookedUp
	lookedUp   time.Time  // the last refresh because of an unknown kid
}

// ringKey is a stored key, ready for use.
type ringKey struct {
	kgl.SigningKey
	private *rsa.PrivateKey
	jwk     json.RawMessage
}

func (k ringKey) expired(now time.Time) bool { return keyEnded(k.SigningKey, now) }

// NewKeyring returns a Keyring on the keys of store, where it makes the first
// one when there is none.
func NewKeyring(ctx context.Context, store KeyStore, clock kgl.Clock, random io.Reader, log *slog.Logger, cfg KeyringConfig) (*Keyring, error) {
	r := &Keyring{store: store, clock: clock, random: random, log: log, cfg: KeyringConfig{
		RotateAfter:  orDefault(cfg.RotateAfter, 90*24*time.Hour),
		Announce:     orDefault(cfg.Announce, time.Hour),
		VerifyFor:    orDefault(cfg.VerifyFor, 20*time.Minute),
		RefreshEvery: orDefault(cfg.RefreshEvery, 15*time.Second),
		Cooldown:     orDefault(cfg.Cooldown, 5*time.Second),
	}}
	if err := r.Refresh(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Run refreshes the keyring until ctx ends. A failure is logged and the known
// keys stay in use.
func (r *Keyring) Run(ctx context.Context) {
	ticker := time.NewTicker(r.cfg.RefreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := r.Refresh(ctx); err != nil && ctx.Err() == nil {
				r.log.WarnContext(ctx, "signing keys could not be refreshed", "error", err)
			}
		}
	}
}

// Refresh reads the keys of the store, and first makes, retires and removes
// keys where their times say so.
func (r *Keyring) Refresh(ctx context.Context) error {
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	stored, err := r.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read the signing keys: %w", err)
	}
	if r.due(stored, r.clock.Now()) {
		// It is due by itself, whoever made the keyring look.
		itself := kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalSystem, ID: "keyring"})
		if err := r.store.Update(itself, r.rotate); err != nil {
			return fmt.Errorf("rotate the signing keys: %w", err)
		}
		if stored, err = r.store.Keys(ctx); err != nil {
			return fmt.Errorf("read the signing keys: %w", err)
		}
	}
	return r.load(stored)
}

// load makes the stored keys the ones in use. Keys that are in use already are
// not decoded again.
func (r *Keyring) load(stored []kgl.SigningKey) error {
	sortKeys(stored)
	known := map[string]ringKey{}
	if keys := r.keys.Load(); keys != nil {
		for _, k := range *keys {
			known[k.ID] = k
		}
	}
	keys := make([]ringKey, 0, len(stored))
	for _, s := range stored {
		k, ok := known[s.ID]
		if !ok {
			var err error
			if k, err = decodeKey(s); err != nil {
				return err
			}
		}
		k.SigningKey = s
		k.PrivateKey = "" // the decoded key is enough
		keys = append(keys, k)
	}
	r.keys.Store(&keys)
	return nil
}

// due reports whether rotate would change anything.
func (r *Keyring) due(keys []kgl.SigningKey, now time.Time) bool {
	if len(keys) == 0 {
		return true
	}
	sortKeys(keys)
	newest := len(keys) - 1
	if r.dueNext(keys[newest], now) {
		return true
	}
	return slices.ContainsFunc(keys[:newest], func(k kgl.SigningKey) bool {
		return k.RetiredAt == nil || k.ExpiresAt == nil || !now.Before(*k.ExpiresAt)
	})
}

// dueNext reports whether the successor of the newest key has to be announced.
func (r *Keyring) dueNext(newest kgl.SigningKey, now time.Time) bool {
	return !now.Before(newest.ActiveAt.Add(r.cfg.RotateAfter - r.cfg.Announce))
}

// rotate is the change of a due Refresh. The first key signs at once; a later
// one is announced first. All but the newest are retired when the newest starts
// to sign, so that replicas which made keys at the same moment agree again.
func (r *Keyring) rotate(keys []kgl.SigningKey) ([]kgl.SigningKey, error) {
	now := r.clock.Now()
	sortKeys(keys)
	activeAt := now
	if len(keys) > 0 {
		if !r.dueNext(keys[len(keys)-1], now) {
			return r.retire(keys, now), nil
		}
		activeAt = now.Add(r.cfg.Announce)
	}
	next, err := newKey(r.random, now, activeAt)
	if err != nil {
		return nil, err
	}
	return r.retire(append(keys, next), now), nil
}

// retire gives every key but the newest its end, and drops those that have
// passed it.
func (r *Keyring) retire(keys []kgl.SigningKey, now time.Time) []kgl.SigningKey {
	sortKeys(keys)
	newest := keys[len(keys)-1]
	kept := make([]kgl.SigningKey, 0, len(keys))
	for _, k := range keys[:len(keys)-1] {
		if k.RetiredAt == nil || k.ExpiresAt == nil {
			end := newest.ActiveAt
			expires := end.Add(r.cfg.VerifyFor)
			k.RetiredAt, k.ExpiresAt = &end, &expires
		}
		if now.Before(*k.ExpiresAt) {
			kept = append(kept, k)
		}
	}
	return append(kept, newest)
}

// Rotate announces a new key now, whatever the age of the present one.
func (r *Keyring) Rotate(ctx context.Context) error {
	err := r.store.Update(ctx, func(keys []kgl.SigningKey) ([]kgl.SigningKey, error) {
		now := r.clock.Now()
		next, err := newKey(r.random, now, now.Add(r.cfg.Announce))
		if err != nil {
			return nil, err
		}
		return r.retire(append(keys, next), now), nil
	})
	if err != nil {
		return fmt.Errorf("rotate the signing keys: %w", err)
	}
	return r.Refresh(ctx)
}

// Revoke drops a key that was disclosed. Tokens that it signed end at once here
// and within RefreshEvery on other replicas; a new key signs at once.
// CodeNotFound.
func (r *Keyring) Revoke(ctx context.Context, kid string) error {
	err := r.store.Update(ctx, func(keys []kgl.SigningKey) ([]kgl.SigningKey, error) {
		now := r.clock.Now()
		rest := slices.DeleteFunc(slices.Clone(keys), func(k kgl.SigningKey) bool { return k.ID == kid })
		if len(rest) == len(keys) {
			return nil, kgl.NotFound("signing key")
		}
		next, err := newKey(r.random, now, now)
		if err != nil {
			return nil, err
		}
		return r.retire(append(rest, next), now), nil
	})
	if err != nil {
		return fmt.Errorf("revoke a signing key: %w", err)
	}
	return r.Refresh(ctx)
}

// signer returns the key that signs now.
func (r *Keyring) signer() (ringKey, error) {
	keys := *r.keys.Load()
	if i := signerAt(keys, func(k ringKey) kgl.SigningKey { return k.SigningKey }, r.clock.Now()); i >= 0 {
		return keys[i], nil
	}
	return ringKey{}, kgl.Errorf(kgl.CodeUnavailable, "there is no signing key")
}

// verifier returns the public key of a kid. An unknown one makes the keyring
// read its store, once a cool-down at most, since another replica may have made
// it a moment ago.
func (r *Keyring) verifier(ctx context.Context, kid string) (*rsa.PublicKey, bool) {
	if key, ok := r.find(kid); ok {
		return key, true
	}
	now := r.clock.Now()
	r.lookup.Lock()
	wait := !r.lookedUp.IsZero() && now.Sub(r.lookedUp).Abs() < r.cfg.Cooldown
	if !wait {
		r.lookedUp = now
	}
	r.lookup.Unlock()
	if wait {
		return nil, false
	}
	if err := r.Refresh(ctx); err != nil {
		r.log.WarnContext(ctx, "signing keys could not be refreshed", "error", err)
		return nil, false
	}
	return r.find(kid)
}

func (r *Keyring) find(kid string) (*rsa.PublicKey, bool) {
	now := r.clock.Now()
	for _, k := range *r.keys.Load() {
		if k.ID == kid && !k.expired(now) {
			return &k.private.PublicKey, true
		}
	}
	return nil, false
}

// JWKS returns the public keys as a JSON Web Key Set (RFC 7517), announced ones
// included, so that whoever caches it knows a key before it signs.
func (r *Keyring) JWKS() ([]byte, error) {
	now := r.clock.Now()
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	for _, k := range *r.keys.Load() {
		if !k.expired(now) {
			set.Keys = append(set.Keys, k.jwk)
		}
	}
	return json.Marshal(set)
}

func sortKeys(keys []kgl.SigningKey) {
	slices.SortFunc(keys, func(a, b kgl.SigningKey) int {
		if c := a.ActiveAt.Compare(b.ActiveAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// keyBits is the size of the RSA modulus: what RS256 asks for at least (RFC
// 7518 section 3.3), and the cheapest to check.
const keyBits = 2048

// newKey makes a key whose id can be an argument of a command: one in 64
// thumbprints begins with '-', and would be read as a flag.
func newKey(random io.Reader, now, activeAt time.Time) (kgl.SigningKey, error) {
	for {
		key, err := anyKey(random, now, activeAt)
		if err != nil || !strings.HasPrefix(key.ID, "-") {
			return key, err
		}
	}
}

func anyKey(random io.Reader, now, activeAt time.Time) (kgl.SigningKey, error) {
	private, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return kgl.SigningKey{}, fmt.Errorf("make an RSA key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return kgl.SigningKey{}, fmt.Errorf("encode an RSA key: %w", err)
	}
	kid, public, err := publicJWK(&private.PublicKey)
	if err != nil {
		return kgl.SigningKey{}, err
	}
	return kgl.SigningKey{
		ID: kid, Algorithm: algorithmRS256, PublicKey: string(public),
		PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		CreatedAt:  now, ActiveAt: activeAt,
	}, nil
}

var errKeyDamaged = errors.New("a stored signing key is damaged: remove it, and a new one is made")

func decodeKey(s kgl.SigningKey) (ringKey, error) {
	block, _ := pem.Decode([]byte(s.PrivateKey))
	if block == nil {
		return ringKey{}, errKeyDamaged
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return ringKey{}, errKeyDamaged
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok || s.Algorithm != algorithmRS256 || private.N.BitLen() < keyBits {
		return ringKey{}, errKeyDamaged
	}
	kid, public, err := publicJWK(&private.PublicKey)
	if err != nil {
		return ringKey{}, err
	}
	if kid != s.ID {
		return ringKey{}, errKeyDamaged
	}
	return ringKey{SigningKey: s, private: private, jwk: public}, nil
}
