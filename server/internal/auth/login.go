package auth

import (
	"context"
	"fmt"
	"io"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// LoginConfig sets the life of sessions. Zero fields take the defaults.
type LoginConfig struct {
	RefreshTTL   time.Duration // of one refresh token, default 7 days
	RefreshGrace time.Duration // in which a used refresh token gives the same successor, default 30 s
	SessionTTL   time.Duration // from login to the next one, however often refreshed, default 30 days
	Throttle     ThrottleConfig
}

// Deps are what the services of this package work with.
type Deps struct {
	Store         kgl.Store
	Clock         kgl.Clock
	IDs           kgl.IDSource
	Random        io.Reader
	Hasher        *Hasher
	Tokens        *Tokens
	Authenticator *Authenticator
}

// Logins begins, prolongs and ends sessions. It is safe for concurrent use.
type Logins struct {
	store         kgl.Store
	clock         kgl.Clock
	ids           kgl.IDSource
	random        io.Reader
	hasher        *Hasher
	tokens        *Tokens
	authenticator *Authenticator
	throttle      *throttle
	refusals      *lru.Cache[string, time.Time] // blocks (until when) and sessions of which a refusal was audited
	cfg           LoginConfig
}

// NewLogins returns the service of sessions.
func NewLogins(d Deps, cfg LoginConfig) (*Logins, error) {
	refusals, err := lru.New[string, time.Time](1024)
	if err != nil {
		return nil, fmt.Errorf("make the cache of refusals: %w", err)
	}
	cfg.RefreshTTL = orDefault(cfg.RefreshTTL, 7*24*time.Hour)
	cfg.RefreshGrace = orDefault(cfg.RefreshGrace, 30*time.Second)
	cfg.SessionTTL = orDefault(cfg.SessionTTL, 30*24*time.Hour)
	cfg.Throttle = cfg.Throttle.withDefaults()
	return &Logins{
		store: d.Store, clock: d.Clock, ids: d.IDs, random: d.Random, hasher: d.Hasher, tokens: d.Tokens,
		authenticator: d.Authenticator, refusals: refusals, cfg: cfg,
		throttle: &throttle{clock: d.Clock, cfg: cfg.Throttle},
	}, nil
}

// Client tells where a login comes from.
type Client struct {
	Address   string // IP address without port
	UserAgent string
}

const maxUserAgentRunes = 256

// Credentials are what a person logs in with.
type Credentials struct {
	Email    string
	Password string
	Scope    string // wanted scopes, separated by spaces; empty for all of the role
}

// Login begins a session.
//
// CodeInvalidCredentials: the email is unknown, the password is wrong, or the
// account is disabled; the answer and the work are the same, so that it does
// not tell which. CodeRateLimited: too many failures for this account or from
// this address. CodeUnavailable: too many logins at once. CodeInvalid: the scope
// does not exist or exceeds the role.
func (l *Logins) Login(ctx context.Context, c Credentials, from Client) (TokenSet, error) {
	if _, err := ParseScope(c.Scope); err != nil {
		return TokenSet{}, err
	}
	try := newAttempt(kgl.NormalizeEmail(c.Email), from.Address)
	state, err := l.throttle.read(ctx, l.store, try)
	if err != nil {
		return TokenSet{}, err
	}
	if state.blocked != "" {
		return TokenSet{}, l.refuseBlocked(ctx, state)
	}
	checked, err := l.check(ctx, c)
	if err != nil {
		return TokenSet{}, err
	}
	var g grant
	err = l.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		g, err = l.decide(ctx, tx, c, from, try, checked)
		return err
	})
	if err != nil {
		return TokenSet{}, err
	}
	if g.refused != nil {
		return TokenSet{}, g.refused
	}
	return l.tokenSet(g)
}

// refuseBlocked answers an attempt while a counter blocks. The first refusal of
// each block is audited; the rest of a flood must not fill the log.
func (l *Logins) refuseBlocked(ctx context.Context, state gauge) error {
	now := l.clock.Now()
	if until, ok := l.refusals.Get(state.blocked); !ok || !until.Equal(state.until) {
		err := l.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
			return l.audit(ctx, tx, "auth.login", "user", "", kgl.AuditRefused, map[string]any{"reason": "throttled"})
		})
		if err != nil {
			return err
		}
		l.refusals.Add(state.blocked, state.until)
	}
	return state.refusal(now)
}

// checkedUser is the outcome of comparing a password, which is done outside of
// any transaction because it takes long.
type checkedUser struct {
	user   kgl.User // zero when the email is unknown
	match  bool
	rehash string // the same password under today's costs, or empty
}

func (l *Logins) check(ctx context.Context, c Credentials) (checkedUser, error) {
	user, err := l.store.UserByEmail(ctx, kgl.NormalizeEmail(c.Email))
	if err != nil && !kgl.Is(err, kgl.CodeNotFound) {
		return checkedUser{}, err
	}
	checked := checkedUser{user: user}
	if len(c.Password) > maxPasswordBytes {
		return checked, nil
	}
	if checked.match, err = l.hasher.Verify(ctx, user.PasswordHash, c.Password); err != nil {
		return checkedUser{}, err
	}
	if checked.match && l.hasher.NeedsRehash(user.PasswordHash) {
		if checked.rehash, err = l.hasher.Hash(ctx, c.Password); err != nil {
			return checkedUser{}, err
		}
	}
	return checked, nil
}

