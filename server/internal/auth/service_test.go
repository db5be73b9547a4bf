package auth

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

const (
	goodPassword  = "plum kettle 42 orbit"
	otherPassword = "tin lantern 17 river"
	home          = "192.0.2.10"
)

// replica is one process: services of its own on a store that is shared.
type replica struct {
	store    *memStore
	clock    *kgl.FakeClock
	logins   *Logins
	accounts *Accounts
	auth     *Authenticator
	tokens   *Tokens
}

func newReplica(t *testing.T, store *memStore, clock *kgl.FakeClock) replica {
	t.Helper()
	ids := kgl.NewUUIDv7(clock, rand.Reader)
	ring := newTestRing(t, clock, &memoryKeys{keys: []kgl.SigningKey{testKeyPair()}})
	tokens, err := NewTokens(ring, clock, ids, TokenConfig{Issuer: "https://kgl.example", Audience: "kgl-api"})
	if err != nil {
		t.Fatal(err)
	}
	authenticator, err := NewAuthenticator(store, tokens, clock, AuthenticatorConfig{})
	if err != nil {
		t.Fatal(err)
	}
	deps := Deps{Store: store, Clock: clock, IDs: ids, Random: rand.Reader, Hasher: cheapHasher(t), Tokens: tokens, Authenticator: authenticator}
	logins, err := NewLogins(deps, LoginConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return replica{store: store, clock: clock, logins: logins, accounts: NewAccounts(deps), auth: authenticator, tokens: tokens}
}

func newService(t *testing.T) replica {
	t.Helper()
	return newReplica(t, newMemStore(), kgl.NewFakeClock(testStart))
}

// second returns another replica on the same store.
func (r replica) second(t *testing.T) replica { return newReplica(t, r.store, r.clock) }

func (r replica) user(t *testing.T, email string, role kgl.Role) kgl.User {
	t.Helper()
	u, err := r.accounts.Create(t.Context(), NewUser{Email: email, Name: "Someone", Role: role, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (r replica) login(t *testing.T, email string) TokenSet {
	t.Helper()
	set, err := r.try(email, goodPassword, home)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func (r replica) try(email, password, address string) (TokenSet, error) {
	return r.logins.Login(context.Background(), Credentials{Email: email, Password: password}, Client{Address: address, UserAgent: "test"})
}

// principal returns the principal of an access token, which must be good.
func (r replica) principal(t *testing.T, token string) kgl.Principal {
	t.Helper()
	p, err := r.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r replica) valid(token string) bool {
	_, err := r.auth.Authenticate(context.Background(), token)
	return err == nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
