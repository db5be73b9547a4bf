package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// SigningKeys implements kgl.SigningKeyStore.
func (db *DB) SigningKeys(ctx context.Context) ([]kgl.SigningKey, error) {
	var rows []sqlitedb.SigningKey
	err := db.read(ctx, func(c *conn) (err error) {
		rows, err = c.SigningKeys(ctx)
		return err
	})
	out := make([]kgl.SigningKey, len(rows))
	for i, row := range rows {
		out[i] = kgl.SigningKey{
			ID: row.ID, Algorithm: row.Algorithm, PublicKey: row.PublicKey, PrivateKey: row.PrivateKey,
			CreatedAt: timeOf(row.CreatedAt), ActiveAt: timeOf(row.ActiveAt),
			RetiredAt: timePtr(row.RetiredAt), ExpiresAt: timePtr(row.ExpiresAt),
		}
	}
	return out, err
}

// CreateSigningKey implements kgl.SigningKeyStore.
func (db *DB) CreateSigningKey(ctx context.Context, k kgl.SigningKey) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.CreateSigningKey(ctx, sqlitedb.CreateSigningKeyParams{
			ID: k.ID, Algorithm: k.Algorithm, PublicKey: k.PublicKey, PrivateKey: k.PrivateKey,
			CreatedAt: micros(k.CreatedAt), ActiveAt: micros(k.ActiveAt),
			RetiredAt: microsPtr(k.RetiredAt), ExpiresAt: microsPtr(k.ExpiresAt),
		})
		return created(n, err)
	})
}

// RetireSigningKey implements kgl.SigningKeyStore.
func (db *DB) RetireSigningKey(ctx context.Context, id string, retiredAt, expiresAt time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.RetireSigningKey(ctx, sqlitedb.RetireSigningKeyParams{
			ID: id, RetiredAt: microsPtr(&retiredAt), ExpiresAt: microsPtr(&expiresAt),
		})
		return affected(n, err, "signing key")
	})
}

// DeleteSigningKeys implements kgl.SigningKeyStore.
func (db *DB) DeleteSigningKeys(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.DeleteSigningKeys(ctx, microsPtr(&before))
	})
}
