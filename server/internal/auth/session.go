package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

var (
	errSessionRevoked  = errors.New("the session was revoked")
	errSessionExpired  = errors.New("the session has expired")
	errUserDisabled    = errors.New("the user is disabled")
	errSessionOfOther  = errors.New("the session belongs to another user")
	errRefreshUnknown  = errors.New("the refresh token is unknown")
	errRefreshExpired  = errors.New("the refresh token has expired")
	errRefreshReplayed = errors.New("the refresh token was used before")
)

// sessionUsable returns why a session is of no use at now, or nil.
func sessionUsable(s kgl.SessionState, now time.Time) error {
	switch {
	case s.Revoked:
		return errSessionRevoked
	case !now.Before(s.ExpiresAt):
		return errSessionExpired
	case s.Status != kgl.UserActive:
		return errUserDisabled
	}
	return nil
}

// TokenSet is what a client gets for its credentials.
type TokenSet struct {
	AccessToken  string
	RefreshToken string
	ExpiresIn    time.Duration // of the access token
	Scopes       []string
	User         kgl.User
}

func refreshRefused(cause error) error {
	return kgl.Wrap(cause, kgl.CodeUnauthenticated, "the refresh token is expired, used or not valid")
}

// grant is the outcome of a transaction that begins or prolongs a session.
type grant struct {
	user    kgl.User
	session string
	refresh refreshSecret
	scopes  []string
	refused error // the transaction is committed, the client gets this
}

// tokenSet makes the answer of a grant. The access token is signed after the
// transaction, which should hold no locks that long.
func (l *Logins) tokenSet(g grant) (TokenSet, error) {
	access, _, err := l.tokens.Issue(g.user.ID, g.user.Role, g.scopes, g.session)
	if err != nil {
		return TokenSet{}, err
	}
	return TokenSet{
		AccessToken: access, RefreshToken: g.refresh.Token(), ExpiresIn: l.tokens.TTL(),
		Scopes: g.scopes, User: g.user,
	}, nil
}

// begin stores a new session with its first refresh token.
func (l *Logins) begin(ctx context.Context, tx kgl.Store, u kgl.User, scopes []string, c Client) (grant, error) {
	secret, err := newRefreshSecret(l.random)
	if err != nil {
		return grant{}, err
	}
	now := l.clock.Now()
	session := kgl.Session{
		ID: l.ids.NewID(), UserID: u.ID, Scope: FormatScope(scopes), UserAgent: clip(c.UserAgent, maxUserAgentRunes),
		Address: c.Address, CreatedAt: now, ExpiresAt: now.Add(l.cfg.SessionTTL),
	}
	token := l.refreshRow(secret, session.ID, session.ExpiresAt)
	if err := tx.CreateSession(ctx, session, token); err != nil {
		return grant{}, fmt.Errorf("store the session: %w", err)
	}
	return grant{user: u, session: session.ID, refresh: secret, scopes: scopes}, nil
}

// refreshRow is the stored form of a refresh token, which ends no later than
// its session.
func (l *Logins) refreshRow(secret refreshSecret, sessionID string, sessionEnd time.Time) kgl.RefreshToken {
	now := l.clock.Now()
	expires := now.Add(l.cfg.RefreshTTL)
	if expires.After(sessionEnd) {
		expires = sessionEnd
	}
	return kgl.RefreshToken{ID: l.ids.NewID(), SessionID: sessionID, TokenHash: secret.Hash(), CreatedAt: now, ExpiresAt: expires}
}

// Refresh exchanges a refresh token for new tokens of the same session. scope
// may narrow the access token (RFC 6749 section 6); empty keeps the session's.
//
// A token is good for one exchange. Presented again within the grace, because
// the answer got lost, it gives the same successor; presented later, or after
// its successor was used, it shows that someone else has it, and the session
// ends. CodeUnauthenticated: the token is of no use; CodeInvalid: the scope
// exceeds that of the session.
func (l *Logins) Refresh(ctx context.Context, refreshToken, scope string) (TokenSet, error) {
	wanted, err := ParseScope(scope)
	if err != nil {
		return TokenSet{}, err
	}
	secret, ok := parseRefreshToken(refreshToken)
	if !ok {
		return TokenSet{}, refreshRefused(errRefreshUnknown)
	}
	var g grant
	err = l.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		g, err = l.exchange(ctx, tx, secret, wanted)
		return err
	})
	if err != nil {
		return TokenSet{}, err
	}
	if g.refused != nil {
		l.authenticator.ForgetSession(g.session)
		l.refusals.Add(refusedSession(g.session), time.Time{})
		return TokenSet{}, g.refused
	}
	return l.tokenSet(g)
}

