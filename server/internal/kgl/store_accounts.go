package kgl

import (
	"context"
	"time"
)

// UserStore keeps accounts.
type UserStore interface {
	// CreateUser stores a user. CodeConflict: the email is taken.
	CreateUser(ctx context.Context, u User) error

	// User returns a user. CodeNotFound.
	User(ctx context.Context, id string) (User, error)

	// UserByEmail returns the user with that EmailKey. CodeNotFound.
	UserByEmail(ctx context.Context, emailKey string) (User, error)

	// Users returns a page, newest first. Position: Int (created_at), ID.
	Users(ctx context.Context, f UserFilter, p Page) (List[User], error)

	// UpdateUser stores Email, Name, Role, Status and PasswordHash when the
	// stored version is u.Version, and returns it with Version+1.
	// CodeNotFound; CodePreconditionFailed; CodeConflict: the email is taken.
	UpdateUser(ctx context.Context, u User) (User, error)

	// RecordLogin sets LastLoginAt and, unless empty, the password hash (a
	// rehash under stronger parameters) without a new version. CodeNotFound.
	RecordLogin(ctx context.Context, userID string, at time.Time, passwordHash string) error

	// DeleteUser removes a user with its sessions. CodeNotFound.
	DeleteUser(ctx context.Context, id string) error

	// CountActiveAdmins returns the number of active admins. In a transaction it
	// locks them, so that two callers cannot each remove the other's last one.
	CountActiveAdmins(ctx context.Context) (int64, error)

	// CountUsers returns the number of users.
	CountUsers(ctx context.Context) (int64, error)
}

// SessionStore keeps login sessions and their refresh tokens.
type SessionStore interface {
	// CreateSession stores a session with its first refresh token.
	CreateSession(ctx context.Context, s Session, t RefreshToken) error

	// Session returns a session. CodeNotFound.
	Session(ctx context.Context, id string) (Session, error)

	// SessionState returns what a token check needs, in one read. CodeNotFound.
	SessionState(ctx context.Context, sessionID string) (SessionState, error)

	// RefreshTokenForUpdate returns the token with that hash and locks it until
	// the transaction ends. CodeNotFound.
	RefreshTokenForUpdate(ctx context.Context, hash string) (RefreshToken, error)

	// RotateRefreshToken marks old as used (UsedAt, SuccessorSealed) and stores
	// its successor. CodeConflict: old was used already.
	RotateRefreshToken(ctx context.Context, old, successor RefreshToken) error

	// RevokeSession ends a session; one that ended stays as it is. CodeNotFound.
	RevokeSession(ctx context.Context, id, reason string, now time.Time) error

	// RevokeUserSessions ends all sessions of a user and returns their number.
	RevokeUserSessions(ctx context.Context, userID, reason string, now time.Time) (int64, error)

	// DeleteExpiredSessions removes at most limit sessions that expired before
	// the given time, and returns their number.
	DeleteExpiredSessions(ctx context.Context, before time.Time, limit int) (int64, error)
}

// ThrottleStore counts failed logins for all replicas.
type ThrottleStore interface {
	// LoginThrottles returns the counters with the given keys, those that exist.
	LoginThrottles(ctx context.Context, keys []string) ([]LoginThrottle, error)

	// AddLoginFailure adds one failure to the counter and returns it; a counter
	// whose window began before windowStart starts anew at now.
	AddLoginFailure(ctx context.Context, key string, now, windowStart time.Time) (LoginThrottle, error)

	// BlockLogin sets the time until which the key is blocked. CodeNotFound.
	BlockLogin(ctx context.Context, key string, until, now time.Time) error

	// ClearLoginThrottles removes the counters.
	ClearLoginThrottles(ctx context.Context, keys []string) error

	// DeleteStaleThrottles removes at most limit counters that were last changed
	// before the given time, and returns their number.
	DeleteStaleThrottles(ctx context.Context, before time.Time, limit int) (int64, error)
}

// SigningKeyStore keeps sealed signing keys for all replicas.
type SigningKeyStore interface {
	// SigningKeys returns all keys, oldest first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)

	// CreateSigningKey stores a key. CodeConflict: the id exists.
	CreateSigningKey(ctx context.Context, k SigningKey) error

	// RetireSigningKey stores RetiredAt and ExpiresAt. CodeNotFound.
	RetireSigningKey(ctx context.Context, id string, retiredAt, expiresAt time.Time) error

	// DeleteSigningKeys removes keys that expired before the given time.
	DeleteSigningKeys(ctx context.Context, before time.Time) error
}
