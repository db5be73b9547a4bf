package store

import (
	"context"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateUser implements kgl.UserStore.
func (db *DB) CreateUser(ctx context.Context, u kgl.User) error {
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.CreateUser(ctx, sqlitedb.CreateUserParams{
			ID: u.ID, Email: u.Email, EmailKey: u.EmailKey, Name: u.Name, Role: string(u.Role),
			Status: string(u.Status), PasswordHash: u.PasswordHash, Version: u.Version,
			LastLoginAt: microsPtr(u.LastLoginAt), CreatedAt: micros(u.CreatedAt), UpdatedAt: micros(u.UpdatedAt),
		})
		return created(n, err)
	})
	return emailTaken(err)
}

// created gives CodeConflict when an INSERT that gives way to an existing row
// stored nothing. Unlike one that fails, it leaves a transaction of Postgres
// usable.
func created(n int64, err error) error {
	if err == nil && n == 0 {
		return kgl.Errorf(kgl.CodeConflict, conflictMessage)
	}
	return err
}

// emailTaken says more of the only conflict that storing a user can meet.
func emailTaken(err error) error {
	if kgl.Is(err, kgl.CodeConflict) {
		return kgl.Wrap(err, kgl.CodeConflict, "a user with this email exists already")
	}
	return err
}

// User implements kgl.UserStore.
func (db *DB) User(ctx context.Context, id string) (kgl.User, error) {
	row, err := one(ctx, db, "user", func(c *conn) (sqlitedb.User, error) { return c.User(ctx, id) })
	return userOf(row), err
}

// UserByEmail implements kgl.UserStore.
func (db *DB) UserByEmail(ctx context.Context, emailKey string) (kgl.User, error) {
	row, err := one(ctx, db, "user", func(c *conn) (sqlitedb.User, error) { return c.UserByEmail(ctx, emailKey) })
	return userOf(row), err
}

func userOf(row sqlitedb.User) kgl.User {
	return kgl.User{
		ID: row.ID, Email: row.Email, EmailKey: row.EmailKey, Name: row.Name, Role: kgl.Role(row.Role),
		Status: kgl.UserStatus(row.Status), PasswordHash: row.PasswordHash, Version: row.Version,
		LastLoginAt: timePtr(row.LastLoginAt), CreatedAt: timeOf(row.CreatedAt), UpdatedAt: timeOf(row.UpdatedAt),
	}
}

// UpdateUser implements kgl.UserStore.
func (db *DB) UpdateUser(ctx context.Context, u kgl.User) (kgl.User, error) {
	var row sqlitedb.User
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		row, err = c.UpdateUser(ctx, sqlitedb.UpdateUserParams{
			ID: u.ID, Version: u.Version, Email: u.Email, EmailKey: u.EmailKey, Name: u.Name, Role: string(u.Role),
			Status: string(u.Status), PasswordHash: u.PasswordHash, UpdatedAt: micros(u.UpdatedAt),
		})
		if isNoRows(err) {
			_, err = c.User(ctx, u.ID)
			return staleOrMissing(err, "user")
		}
		return err
	})
	if err != nil {
		return kgl.User{}, emailTaken(err)
	}
	return userOf(row), nil
}

// staleOrMissing says why an update with a version changed nothing, given the
// outcome of a read of the same row.
func staleOrMissing(err error, kind string) error {
	if err == nil {
		return kgl.Errorf(kgl.CodePreconditionFailed, "the %s was changed meanwhile", kind)
	}
	if isNoRows(err) {
		return kgl.NotFound(kind)
	}
	return err
}

// RecordLogin implements kgl.UserStore.
func (db *DB) RecordLogin(ctx context.Context, userID string, at time.Time, passwordHash string) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		us := micros(at)
		if passwordHash == "" {
			n, err := c.RecordLogin(ctx, sqlitedb.RecordLoginParams{ID: userID, LastLoginAt: &us})
			return affected(n, err, "user")
		}
		n, err := c.RecordLoginWithHash(ctx, sqlitedb.RecordLoginWithHashParams{
			ID: userID, LastLoginAt: &us, PasswordHash: passwordHash,
		})
		return affected(n, err, "user")
	})
}

// DeleteUser implements kgl.UserStore.
func (db *DB) DeleteUser(ctx context.Context, id string) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.DeleteUser(ctx, id)
		return affected(n, err, "user")
	})
}

// CountActiveAdmins implements kgl.UserStore.
func (db *DB) CountActiveAdmins(ctx context.Context) (int64, error) {
	var n int64
	err := db.read(ctx, func(c *conn) error {
		ids, err := c.LockActiveAdmins(ctx)
		n = int64(len(ids))
		return err
	})
	return n, err
}

// CountUsers implements kgl.UserStore.
func (db *DB) CountUsers(ctx context.Context) (int64, error) {
	var n int64
	err := db.read(ctx, func(c *conn) (err error) {
		n, err = c.CountUsers(ctx)
		return err
	})
	return n, err
}

const userColumns sqlText = `SELECT id, email, email_key, name, role, status, password_hash, version, last_login_at,
  created_at, updated_at FROM users`

// Users implements kgl.UserStore.
func (db *DB) Users(ctx context.Context, f kgl.UserFilter, p kgl.Page) (kgl.List[kgl.User], error) {
	var out kgl.List[kgl.User]
	err := db.read(ctx, func(c *conn) (err error) {
		out, err = readList(ctx, c, usersQuery(c.engine, f, p), p, scanUser, func(u kgl.User) kgl.Position {
			return kgl.Position{Int: micros(u.CreatedAt), ID: u.ID}
		})
		return err
	})
	return out, err
}

func usersQuery(e Engine, f kgl.UserFilter, p kgl.Page) *listQuery {
	q := newList(e, userColumns)
	if f.Role != "" {
		q.compare("role", "=", string(f.Role))
	}
	if f.Status != "" {
		q.compare("status", "=", string(f.Status))
	}
	if f.EmailPrefix != "" {
		q.prefix("email_key", f.EmailPrefix)
	}
	q.orderBy(descending, []sqlText{"created_at", "id"}, afterTime(p))
	return q
}

// afterTime returns the place behind which a list ordered by a time goes on.
func afterTime(p kgl.Page) []any {
	if p.After == nil {
		return nil
	}
	return []any{p.After.Int, p.After.ID}
}

func scanUser(rs rows) (kgl.User, error) {
	var row sqlitedb.User
	err := rs.Scan(&row.ID, &row.Email, &row.EmailKey, &row.Name, &row.Role, &row.Status, &row.PasswordHash,
		&row.Version, &row.LastLoginAt, &row.CreatedAt, &row.UpdatedAt)
	return userOf(row), err
}
