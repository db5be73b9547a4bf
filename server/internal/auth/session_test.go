package auth

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestRefreshRotates(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	first := r.login(t, "ada@example.org")
	r.clock.Advance(time.Hour)
	second, err := r.logins.Refresh(t.Context(), first.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || !r.valid(second.AccessToken) {
		t.Error("the refresh gives no new tokens")
	}
	if a, b := r.principal(t, second.AccessToken).SessionID, r.store.data.sessions; len(b) != 1 || b[a].ID == "" {
		t.Error("the refresh made another session")
	}
	for _, bad := range []string{"", "kglr_", "x", first.AccessToken, "kglr_" + strings.Repeat("A", 43)} {
		_, err := r.logins.Refresh(t.Context(), bad, "")
		wantCode(t, err, kgl.CodeUnauthenticated)
	}
	for _, token := range r.store.data.tokens {
		if strings.Contains(fmt.Sprint(token), second.RefreshToken[5:]) {
			t.Error("a refresh token is stored in the clear")
		}
	}
}

// A reply that got lost is given again within the grace: one successor.
func TestRefreshRetriedWithinTheGrace(t *testing.T) {
	one := newService(t)
	two := one.second(t)
	one.user(t, "ada@example.org", kgl.RoleUser)
	first := one.login(t, "ada@example.org")
	second, err := one.logins.Refresh(t.Context(), first.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	one.clock.Advance(seconds(30))
	again, err := two.logins.Refresh(t.Context(), first.RefreshToken, "")
	if err != nil || again.RefreshToken != second.RefreshToken {
		t.Fatalf("the retry gives another successor: %v", err)
	}
	if !two.valid(again.AccessToken) || len(one.store.data.tokens) != 2 {
		t.Errorf("%d refresh tokens are stored, want 2", len(one.store.data.tokens))
	}
}

func TestRefreshReuseEndsTheSession(t *testing.T) {
	for name, prepare := range map[string]func(replica, TokenSet){
		"after the grace": func(r replica, _ TokenSet) { r.clock.Advance(seconds(31)) },
		"after the successor was used": func(r replica, second TokenSet) {
			if _, err := r.logins.Refresh(context.Background(), second.RefreshToken, ""); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newService(t)
			r.user(t, "ada@example.org", kgl.RoleUser)
			first := r.login(t, "ada@example.org")
			second, err := r.logins.Refresh(t.Context(), first.RefreshToken, "")
			if err != nil {
				t.Fatal(err)
			}
			prepare(r, second)
			if !r.valid(second.AccessToken) {
				t.Fatal("the session ended too early")
			}
			_, err = r.logins.Refresh(t.Context(), first.RefreshToken, "")
			wantCode(t, err, kgl.CodeUnauthenticated)
			row := r.store.last()
			if row.Action != "auth.refresh" || row.Outcome != kgl.AuditRefused || !strings.Contains(string(row.Details), "used before") {
				t.Errorf("audit = %+v %s", row, row.Details)
			}
			if r.valid(second.AccessToken) || r.valid(first.AccessToken) {
				t.Error("access tokens of the session still work")
			}
			rows := len(r.store.audited())
			for range 5 {
				_, err = r.logins.Refresh(t.Context(), second.RefreshToken, "")
				wantCode(t, err, kgl.CodeUnauthenticated)
			}
			if got := len(r.store.audited()) - rows; got > 0 {
				t.Errorf("repeating tokens of an ended session wrote %d audit rows", got)
			}
		})
	}
}

func TestRefreshFiftyAtOnce(t *testing.T) {
	one := newService(t)
	two := one.second(t)
	one.user(t, "ada@example.org", kgl.RoleUser)
	first := one.login(t, "ada@example.org")
	var mu sync.Mutex
	successors := map[string]int{}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			set, err := []replica{one, two}[i%2].logins.Refresh(context.Background(), first.RefreshToken, "")
			if err != nil {
				t.Errorf("Refresh: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			successors[set.RefreshToken]++
		})
	}
	wg.Wait()
	if len(successors) != 1 || len(one.store.data.tokens) != 2 {
		t.Errorf("%d successors, %d tokens stored; want one successor", len(successors), len(one.store.data.tokens))
	}
}

func TestRefreshEnds(t *testing.T) {
	t.Run("token after seven days", func(t *testing.T) {
		r := newService(t)
		r.user(t, "ada@example.org", kgl.RoleUser)
		set := r.login(t, "ada@example.org")
		r.clock.Advance(7 * 24 * time.Hour)
		_, err := r.logins.Refresh(t.Context(), set.RefreshToken, "")
		wantCode(t, err, kgl.CodeUnauthenticated)
	})
	t.Run("session after thirty days", func(t *testing.T) {
		r := newService(t)
		r.user(t, "ada@example.org", kgl.RoleUser)
		set := r.login(t, "ada@example.org")
		days := 0
		for ; days < 60; days++ {
			for _, token := range r.store.data.tokens {
				if session := r.store.data.sessions[token.SessionID]; token.ExpiresAt.After(session.ExpiresAt) {
					t.Fatal("a refresh token outlives its session")
				}
			}
			r.clock.Advance(24 * time.Hour)
			next, err := r.logins.Refresh(t.Context(), set.RefreshToken, "")
			if err != nil {
				break
			}
			set = next
		}
		if days != 29 {
			t.Errorf("a session was refreshed on %d days, want 29", days)
		}
	})
	t.Run("disabled user", func(t *testing.T) {
		r := newService(t)
		u := r.user(t, "ada@example.org", kgl.RoleUser)
		set := r.login(t, "ada@example.org")
		u = r.store.data.users[u.ID]
		u.Status = kgl.UserDisabled // behind the back of the service
		r.store.data.users[u.ID] = u
		_, err := r.logins.Refresh(t.Context(), set.RefreshToken, "")
		wantCode(t, err, kgl.CodeUnauthenticated)
	})
}

func TestLogout(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	r.user(t, "bob@example.org", kgl.RoleUser)
	one, two, bob := r.login(t, "ada@example.org"), r.login(t, "ada@example.org"), r.login(t, "bob@example.org")
	if !r.valid(two.AccessToken) || !r.valid(bob.AccessToken) {
		t.Fatal("logins do not work")
	}
	ada := r.principal(t, one.AccessToken)
	ctx := kgl.WithPrincipal(t.Context(), ada)
	if err := r.logins.Logout(ctx, ada, bob.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if r.valid(one.AccessToken) || !r.valid(two.AccessToken) || !r.valid(bob.AccessToken) {
		t.Error("logout ended the wrong sessions")
	}
	if _, err := r.logins.Refresh(t.Context(), one.RefreshToken, ""); err == nil {
		t.Error("the refresh token of an ended session works")
	}
	three := r.login(t, "ada@example.org")
	if err := r.logins.Logout(ctx, r.principal(t, three.AccessToken), two.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if r.valid(two.AccessToken) || r.valid(three.AccessToken) {
		t.Error("logout with a refresh token leaves a session of the two")
	}
	if row := r.store.last(); row.Action != "auth.logout" || row.ActorID != ada.ID {
		t.Errorf("audit = %+v", row)
	}
}
