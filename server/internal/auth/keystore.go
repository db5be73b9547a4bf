package auth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// DatabaseKeys is the KeyStore in the database, for any number of replicas. A
// private key rests there sealed under the master key.
type DatabaseKeys struct {
	store  kgl.Store
	sealer *Sealer
	clock  kgl.Clock
	ids    kgl.IDSource
}

// NewDatabaseKeys returns the KeyStore of a database.
func NewDatabaseKeys(store kgl.Store, sealer *Sealer, clock kgl.Clock, ids kgl.IDSource) *DatabaseKeys {
	return &DatabaseKeys{store: store, sealer: sealer, clock: clock, ids: ids}
}

const sealSigningKey = "signing-key"

// Keys implements KeyStore.
func (d *DatabaseKeys) Keys(ctx context.Context) ([]kgl.SigningKey, error) {
	keys, err := d.store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		plain, err := d.sealer.Open(sealSigningKey, k.ID, k.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", k.ID, err)
		}
		keys[i].PrivateKey = string(plain)
	}
	return keys, nil
}

// Update implements KeyStore. The change is audited in its transaction. Two replicas that change an empty set at the same
// moment may each add a key: both are good, and the keyring retires one.
func (d *DatabaseKeys) Update(ctx context.Context, change func([]kgl.SigningKey) ([]kgl.SigningKey, error)) error {
	return d.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		old, err := (&DatabaseKeys{store: tx, sealer: d.sealer}).Keys(ctx)
		if err != nil {
			return err
		}
		stored := map[string]kgl.SigningKey{}
		for _, k := range old {
			stored[k.ID] = k
		}
		keys, err := change(slices.Clone(old))
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := d.put(ctx, tx, stored, k); err != nil {
				return err
			}
			delete(stored, k.ID)
		}
		if err := d.remove(ctx, tx, stored); err != nil {
			return err
		}
		audit := keyAudit{store: tx, clock: d.clock, ids: d.ids}
		return appendAll(ctx, tx, audit.changes(ctx, old, keys))
	})
}

// put stores a key that is new, or the retirement of one that is stored.
func (d *DatabaseKeys) put(ctx context.Context, tx kgl.Store, stored map[string]kgl.SigningKey, k kgl.SigningKey) error {
	before, ok := stored[k.ID]
	if !ok {
		sealed, err := d.sealer.Seal(sealSigningKey, k.ID, []byte(k.PrivateKey))
		if err != nil {
			return err
		}
		k.PrivateKey = sealed
		return tx.CreateSigningKey(ctx, k)
	}
	if k.RetiredAt == nil || k.ExpiresAt == nil || sameTime(before.RetiredAt, k.RetiredAt) && sameTime(before.ExpiresAt, k.ExpiresAt) {
		return nil
	}
	return tx.RetireSigningKey(ctx, k.ID, *k.RetiredAt, *k.ExpiresAt)
}

// remove ends the keys that are left over and deletes all that have ended.
func (d *DatabaseKeys) remove(ctx context.Context, tx kgl.Store, left map[string]kgl.SigningKey) error {
	if len(left) == 0 {
		return nil
	}
	now := d.clock.Now()
	ended := now.Add(-time.Microsecond)
	for id := range left {
		if err := tx.RetireSigningKey(ctx, id, ended, ended); err != nil {
			return err
		}
	}
	return tx.DeleteSigningKeys(ctx, now)
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
