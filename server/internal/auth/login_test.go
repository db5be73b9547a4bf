package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestLogin(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleModerator)
	set, err := r.try("  ADA@example.org ", goodPassword, home)
	if err != nil {
		t.Fatal(err)
	}
	if set.User.ID != u.ID || set.User.LastLoginAt == nil || set.ExpiresIn != 15*time.Minute || !strings.HasPrefix(set.RefreshToken, "kglr_") {
		t.Errorf("token set = %+v", set)
	}
	p := r.principal(t, set.AccessToken)
	if p.ID != u.ID || p.Type != kgl.PrincipalUser || p.Role != kgl.RoleModerator || !slices.Equal(p.Scopes, RoleScopes(kgl.RoleModerator)) {
		t.Errorf("principal = %+v", p)
	}
	row := r.store.last()
	if row.Action != "auth.login" || row.Outcome != kgl.AuditSuccess || row.ActorID != u.ID || row.SubjectID != u.ID {
		t.Errorf("audit = %+v", row)
	}
	if r.valid(set.RefreshToken) {
		t.Error("a refresh token works as an access token")
	}
}

func TestLoginScope(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	login := func(scope string) (TokenSet, error) {
		return r.logins.Login(t.Context(), Credentials{Email: "ada@example.org", Password: goodPassword, Scope: scope}, Client{Address: home})
	}
	set, err := login("content:read profile")
	if err != nil || !slices.Equal(set.Scopes, []string{"content:read", "profile"}) {
		t.Fatalf("scopes = %v, %v", set.Scopes, err)
	}
	if p := r.principal(t, set.AccessToken); p.HasScope("sources:read") || !p.HasScope("content:read") {
		t.Errorf("principal = %+v", p)
	}
	for _, scope := range []string{"users:read", "nothing"} {
		_, err := login(scope)
		wantCode(t, err, kgl.CodeInvalid)
	}
	next, err := r.logins.Refresh(t.Context(), set.RefreshToken, "")
	if err != nil || !slices.Equal(next.Scopes, []string{"content:read", "profile"}) {
		t.Errorf("a narrow session was refreshed to %v, %v", next.Scopes, err)
	}
	narrow, err := r.logins.Refresh(t.Context(), next.RefreshToken, "profile")
	if err != nil || !slices.Equal(narrow.Scopes, []string{"profile"}) {
		t.Errorf("refresh with a scope: %v, %v", narrow.Scopes, err)
	}
	if _, err := r.logins.Refresh(t.Context(), narrow.RefreshToken, "sources:read"); !kgl.Is(err, kgl.CodeInvalid) {
		t.Errorf("refresh widened the scope: %v", err)
	}
	if again, err := r.logins.Refresh(t.Context(), narrow.RefreshToken, ""); err != nil || len(again.Scopes) != 2 {
		t.Errorf("a refused scope used the token up: %v, %v", again.Scopes, err)
	}
}

// What fails looks the same from outside, whatever the reason.
func TestLoginFailuresLookTheSame(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	disabled := r.user(t, "bob@example.org", kgl.RoleUser)
	status := kgl.UserDisabled
	if _, err := r.accounts.Update(t.Context(), disabled.ID, 0, UserPatch{Status: &status}); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, tc := range []struct{ email, password, reason string }{
		{"ada@example.org", otherPassword, "wrong_password"},
		{"nobody@example.org", goodPassword, "unknown_user"},
		{"bob@example.org", goodPassword, "disabled_or_changed"},
		{"ada@example.org", strings.Repeat("x", 1<<20), "wrong_password"},
		{"", "", "unknown_user"},
	} {
		_, err := r.try(tc.email, tc.password, home)
		wantCode(t, err, kgl.CodeInvalidCredentials)
		texts = append(texts, err.Error())
		row := r.store.last()
		if row.Outcome != kgl.AuditFailure || !strings.Contains(string(row.Details), tc.reason) || row.ActorID != "" {
			t.Errorf("%s: audit = %+v %s", tc.reason, row, row.Details)
		}
		if strings.Contains(string(row.Details), "example.org") {
			t.Errorf("the audit row repeats what was typed: %s", row.Details)
		}
	}
	if slices.Sort(texts); len(slices.Compact(texts)) != 1 {
		t.Errorf("answers differ: %q", texts)
	}
}

