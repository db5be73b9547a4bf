package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// AuthenticatorConfig bounds what an Authenticator remembers. Zero fields take
// the defaults.
type AuthenticatorConfig struct {
	CacheSize    int           // verified tokens, default 10,000
	RecheckAfter time.Duration // age at which the session is read again, default 15 s
}

// Authenticator turns access tokens into principals. It remembers tokens that
// it has verified, and asks the store for the state of a session when what it
// knows is older than RecheckAfter: a revocation counts everywhere after that
// time, and at once on the replica on which it was made. It is safe for
// concurrent use.
type Authenticator struct {
	store   kgl.SessionStore
	tokens  *Tokens
	clock   kgl.Clock
	recheck time.Duration
	cache   *lru.Cache[[sha256.Size]byte, verifiedToken]
	epoch   atomic.Uint64 // counts the calls of Forget
}

// verifiedToken is what is known about a token whose signature is right.
type verifiedToken struct {
	claims    AccessClaims
	principal kgl.Principal
	checkedAt time.Time // when the session was read
}

// NewAuthenticator returns an Authenticator.
func NewAuthenticator(store kgl.SessionStore, tokens *Tokens, clock kgl.Clock, cfg AuthenticatorConfig) (*Authenticator, error) {
	cache, err := lru.New[[sha256.Size]byte, verifiedToken](orDefault(cfg.CacheSize, 10_000))
	if err != nil {
		return nil, fmt.Errorf("make the token cache: %w", err)
	}
	return &Authenticator{
		store: store, tokens: tokens, clock: clock, cache: cache,
		recheck: orDefault(cfg.RecheckAfter, 15*time.Second),
	}, nil
}

// Authenticate returns the principal of an access token. Its scopes are those
// of the token that the owner's present role still has. CodeUnauthenticated:
// the token is not valid, its session ended, or its owner is gone or disabled.
// Errors of the store, such as CodeUnavailable, come through as they are.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (kgl.Principal, error) {
	key := sha256.Sum256([]byte(token))
	known, hit := a.cache.Get(key)
	if hit && !a.stillValid(known.claims) {
		a.cache.Remove(key)
		hit = false
	}
	now := a.clock.Now()
	if hit && now.Sub(known.checkedAt).Abs() < a.recheck {
		return known.principal, nil
	}
	claims := known.claims
	if !hit {
		var err error
		if claims, err = a.tokens.Verify(ctx, token); err != nil {
			return kgl.Principal{}, err
		}
	}
	epoch := a.epoch.Load()
	principal, err := a.principal(ctx, claims)
	if err != nil {
		a.cache.Remove(key)
		return kgl.Principal{}, err
	}
	a.cache.Add(key, verifiedToken{claims: claims, principal: principal, checkedAt: now})
	if a.epoch.Load() != epoch {
		a.cache.Remove(key) // something was forgotten meanwhile, perhaps this
	}
	return principal, nil
}

// stillValid repeats the checks of a verified token that time can change.
func (a *Authenticator) stillValid(claims AccessClaims) bool {
	_, known := a.tokens.keys.find(claims.KeyID)
	return known && a.tokens.checkTimes(claims) == nil
}

// principal reads the session behind the claims.
func (a *Authenticator) principal(ctx context.Context, claims AccessClaims) (kgl.Principal, error) {
	state, err := a.store.SessionState(ctx, claims.SessionID)
	if kgl.Is(err, kgl.CodeNotFound) {
		return kgl.Principal{}, unauthenticated(err)
	}
	if err != nil {
		return kgl.Principal{}, err
	}
	if err := sessionUsable(state, a.clock.Now()); err != nil {
		return kgl.Principal{}, unauthenticated(err)
	}
	if state.UserID != claims.Subject {
		return kgl.Principal{}, unauthenticated(errSessionOfOther)
	}
	return kgl.Principal{
		Type: kgl.PrincipalUser, ID: state.UserID, Role: state.Role,
		Scopes: EffectiveScopes(claims.Scopes, state.Role), SessionID: claims.SessionID,
	}, nil
}

// ForgetSession makes this replica ask for the state of a session again.
func (a *Authenticator) ForgetSession(sessionID string) {
	a.forget(func(p kgl.Principal) bool { return p.SessionID == sessionID })
}

// ForgetUser makes this replica ask for the state of a user's sessions again.
func (a *Authenticator) ForgetUser(userID string) {
	a.forget(func(p kgl.Principal) bool { return p.ID == userID })
}

func (a *Authenticator) forget(match func(kgl.Principal) bool) {
	a.epoch.Add(1)
	for _, key := range a.cache.Keys() {
		if known, ok := a.cache.Peek(key); ok && match(known.principal) {
			a.cache.Remove(key)
		}
	}
}