// exchange is the transaction of Refresh. A refusal that has to be stored is
// in the grant, other errors roll back.
func (l *Logins) exchange(ctx context.Context, tx kgl.Store, secret refreshSecret, wanted []string) (grant, error) {
	token, err := tx.RefreshTokenForUpdate(ctx, secret.Hash())
	if kgl.Is(err, kgl.CodeNotFound) {
		return grant{}, refreshRefused(errRefreshUnknown)
	}
	if err != nil {
		return grant{}, err
	}
	session, err := tx.Session(ctx, token.SessionID)
	if err != nil {
		return grant{}, fmt.Errorf("read the session: %w", err)
	}
	user, err := tx.User(ctx, session.UserID)
	if err != nil {
		return grant{}, fmt.Errorf("read the user of a session: %w", err)
	}
	g := grant{user: user, session: session.ID}
	ctx = withUser(ctx, user, session.ID)
	now := l.clock.Now()
	state := kgl.SessionState{Revoked: session.RevokedAt != nil, ExpiresAt: session.ExpiresAt, Status: user.Status}
	if err := sessionUsable(state, now); err != nil {
		return l.refuseRefresh(ctx, tx, g, err)
	}
	if token.UsedAt == nil && !now.Before(token.ExpiresAt) {
		return l.refuseRefresh(ctx, tx, g, errRefreshExpired)
	}
	if g.scopes, err = narrow(EffectiveScopes(strings.Fields(session.Scope), user.Role), wanted); err != nil {
		return grant{}, err
	}
	if token.UsedAt == nil {
		g.refresh, err = l.rotate(ctx, tx, secret, token, session.ExpiresAt)
		return g, err
	}
	return l.repeat(ctx, tx, secret, token, g)
}

// rotate uses a refresh token up and stores its successor.
func (l *Logins) rotate(ctx context.Context, tx kgl.Store, secret refreshSecret, token kgl.RefreshToken, sessionEnd time.Time) (refreshSecret, error) {
	next, err := newRefreshSecret(l.random)
	if err != nil {
		return refreshSecret{}, err
	}
	if token.SuccessorSealed, err = secret.sealSuccessor(l.random, next); err != nil {
		return refreshSecret{}, err
	}
	now := l.clock.Now()
	token.UsedAt = &now
	if err := tx.RotateRefreshToken(ctx, token, l.refreshRow(next, token.SessionID, sessionEnd)); err != nil {
		return refreshSecret{}, fmt.Errorf("rotate the refresh token: %w", err)
	}
	return next, nil
}

// repeat answers a token that was exchanged before.
func (l *Logins) repeat(ctx context.Context, tx kgl.Store, secret refreshSecret, token kgl.RefreshToken, g grant) (grant, error) {
	now := l.clock.Now()
	if now.Sub(*token.UsedAt) <= l.cfg.RefreshGrace {
		next, err := secret.openSuccessor(token.SuccessorSealed)
		if err != nil {
			return grant{}, err
		}
		successor, err := tx.RefreshTokenForUpdate(ctx, next.Hash())
		if err != nil {
			return grant{}, fmt.Errorf("read the successor of a refresh token: %w", err)
		}
		if successor.UsedAt == nil {
			g.refresh = next
			return g, nil
		}
	}
	if err := tx.RevokeSession(ctx, token.SessionID, "refresh_token_reused", now); err != nil {
		return grant{}, fmt.Errorf("revoke the session: %w", err)
	}
	return l.refuseRefresh(ctx, tx, g, errRefreshReplayed)
}

// refuseRefresh records a refusal and leaves it in the grant. Tokens of a
// session that has ended are recorded once: repeating them must not fill the
// log.
func (l *Logins) refuseRefresh(ctx context.Context, tx kgl.Store, g grant, cause error) (grant, error) {
	g.refused = refreshRefused(cause)
	if l.refusals.Contains(refusedSession(g.session)) && !errors.Is(cause, errRefreshReplayed) {
		return g, nil
	}
	return g, l.audit(ctx, tx, "auth.refresh", "session", g.session, kgl.AuditRefused, map[string]any{"reason": cause.Error()})
}

func refusedSession(id string) string { return "session:" + id }

// narrow returns the wanted part of the granted scopes, all for none wanted.
func narrow(granted, wanted []string) ([]string, error) {
	for _, s := range wanted {
		if !slices.Contains(granted, s) {
			return nil, kgl.Invalid("scope", "exceeds what was granted")
		}
	}
	if len(wanted) == 0 {
		return granted, nil
	}
	return wanted, nil
}

// Logout ends the session of the principal and, when a refresh token is given
// that belongs to the same user, the session of that. A refresh token that is
// unknown or another's changes nothing and is no error.
func (l *Logins) Logout(ctx context.Context, principal kgl.Principal, refreshToken string) error {
	sessions := []string{principal.SessionID}
	err := l.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		sessions = sessions[:1]
		other, err := l.sessionOf(ctx, tx, principal.ID, refreshToken)
		if err != nil {
			return err
		}
		if other != "" && other != principal.SessionID {
			sessions = append(sessions, other)
		}
		for _, id := range sessions {
			err := tx.RevokeSession(ctx, id, "logout", l.clock.Now())
			if err != nil && !kgl.Is(err, kgl.CodeNotFound) { // gone with its user: ended as well
				return fmt.Errorf("revoke the session: %w", err)
			}
		}
		for _, id := range sessions {
			if err := l.audit(ctx, tx, "auth.logout", "session", id, kgl.AuditSuccess, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range sessions {
		l.authenticator.ForgetSession(id)
	}
	return nil
}

// sessionOf returns the session of a refresh token of the user, or nothing.
func (l *Logins) sessionOf(ctx context.Context, tx kgl.Store, userID, refreshToken string) (string, error) {
	secret, ok := parseRefreshToken(refreshToken)
	if !ok {
		return "", nil
	}
	token, err := tx.RefreshTokenForUpdate(ctx, secret.Hash())
	if kgl.Is(err, kgl.CodeNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	session, err := tx.Session(ctx, token.SessionID)
	if err != nil || session.UserID != userID {
		return "", err
	}
	return session.ID, nil
}