// An unknown user costs a hash too: the median of some tries is compared,
// generously, because other work runs on the machine.
func TestLoginTimeOfUnknownUsers(t *testing.T) {
	h, err := NewHasher(rand.Reader, HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := h.Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	// What Argon2id costs is the memory that it fills. A clock would measure the
	// other programs of the machine too.
	filled := func(encoded string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if ok, err := h.Verify(t.Context(), encoded, otherPassword); ok || err != nil {
			t.Fatal(ok, err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	known, unknown := filled(encoded), filled("")
	if known < 1<<20 || unknown < known*9/10 || known < unknown*9/10 {
		t.Errorf("a known user takes %d bytes, an unknown one %d", known, unknown)
	}
}

func TestLoginThrottlesAccountOnAllReplicas(t *testing.T) {
	one := newService(t)
	two := one.second(t)
	one.user(t, "ada@example.org", kgl.RoleUser)
	wrong, limited := 0, 0
	for i := range 20 {
		r := []replica{one, two}[i%2]
		_, err := r.try("ada@example.org", otherPassword, fmt.Sprintf("198.51.100.%d", i))
		switch kgl.ErrorCode(err) {
		case kgl.CodeInvalidCredentials:
			wrong++
		case kgl.CodeRateLimited:
			limited++
		default:
			t.Fatal(err)
		}
	}
	if wrong != 10 || limited != 10 {
		t.Errorf("%d wrong, %d limited; want 10 and 10", wrong, limited)
	}
	_, err := two.try("ada@example.org", goodPassword, "198.51.100.99")
	e, ok := errors.AsType[*kgl.Error](err)
	if !ok || e.Code != kgl.CodeRateLimited || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Fatalf("error = %v", err)
	}
	one.clock.Advance(e.RetryAfter)
	if _, err := two.try("ada@example.org", goodPassword, "198.51.100.99"); err != nil {
		t.Errorf("after the block the owner cannot log in: %v", err)
	}
}

func TestLoginThrottlesAddressOnAllReplicas(t *testing.T) {
	one := newService(t)
	two := one.second(t)
	one.user(t, "ada@example.org", kgl.RoleUser)
	for i := range 20 {
		r := []replica{one, two}[i%2]
		_, err := r.try(fmt.Sprintf("user%d@example.org", i), otherPassword, fmt.Sprintf("2001:db8:1:2::%x", i+1))
		wantCode(t, err, kgl.CodeInvalidCredentials)
	}
	_, err := two.try("ada@example.org", goodPassword, "2001:db8:1:2:ffff::1")
	wantCode(t, err, kgl.CodeRateLimited)
	if _, err = two.try("ada@example.org", goodPassword, "2001:db8:1:3::1"); err != nil {
		t.Errorf("another /64 is blocked too: %v", err)
	}
	// Someone's good login at the address does not clear its counter.
	one.clock.Advance(time.Minute)
	if _, err = one.try("ada@example.org", goodPassword, "2001:db8:1:2::1"); err != nil {
		t.Fatal(err)
	}
	_, err = one.try("user1@example.org", otherPassword, "2001:db8:1:2::1")
	wantCode(t, err, kgl.CodeInvalidCredentials)
	_, err = one.try("user2@example.org", otherPassword, "2001:db8:1:2::1")
	wantCode(t, err, kgl.CodeRateLimited)
}

// An attacker who keeps an account blocked does not keep its owner out at an
// address that the owner has used, and nobody for longer than the bound.
func TestLoginAttackerCannotLockTheOwnerOut(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	r.login(t, "ada@example.org")
	attack := func() {
		for i := range 40 {
			_, err := r.try("ada@example.org", otherPassword, fmt.Sprintf("203.0.113.%d", i))
			if err == nil {
				t.Fatal("a wrong password logs in")
			}
		}
	}
	var longest time.Duration
	for range 60 {
		attack()
		if _, err := r.try("ada@example.org", goodPassword, home); err != nil {
			t.Fatalf("the owner is locked out at home: %v", err)
		}
		attack()
		_, err := r.try("ada@example.org", goodPassword, "198.51.100.7")
		if e, ok := errors.AsType[*kgl.Error](err); ok && e.RetryAfter > longest {
			longest = e.RetryAfter
		}
		r.clock.Advance(time.Minute)
	}
	if longest == 0 || longest > 15*time.Minute {
		t.Errorf("the longest block elsewhere was %v, want at most 15 min", longest)
	}
	// At the known address guesses are bounded as well.
	failed := 0
	for range 20 {
		if _, err := r.try("ada@example.org", otherPassword, home); kgl.Is(err, kgl.CodeInvalidCredentials) {
			failed++
		}
	}
	if failed != 10 {
		t.Errorf("%d guesses went through at the known address, want 10", failed)
	}
}

// A login of the owner gives those who guess from elsewhere no fresh start; the
// owner gets in at the known address all the same.
func TestLoginOfTheOwnerKeepsTheAccountCounter(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	r.login(t, "ada@example.org")
	wrong := 0
	for i := range 40 {
		_, err := r.try("ada@example.org", otherPassword, fmt.Sprintf("203.0.113.%d", i))
		if kgl.Is(err, kgl.CodeInvalidCredentials) {
			wrong++
		}
		if i%5 == 4 {
			r.login(t, "ada@example.org")
		}
	}
	if wrong != 10 {
		t.Errorf("%d guesses went through between the owner's logins, want 10", wrong)
	}
	// When the window is over, the account is free again everywhere.
	r.clock.Advance(2 * time.Hour)
	if _, err := r.try("ada@example.org", goodPassword, "198.51.100.7"); err != nil {
		t.Errorf("the owner cannot log in elsewhere after the window: %v", err)
	}
}

func TestLoginBlockGrows(t *testing.T) {
	r := newService(t)
	var blocks []time.Duration
	for range 40 {
		_, err := r.try("nobody@example.org", otherPassword, "unparsable address")
		if e, ok := errors.AsType[*kgl.Error](err); ok && e.Code == kgl.CodeRateLimited {
			blocks = append(blocks, e.RetryAfter)
			r.clock.Advance(e.RetryAfter)
		}
	}
	if want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute}; !slices.Equal(blocks[:6], want) {
		t.Errorf("blocks = %v, want %v", blocks[:6], want)
	}
}

// Guesses that arrive at once get no more answers than guesses in a row.
func TestLoginGuessesAtOnce(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	var mu sync.Mutex
	answers := map[kgl.Code]int{}
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			_, err := r.try("ada@example.org", otherPassword, home)
			mu.Lock()
			defer mu.Unlock()
			answers[kgl.ErrorCode(err)]++
		})
	}
	wg.Wait()
	if answers[kgl.CodeInvalidCredentials] > 10 || answers[kgl.CodeInvalidCredentials]+answers[kgl.CodeRateLimited] != 60 {
		t.Errorf("answers = %v, want at most 10 that tell of the password", answers)
	}
}

