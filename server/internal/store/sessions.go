package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateSession implements kgl.SessionStore.
func (db *DB) CreateSession(ctx context.Context, s kgl.Session, t kgl.RefreshToken) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		err := c.CreateSession(ctx, sqlitedb.CreateSessionParams{
			ID: s.ID, UserID: s.UserID, Scope: s.Scope, UserAgent: s.UserAgent, Address: s.Address,
			CreatedAt: micros(s.CreatedAt), ExpiresAt: micros(s.ExpiresAt),
			RevokedAt: microsPtr(s.RevokedAt), RevokeReason: s.RevokeReason,
		})
		if err != nil {
			return err
		}
		return createRefreshToken(ctx, c, t)
	})
}

func createRefreshToken(ctx context.Context, c *conn, t kgl.RefreshToken) error {
	return c.CreateRefreshToken(ctx, sqlitedb.CreateRefreshTokenParams{
		ID: t.ID, SessionID: t.SessionID, TokenHash: t.TokenHash, CreatedAt: micros(t.CreatedAt),
		ExpiresAt: micros(t.ExpiresAt), UsedAt: microsPtr(t.UsedAt), SuccessorSealed: t.SuccessorSealed,
	})
}

// Session implements kgl.SessionStore.
func (db *DB) Session(ctx context.Context, id string) (kgl.Session, error) {
	row, err := one(ctx, db, "session", func(c *conn) (sqlitedb.Session, error) { return c.Session(ctx, id) })
	return kgl.Session{
		ID: row.ID, UserID: row.UserID, Scope: row.Scope, UserAgent: row.UserAgent, Address: row.Address,
		CreatedAt: timeOf(row.CreatedAt), ExpiresAt: timeOf(row.ExpiresAt),
		RevokedAt: timePtr(row.RevokedAt), RevokeReason: row.RevokeReason,
	}, err
}

// SessionState implements kgl.SessionStore.
func (db *DB) SessionState(ctx context.Context, sessionID string) (kgl.SessionState, error) {
	row, err := one(ctx, db, "session", func(c *conn) (sqlitedb.SessionStateRow, error) {
		return c.SessionState(ctx, sessionID)
	})
	return kgl.SessionState{
		SessionID: row.ID, Revoked: row.RevokedAt != nil, ExpiresAt: timeOf(row.ExpiresAt),
		UserID: row.UserID, Role: kgl.Role(row.Role), Status: kgl.UserStatus(row.Status),
	}, err
}

// RefreshTokenForUpdate implements kgl.SessionStore.
func (db *DB) RefreshTokenForUpdate(ctx context.Context, hash string) (kgl.RefreshToken, error) {
	row, err := one(ctx, db, "refresh token", func(c *conn) (sqlitedb.RefreshToken, error) {
		return c.LockRefreshToken(ctx, hash)
	})
	return kgl.RefreshToken{
		ID: row.ID, SessionID: row.SessionID, TokenHash: row.TokenHash, CreatedAt: timeOf(row.CreatedAt),
		ExpiresAt: timeOf(row.ExpiresAt), UsedAt: timePtr(row.UsedAt), SuccessorSealed: row.SuccessorSealed,
	}, err
}

// RotateRefreshToken implements kgl.SessionStore. The update of the old token
// is the decision: of several callers one changes the row.
func (db *DB) RotateRefreshToken(ctx context.Context, old, successor kgl.RefreshToken) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.UseRefreshToken(ctx, sqlitedb.UseRefreshTokenParams{
			ID: old.ID, UsedAt: microsPtr(old.UsedAt), SuccessorSealed: old.SuccessorSealed,
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return kgl.Errorf(kgl.CodeConflict, "the refresh token was used already")
		}
		return createRefreshToken(ctx, c, successor)
	})
}

// RevokeSession implements kgl.SessionStore.
func (db *DB) RevokeSession(ctx context.Context, id, reason string, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		us := micros(now)
		n, err := c.RevokeSession(ctx, sqlitedb.RevokeSessionParams{ID: id, RevokedAt: &us, RevokeReason: reason})
		if err != nil || n > 0 {
			return err
		}
		_, err = c.Session(ctx, id)
		if isNoRows(err) {
			return kgl.NotFound("session")
		}
		return err
	})
}

// RevokeUserSessions implements kgl.SessionStore.
func (db *DB) RevokeUserSessions(ctx context.Context, userID, reason string, now time.Time) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		us := micros(now)
		n, err = c.RevokeUserSessions(ctx, sqlitedb.RevokeUserSessionsParams{
			UserID: userID, RevokedAt: &us, RevokeReason: reason, Now: us,
		})
		return err
	})
	return n, err
}

// DeleteExpiredSessions implements kgl.SessionStore.
func (db *DB) DeleteExpiredSessions(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.DeleteExpiredSessions(ctx, sqlitedb.DeleteExpiredSessionsParams{
			Before: micros(before), RowLimit: int64(limit),
		})
		return err
	})
	return n, err
}
