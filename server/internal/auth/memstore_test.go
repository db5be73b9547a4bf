package auth

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// memStore is a kgl.Store in memory with the parts that this package uses.
// Transactions run one at a time and roll back.
type memStore struct {
	kgl.Store // the parts that are not used: a call of them panics

	mu         sync.Mutex // held by a transaction, or by a single call outside of one
	data       memData
	auditFails bool
	stateReads int
}

type memData struct {
	users     map[string]kgl.User
	sessions  map[string]kgl.Session
	tokens    map[string]kgl.RefreshToken // by hash
	throttles map[string]kgl.LoginThrottle
	keys      map[string]kgl.SigningKey
	audit     []kgl.AuditEvent
}

func newMemStore() *memStore {
	return &memStore{data: memData{
		users: map[string]kgl.User{}, sessions: map[string]kgl.Session{}, tokens: map[string]kgl.RefreshToken{},
		throttles: map[string]kgl.LoginThrottle{}, keys: map[string]kgl.SigningKey{},
	}}
}

func (d memData) clone() memData {
	return memData{
		users: maps.Clone(d.users), sessions: maps.Clone(d.sessions), tokens: maps.Clone(d.tokens),
		throttles: maps.Clone(d.throttles), keys: maps.Clone(d.keys), audit: slices.Clone(d.audit),
	}
}

type memTxKey struct{}

func (m *memStore) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	if ctx.Value(memTxKey{}) != nil {
		return fn(ctx, m)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.data.clone()
	if err := fn(context.WithValue(ctx, memTxKey{}, true), m); err != nil {
		m.data = before
		return err
	}
	return nil
}

// lock takes the lock for one call, unless it is part of a transaction.
func (m *memStore) lock(ctx context.Context) func() {
	if ctx.Value(memTxKey{}) != nil {
		return func() {}
	}
	m.mu.Lock()
	return m.mu.Unlock
}

func lookup[V any](m map[string]V, key, kind string) (V, error) {
	v, ok := m[key]
	if !ok {
		return v, kgl.NotFound(kind)
	}
	return v, nil
}

func (m *memStore) SetSetting(ctx context.Context, _, _ string, _ time.Time) error {
	defer m.lock(ctx)()
	return nil
}

func (m *memStore) CreateUser(ctx context.Context, u kgl.User) error {
	defer m.lock(ctx)()
	for _, other := range m.data.users {
		if other.EmailKey == u.EmailKey {
			return kgl.Errorf(kgl.CodeConflict, "the email is taken")
		}
	}
	m.data.users[u.ID] = u
	return nil
}

func (m *memStore) User(ctx context.Context, id string) (kgl.User, error) {
	defer m.lock(ctx)()
	return lookup(m.data.users, id, "user")
}

func (m *memStore) UserByEmail(ctx context.Context, key string) (kgl.User, error) {
	defer m.lock(ctx)()
	for _, u := range m.data.users {
		if u.EmailKey == key {
			return u, nil
		}
	}
	return kgl.User{}, kgl.NotFound("user")
}

func (m *memStore) UpdateUser(ctx context.Context, u kgl.User) (kgl.User, error) {
	defer m.lock(ctx)()
	old, err := lookup(m.data.users, u.ID, "user")
	if err != nil {
		return u, err
	}
	if old.Version != u.Version {
		return u, kgl.Errorf(kgl.CodePreconditionFailed, "stale")
	}
	for _, other := range m.data.users {
		if other.ID != u.ID && other.EmailKey == u.EmailKey {
			return u, kgl.Errorf(kgl.CodeConflict, "the email is taken")
		}
	}
	u.Version++
	m.data.users[u.ID] = u
	return u, nil
}

func (m *memStore) RecordLogin(ctx context.Context, id string, at time.Time, hash string) error {
	defer m.lock(ctx)()
	u, err := lookup(m.data.users, id, "user")
	if err != nil {
		return err
	}
	u.LastLoginAt, u.PasswordHash = &at, cmp.Or(hash, u.PasswordHash)
	m.data.users[id] = u
	return nil
}

func (m *memStore) DeleteUser(ctx context.Context, id string) error {
	defer m.lock(ctx)()
	if _, err := lookup(m.data.users, id, "user"); err != nil {
		return err
	}
	delete(m.data.users, id)
	maps.DeleteFunc(m.data.sessions, func(_ string, s kgl.Session) bool { return s.UserID == id })
	return nil
}

func (m *memStore) CountActiveAdmins(ctx context.Context) (n int64, err error) {
	defer m.lock(ctx)()
	for _, u := range m.data.users {
		if isActiveAdmin(u) {
			n++
		}
	}
	return n, nil
}

func (m *memStore) CountUsers(ctx context.Context) (int64, error) {
	defer m.lock(ctx)()
	return int64(len(m.data.users)), nil
}

func (m *memStore) CreateSession(ctx context.Context, s kgl.Session, t kgl.RefreshToken) error {
	defer m.lock(ctx)()
	m.data.sessions[s.ID], m.data.tokens[t.TokenHash] = s, t
	return nil
}