// A flood against a blocked account leaves one row in the log, not thousands.
func TestLoginFloodIsAuditedOnce(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	for range 100 {
		if _, err := r.try("ada@example.org", otherPassword, home); err == nil {
			t.Fatal("a wrong password logs in")
		}
	}
	rows := r.store.audited()
	refused := slices.DeleteFunc(rows, func(s string) bool { return s != "auth.login refused" })
	if len(refused) != 1 {
		t.Errorf("%d refusals are audited, want 1", len(refused))
	}
}

func TestLoginRehashes(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	raised, err := NewHasher(rand.Reader, HasherConfig{Params: HashParams{MemoryKiB: 128, Time: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	r.logins.hasher = raised
	set := r.login(t, "ada@example.org")
	stored := r.store.data.users[u.ID]
	if !strings.HasPrefix(stored.PasswordHash, "$argon2id$v=19$m=128,t=2,p=1$") {
		t.Errorf("hash = %q, want it under the raised parameters", stored.PasswordHash)
	}
	if stored.Version != u.Version || !r.valid(set.AccessToken) {
		t.Error("the rehash changed the version or ended the session")
	}
	r.login(t, "ada@example.org")
	if strings.Contains(string(r.store.last().Details), "rehashed") {
		t.Error("the second login rehashes again")
	}
}

func TestLoginFailsWhenAuditFails(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	r.store.auditFails = true
	if _, err := r.try("ada@example.org", goodPassword, home); kgl.ErrorCode(err) != kgl.CodeInternal {
		t.Errorf("error = %v, want the login refused", err)
	}
	if len(r.store.data.sessions) != 0 {
		t.Error("a session exists although the login could not be audited")
	}
	_, err := r.accounts.Create(t.Context(), NewUser{Email: "x@example.org", Name: "X", Role: kgl.RoleUser, Password: goodPassword})
	if err == nil || len(r.store.data.users) != 1 {
		t.Errorf("a user was created although it could not be audited: %v", err)
	}
}

func TestAddressPrefix(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "unknown", "x": "unknown", "192.0.2.1:80": "unknown",
	} {
		if got := addressPrefix(address); got != want {
			t.Errorf("addressPrefix(%q) = %q, want %q", address, got, want)
		}
	}
}

// What happens while a password is compared counts: a block, and a change of
// the account.
func TestLoginDecidesOnThePresentState(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	c := Credentials{Email: "ada@example.org", Password: goodPassword}
	decide := func() (g grant) {
		err := r.store.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) (err error) {
			g, err = r.logins.decide(ctx, tx, c, Client{Address: home}, newAttempt(u.EmailKey, home), checkedUser{user: u, match: true})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	if g := decide(); g.refused != nil || g.session == "" {
		t.Fatalf("a right password is refused: %v", g.refused)
	}
	if _, err := r.accounts.SetPassword(t.Context(), u.Email, otherPassword); err != nil {
		t.Fatal(err)
	}
	wantCode(t, decide().refused, kgl.CodeInvalidCredentials)
	for range 10 {
		decide()
	}
	u = r.store.data.users[u.ID]
	wantCode(t, decide().refused, kgl.CodeRateLimited)
}

func TestGoodLoginClearsThePair(t *testing.T) {
	r := newService(t)
	r.user(t, "ada@example.org", kgl.RoleUser)
	r.login(t, "ada@example.org")
	for range 3 {
		for range 9 {
			_, err := r.try("ada@example.org", otherPassword, home)
			wantCode(t, err, kgl.CodeInvalidCredentials)
		}
		r.login(t, "ada@example.org")
	}
}