// decide is the transaction of Login. A refusal that has to be stored is in
// the grant, other errors roll back.
func (l *Logins) decide(ctx context.Context, tx kgl.Store, c Credentials, from Client, try attempt, checked checkedUser) (grant, error) {
	state, err := l.throttle.read(ctx, tx, try)
	if err != nil {
		return grant{}, err
	}
	if state.blocked != "" {
		return grant{refused: state.refusal(l.clock.Now())}, l.audit(ctx, tx, "auth.login", "user", checked.user.ID, kgl.AuditRefused,
			map[string]any{"reason": "throttled"})
	}
	reason := "wrong_password"
	user := checked.user
	switch {
	case user.ID == "":
		reason = "unknown_user"
	case checked.match:
		// The account may have changed while its password was compared.
		now, err := tx.User(ctx, user.ID)
		if err != nil && !kgl.Is(err, kgl.CodeNotFound) {
			return grant{}, err
		}
		if err == nil && now.Status == kgl.UserActive && now.PasswordHash == user.PasswordHash {
			checked.user = now
			return l.accept(ctx, tx, c, from, try, checked)
		}
		reason = "disabled_or_changed"
	}
	return l.reject(ctx, tx, try, state.known, user.ID, reason)
}

// accept begins the session of a user who gave the right password.
func (l *Logins) accept(ctx context.Context, tx kgl.Store, c Credentials, from Client, try attempt, checked checkedUser) (grant, error) {
	user := checked.user
	scopes, err := GrantScopes(user.Role, c.Scope)
	if err != nil {
		return grant{}, err
	}
	g, err := l.begin(ctx, tx, user, scopes, from)
	if err != nil {
		return grant{}, err
	}
	now := l.clock.Now()
	if err := tx.RecordLogin(ctx, user.ID, now, checked.rehash); err != nil {
		return grant{}, fmt.Errorf("record the login: %w", err)
	}
	g.user.LastLoginAt = &now
	if err := l.throttle.succeed(ctx, tx, try); err != nil {
		return grant{}, err
	}
	details := map[string]any{"session_id": g.session}
	if checked.rehash != "" {
		details["rehashed"] = true
	}
	return g, l.audit(withUser(ctx, user, g.session), tx, "auth.login", "user", user.ID, kgl.AuditSuccess, details)
}

// reject counts a failed attempt. All its reasons look the same from outside.
func (l *Logins) reject(ctx context.Context, tx kgl.Store, try attempt, known bool, userID, reason string) (grant, error) {
	state, over, err := l.throttle.fail(ctx, tx, try, known)
	if err != nil {
		return grant{}, err
	}
	g := grant{refused: kgl.Errorf(kgl.CodeInvalidCredentials, "wrong email or password")}
	details := map[string]any{"reason": reason}
	if over {
		g.refused = state.refusal(l.clock.Now())
	}
	if state.blocked != "" {
		details["blocked_until"] = state.until.Format(time.RFC3339)
	}
	return g, l.audit(ctx, tx, "auth.login", "user", userID, kgl.AuditFailure, details)
}

// Sweep removes sessions and counters that have outlived their use, a bounded
// number of each, and returns how many there were.
func (l *Logins) Sweep(ctx context.Context) (int64, error) {
	const batch = 1000
	now := l.clock.Now()
	sessions, err := l.store.DeleteExpiredSessions(ctx, now, batch)
	if err != nil {
		return 0, fmt.Errorf("remove expired sessions: %w", err)
	}
	counters, err := l.store.DeleteStaleThrottles(ctx, now.Add(-l.cfg.Throttle.KnownFor), batch)
	if err != nil {
		return sessions, fmt.Errorf("remove stale login counters: %w", err)
	}
	return sessions + counters, nil
}

func (l *Logins) audit(ctx context.Context, tx kgl.Store, action, subjectType, subjectID string, outcome kgl.AuditOutcome, details map[string]any) error {
	return appendAudit(ctx, tx, kgl.NewAuditEvent(ctx, l.ids, l.clock, action, subjectType, subjectID, outcome, details))
}

// appendAudit writes an audit row. Where it cannot be written, the action
// fails with it.
func appendAudit(ctx context.Context, tx kgl.AuditStore, e kgl.AuditEvent) error {
	if _, err := tx.AppendAudit(ctx, e); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// withUser makes u the principal of ctx, for the audit rows of what u does
// before there is a token.
func withUser(ctx context.Context, u kgl.User, sessionID string) context.Context {
	return kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalUser, ID: u.ID, Role: u.Role, SessionID: sessionID})
}

// clip returns the first limit characters of text.
func clip(text string, limit int) string {
	n := 0
	for i := range text {
		if n == limit {
			return text[:i]
		}
		n++
	}
	return text
}
