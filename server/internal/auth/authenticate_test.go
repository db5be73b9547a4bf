package auth

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// failingSessions is a SessionStore whose reads fail.
type failingSessions struct {
	*memStore
	err error
}

func (f failingSessions) SessionState(context.Context, string) (kgl.SessionState, error) {
	return kgl.SessionState{}, f.err
}

// Whatever ends or changes a session counts at once where it was done, and
// within the bound on the other replicas.
func TestRevocationReachesAllReplicas(t *testing.T) {
	disabled, moderator, password := kgl.UserDisabled, kgl.RoleModerator, otherPassword
	for name, revoke := range map[string]func(*testing.T, replica, kgl.User, TokenSet) error{
		"logout": func(t *testing.T, r replica, _ kgl.User, set TokenSet) error {
			return r.logins.Logout(t.Context(), r.principal(t, set.AccessToken), "")
		},
		"disabled": func(t *testing.T, r replica, u kgl.User, _ TokenSet) error {
			_, err := r.accounts.Update(t.Context(), u.ID, 0, UserPatch{Status: &disabled})
			return err
		},
		"role changed": func(t *testing.T, r replica, u kgl.User, _ TokenSet) error {
			_, err := r.accounts.Update(t.Context(), u.ID, 0, UserPatch{Role: &moderator})
			return err
		},
		"password set by an admin": func(t *testing.T, r replica, u kgl.User, _ TokenSet) error {
			_, err := r.accounts.Update(t.Context(), u.ID, 0, UserPatch{Password: &password})
			return err
		},
		"own password changed": func(t *testing.T, r replica, u kgl.User, _ TokenSet) error {
			return r.accounts.ChangePassword(t.Context(), u.ID, goodPassword, otherPassword)
		},
		"password reset by the operator": func(t *testing.T, r replica, u kgl.User, _ TokenSet) error {
			_, err := r.accounts.SetPassword(t.Context(), u.Email, otherPassword)
			return err
		},
		"deleted": func(t *testing.T, r replica, u kgl.User, _ TokenSet) error {
			return r.accounts.Delete(t.Context(), u.ID, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			one := newService(t)
			two := one.second(t)
			u := one.user(t, "ada@example.org", kgl.RoleUser)
			bystander := one.user(t, "bob@example.org", kgl.RoleUser)
			set, other := one.login(t, "ada@example.org"), one.login(t, "bob@example.org")
			if !one.valid(set.AccessToken) || !two.valid(set.AccessToken) {
				t.Fatal("the token does not work")
			}
			if err := revoke(t, one, u, set); err != nil {
				t.Fatal(err)
			}
			if one.valid(set.AccessToken) {
				t.Error("the token still works on the same replica")
			}
			one.clock.Advance(seconds(15))
			if two.valid(set.AccessToken) {
				t.Error("the token still works on the other replica after 15 s")
			}
			if _, err := two.logins.Refresh(t.Context(), set.RefreshToken, ""); err == nil {
				t.Error("the refresh token still works")
			}
			if two.principal(t, other.AccessToken).ID != bystander.ID {
				t.Error("the session of someone else ended")
			}
		})
	}
}

// A role that was taken away behind the back of the service takes its scopes
// with it, although the token still names them.
func TestAuthenticateFollowsTheRole(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleAdmin)
	set := r.login(t, "ada@example.org")
	if !r.principal(t, set.AccessToken).HasScope(ScopeUsersWrite) {
		t.Fatal("an admin has no users:write")
	}
	u = r.store.data.users[u.ID]
	u.Role = kgl.RoleUser
	r.store.data.users[u.ID] = u
	r.clock.Advance(seconds(15))
	if p := r.principal(t, set.AccessToken); p.HasScope(ScopeUsersWrite) || p.Role != kgl.RoleUser || !p.HasScope(ScopeProfile) {
		t.Errorf("principal = %+v", p)
	}
}

func TestAuthenticateCaches(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	set := r.login(t, "ada@example.org")
	for range 100 {
		r.principal(t, set.AccessToken)
	}
	if r.store.stateReads != 1 {
		t.Errorf("100 requests read the session %d times, want 1", r.store.stateReads)
	}
	r.clock.Advance(seconds(15))
	r.principal(t, set.AccessToken)
	if r.store.stateReads != 2 {
		t.Errorf("after 15 s the session was read %d times, want 2", r.store.stateReads)
	}
	r.clock.Advance(15*time.Minute + seconds(16))
	if r.valid(set.AccessToken) {
		t.Error("a cached token outlives its end")
	}
	if r.auth.cache.Len() != 0 {
		t.Error("an expired token stays in the cache")
	}
}

func TestAuthenticateForgetsTokensOfRevokedKeys(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	set := r.login(t, "ada@example.org")
	r.principal(t, set.AccessToken)
	if err := r.tokens.keys.Revoke(t.Context(), testKeyPair().ID); err != nil {
		t.Fatal(err)
	}
	if r.valid(set.AccessToken) {
		t.Error("a cached token outlives its key")
	}
}

func TestAuthenticateIsBounded(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	small, err := NewAuthenticator(r.store, r.tokens, r.clock, AuthenticatorConfig{CacheSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := small.Authenticate(t.Context(), r.login(t, "ada@example.org").AccessToken); err != nil {
			t.Fatal(err)
		}
	}
	if small.cache.Len() != 3 {
		t.Errorf("the cache holds %d tokens, want 3", small.cache.Len())
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	set := r.login(t, "ada@example.org")
	session := r.principal(t, set.AccessToken).SessionID
	for name, claims := range map[string][2]string{
		"session of another user": {"someone else", session},
		"no such session":         {u.ID, "nothing"},
	} {
		token, _, err := r.tokens.Issue(claims[0], kgl.RoleUser, []string{ScopeProfile}, claims[1])
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.auth.Authenticate(t.Context(), token)
		if !kgl.Is(err, kgl.CodeUnauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := r.auth.Authenticate(t.Context(), "")
	wantCode(t, err, kgl.CodeUnauthenticated)
}

// A database that is down is not a wrong token, and opens no door.
func TestAuthenticateWhenTheStoreFails(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	set := r.login(t, "ada@example.org")
	down := kgl.Wrap(errors.New("no connection"), kgl.CodeUnavailable, "the database cannot be reached")
	failing, err := NewAuthenticator(failingSessions{r.store, down}, r.tokens, r.clock, AuthenticatorConfig{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = failing.Authenticate(t.Context(), set.AccessToken)
	wantCode(t, err, kgl.CodeUnavailable)
}

func TestAuthenticateAtOnce(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	set := r.login(t, "ada@example.org")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				if !r.valid(set.AccessToken) {
					t.Error("the token is refused")
				}
				if i == 0 {
					r.auth.ForgetUser(u.ID)
				}
			}
		})
	}
	wg.Wait()
}