func (m *memStore) Session(ctx context.Context, id string) (kgl.Session, error) {
	defer m.lock(ctx)()
	return lookup(m.data.sessions, id, "session")
}

func (m *memStore) SessionState(ctx context.Context, id string) (kgl.SessionState, error) {
	defer m.lock(ctx)()
	m.stateReads++
	s, err := lookup(m.data.sessions, id, "session")
	if err != nil {
		return kgl.SessionState{}, err
	}
	u, err := lookup(m.data.users, s.UserID, "user")
	return kgl.SessionState{SessionID: id, Revoked: s.RevokedAt != nil, ExpiresAt: s.ExpiresAt, UserID: u.ID, Role: u.Role, Status: u.Status}, err
}

func (m *memStore) RefreshTokenForUpdate(ctx context.Context, hash string) (kgl.RefreshToken, error) {
	defer m.lock(ctx)()
	return lookup(m.data.tokens, hash, "refresh token")
}

func (m *memStore) RotateRefreshToken(ctx context.Context, old, next kgl.RefreshToken) error {
	defer m.lock(ctx)()
	if m.data.tokens[old.TokenHash].UsedAt != nil {
		return kgl.Errorf(kgl.CodeConflict, "used")
	}
	m.data.tokens[old.TokenHash], m.data.tokens[next.TokenHash] = old, next
	return nil
}

func (m *memStore) RevokeSession(ctx context.Context, id, reason string, now time.Time) error {
	defer m.lock(ctx)()
	s, err := lookup(m.data.sessions, id, "session")
	if err != nil {
		return err
	}
	if s.RevokedAt == nil {
		s.RevokedAt, s.RevokeReason = &now, reason
		m.data.sessions[id] = s
	}
	return nil
}

func (m *memStore) RevokeUserSessions(ctx context.Context, userID, reason string, now time.Time) (n int64, err error) {
	defer m.lock(ctx)()
	for id, s := range m.data.sessions {
		if s.UserID == userID && s.RevokedAt == nil {
			s.RevokedAt, s.RevokeReason = &now, reason
			m.data.sessions[id] = s
			n++
		}
	}
	return n, nil
}

func (m *memStore) LoginThrottles(ctx context.Context, keys []string) (rows []kgl.LoginThrottle, err error) {
	defer m.lock(ctx)()
	for _, k := range keys {
		if row, ok := m.data.throttles[k]; ok {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (m *memStore) AddLoginFailure(ctx context.Context, key string, now, windowStart time.Time) (kgl.LoginThrottle, error) {
	defer m.lock(ctx)()
	row, ok := m.data.throttles[key]
	if !ok || row.WindowStart.Before(windowStart) {
		row = kgl.LoginThrottle{Key: key, WindowStart: now}
	}
	row.Failures++
	row.UpdatedAt = now
	m.data.throttles[key] = row
	return row, nil
}

func (m *memStore) BlockLogin(ctx context.Context, key string, until, now time.Time) error {
	defer m.lock(ctx)()
	row, err := lookup(m.data.throttles, key, "throttle")
	row.BlockedUntil, row.UpdatedAt = &until, now
	m.data.throttles[key] = row
	return err
}

func (m *memStore) ClearLoginThrottles(ctx context.Context, keys []string) error {
	defer m.lock(ctx)()
	for _, k := range keys {
		delete(m.data.throttles, k)
	}
	return nil
}

func (m *memStore) SigningKeys(ctx context.Context) ([]kgl.SigningKey, error) {
	defer m.lock(ctx)()
	return slices.Collect(maps.Values(m.data.keys)), nil
}

func (m *memStore) CreateSigningKey(ctx context.Context, k kgl.SigningKey) error {
	defer m.lock(ctx)()
	m.data.keys[k.ID] = k
	return nil
}

func (m *memStore) RetireSigningKey(ctx context.Context, id string, retired, expires time.Time) error {
	defer m.lock(ctx)()
	k, err := lookup(m.data.keys, id, "signing key")
	k.RetiredAt, k.ExpiresAt = &retired, &expires
	m.data.keys[id] = k
	return err
}

func (m *memStore) DeleteSigningKeys(ctx context.Context, before time.Time) error {
	defer m.lock(ctx)()
	maps.DeleteFunc(m.data.keys, func(_ string, k kgl.SigningKey) bool { return k.ExpiresAt != nil && k.ExpiresAt.Before(before) })
	return nil
}

func (m *memStore) AppendAudit(ctx context.Context, e kgl.AuditEvent) (kgl.AuditEvent, error) {
	defer m.lock(ctx)()
	if m.auditFails {
		return e, errors.New("the audit log is down")
	}
	e.Seq = int64(len(m.data.audit) + 1)
	m.data.audit = append(m.data.audit, e)
	return e, nil
}

// audited returns "action outcome" of the rows written so far.
func (m *memStore) audited() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []string
	for _, e := range m.data.audit {
		rows = append(rows, e.Action+" "+string(e.Outcome))
	}
	return rows
}

// last returns the last audit row.
func (m *memStore) last() kgl.AuditEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.data.audit) == 0 {
		return kgl.AuditEvent{}
	}
	return m.data.audit[len(m.data.audit)-1]
}
