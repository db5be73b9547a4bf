package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// recheck is longer than a replica relies on what it knows of a session, and
// shorter than the 30 s within which a revocation must count everywhere.
const recheck = 16 * time.Second

// TestReplicas runs two servers on one database. Their clock stands still
// unless a test moves it ahead.
func TestReplicas(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine)
		here, there := in.start(t), in.start(t)
		for _, test := range []struct {
			name string
			run  func(t *testing.T, here, there *backend)
		}{
			{"concurrent refresh", testConcurrentRefresh},
			{"lost answer", testLostAnswer},
			{"reuse", testReuse},
			{"revocation", testRevocation},
			{"expiry", testExpiry},
			{"throttle of an account", testAccountThrottle},
			{"throttle of an address", testAddressThrottle},
			{"throttle of a password change", testPasswordThrottle},
			{"keys", testSharedKeys},
			{"idempotency", testIdempotencyOnReplicas},
			{"many writers", testManyWriters},
			{"operator", testOperator},
		} {
			t.Run(test.name, func(t *testing.T) { test.run(t, here, there) })
		}
		in.checkAuditChain(t)
		in.checkLog(t)
	})
}

func (b *backend) refresh(t testing.TB, token string) answer {
	t.Helper()
	return b.anonymous(t).do("POST", "/api/v1/auth/refresh", encode(t, client.RefreshRequest{RefreshToken: token}))
}

// testConcurrentRefresh sends one refresh token fifty times at once.
func testConcurrentRefresh(t *testing.T, here, there *backend) {
	tokens := here.login(t, here.newAccount(t, client.RoleUser))
	answers := make([]answer, 50)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			b := here
			if i%2 == 1 {
				b = there
			}
			answers[i] = b.refresh(t, tokens.RefreshToken)
		})
	}
	group.Wait()
	successors := map[string]bool{}
	for _, a := range answers {
		if a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
			continue
		}
		successors[decode[client.TokenSet](t, a.body).RefreshToken] = true
	}
	if len(successors) != 1 {
		t.Fatalf("%d successors of one refresh token", len(successors))
	}
	for token := range successors {
		there.refresh(t, token).want(t, http.StatusOK)
	}
}

// testLostAnswer repeats a refresh within the grace, on the other replica.
func testLostAnswer(t *testing.T, here, there *backend) {
	tokens := here.login(t, here.newAccount(t, client.RoleUser))
	first := decode[client.TokenSet](t, here.refresh(t, tokens.RefreshToken).want(t, 200).body)
	here.clock.Advance(10 * time.Second)
	again := decode[client.TokenSet](t, there.refresh(t, tokens.RefreshToken).want(t, 200).body)
	if again.RefreshToken != first.RefreshToken {
		t.Error("a repeat within the grace gave another successor")
	}
	here.newCaller(t, again.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 200)
}

// testReuse uses a refresh token again, once after the grace and once within
// it, when its successor was used already. Both end the whole session.
func testReuse(t *testing.T, here, there *backend) {
	for _, afterGrace := range []bool{true, false} {
		a := here.newAccount(t, client.RoleUser)
		stolen, bystander := here.login(t, a), here.login(t, a)
		next := decode[client.TokenSet](t, here.refresh(t, stolen.RefreshToken).want(t, 200).body)
		last := next
		if afterGrace {
			here.clock.Advance(31 * time.Second)
		} else {
			last = decode[client.TokenSet](t, here.refresh(t, next.RefreshToken).want(t, 200).body)
		}
		there.newCaller(t, next.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 200)
		there.refresh(t, stolen.RefreshToken).want(t, 401)
		here.refresh(t, last.RefreshToken).want(t, 401)
		here.clock.Advance(recheck)
		for _, token := range []string{stolen.AccessToken, last.AccessToken} {
			here.newCaller(t, token).do("GET", "/api/v1/auth/me", "").want(t, 401)
		}
		here.newCaller(t, bystander.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 200)
		rows := here.auditRows(t, client.ListAuditEventsParams{ActorID: &a.id, Action: ptr("auth.refresh")})
		if len(rows) == 0 || rows[len(rows)-1].Outcome != client.AuditOutcomeRefused {
			t.Errorf("after grace = %t: audit rows of the reuse: %+v", afterGrace, rows)
		}
	}
}

// testRevocation ends sessions on one replica and counts what the other one
// does within the bound: nothing it knows is older than that.
func testRevocation(t *testing.T, here, there *backend) {
	tests := []struct {
		name string
		end  func(t *testing.T, a account, tokens client.TokenSet)
		want int
	}{
		{"logout", func(t *testing.T, _ account, tokens client.TokenSet) {
			here.newCaller(t, tokens.AccessToken).do("POST", "/api/v1/auth/logout", "").want(t, 204)
		}, 401},
		{"password changed", func(t *testing.T, a account, tokens client.TokenSet) {
			body := encode(t, client.PasswordChange{CurrentPassword: a.password, NewPassword: here.secrets.add(newPassword())})
			here.newCaller(t, tokens.AccessToken).do("POST", "/api/v1/auth/password", body).want(t, 204)
		}, 401},
		{"password reset", func(t *testing.T, a account, _ client.TokenSet) {
			body := encode(t, client.UserUpdate{Password: ptr(here.secrets.add(newPassword()))})
			here.asAdmin(t).do("PATCH", "/api/v1/users/"+a.id, body).want(t, 200)
		}, 401},
		{"disabled", func(t *testing.T, a account, _ client.TokenSet) {
			here.asAdmin(t).do("PATCH", "/api/v1/users/"+a.id, `{"status":"disabled"}`).want(t, 200)
		}, 401},
		{"role changed", func(t *testing.T, a account, _ client.TokenSet) {
			here.asAdmin(t).do("PATCH", "/api/v1/users/"+a.id, `{"role":"user"}`).want(t, 200)
		}, 401},
		{"deleted", func(t *testing.T, a account, _ client.TokenSet) {
			here.asAdmin(t).do("DELETE", "/api/v1/users/"+a.id, "").want(t, 204)
		}, 401},
		{"renamed", func(t *testing.T, a account, _ client.TokenSet) {
			here.asAdmin(t).do("PATCH", "/api/v1/users/"+a.id, `{"name":"New name"}`).want(t, 200)
		}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := here.newAccount(t, client.RoleModerator)
			tokens := here.login(t, a)
			local, remote := here.newCaller(t, tokens.AccessToken), there.newCaller(t, tokens.AccessToken)
			local.do("GET", "/api/v1/auth/me", "").want(t, 200)
			remote.do("GET", "/api/v1/auth/me", "").want(t, 200) // and is remembered
			tt.end(t, a, tokens)
			local.do("GET", "/api/v1/auth/me", "").want(t, tt.want)
			here.clock.Advance(recheck)
			remote.do("GET", "/api/v1/auth/me", "").want(t, tt.want)
			if tt.want == 401 {
				there.refresh(t, tokens.RefreshToken).want(t, 401)
			}
		})
	}
}

// testExpiry outlives an access token, a refresh token and a session.
func testExpiry(t *testing.T, here, there *backend) {
	tokens := here.login(t, here.newAccount(t, client.RoleUser))
	c := there.newCaller(t, tokens.AccessToken)
	c.do("GET", "/api/v1/auth/me", "").want(t, 200)
	here.clock.Advance(16 * time.Minute)
	c.do("GET", "/api/v1/auth/me", "").want(t, 401)
	next := decode[client.TokenSet](t, there.refresh(t, tokens.RefreshToken).want(t, 200).body)
	here.newCaller(t, next.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 200)
	here.clock.Advance(7*24*time.Hour + time.Minute)
	here.refresh(t, next.RefreshToken).want(t, 401)
}

// tryLogin logs in from an address, and returns the answer.
func (b *backend) tryLogin(t testing.TB, address, email, password string) answer {
	t.Helper()
	return b.anonymous(t).do("POST", "/api/v1/auth/login", encode(t, client.LoginRequest{Email: email, Password: password}), "X-Forwarded-For", address)
}

func wantThrottled(t *testing.T, a answer) time.Duration {
	t.Helper()
	if p := a.want(t, http.StatusTooManyRequests).problem(t); p.Code != "rate_limited" {
		t.Errorf("code = %s", p.Code)
	}
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || seconds < 1 || seconds > 900 {
		t.Errorf("Retry-After = %q", a.header.Get("Retry-After"))
	}
	return time.Duration(seconds) * time.Second
}

// testAccountThrottle guesses the password of one account from many addresses
// and through both replicas, until nobody may try from a strange address. The
// owner still gets in from where the account has logged in before, and
// everybody does when the block is over.
func testAccountThrottle(t *testing.T, here, there *backend) {
	a := here.newAccount(t, client.RoleUser)
	const home, strange, other = "192.0.2.1", "192.0.2.99", "192.0.2.98"
	here.tryLogin(t, home, a.email, a.password).want(t, 200)
	for i := range 10 {
		b := here
		if i%2 == 1 {
			b = there
		}
		b.tryLogin(t, "198.51.100."+strconv.Itoa(i), a.email, "wrong").want(t, 401)
	}
	var wait time.Duration
	for _, b := range []*backend{here, there} {
		wait = wantThrottled(t, b.tryLogin(t, strange, a.email, a.password))
		wantTokenThrottled(t, b, strange, a)
	}
	here.clock.Advance(wait + time.Second)
	there.tryLogin(t, strange, a.email, a.password).want(t, 200)
	// The login of the owner gave those who guess no fresh start.
	here.tryLogin(t, "198.51.101.1", a.email, "wrong").want(t, 401)
	wantThrottled(t, there.tryLogin(t, other, a.email, a.password))
	there.tryLogin(t, strange, a.email, a.password).want(t, 200)
	here.tryLogin(t, home, a.email, a.password).want(t, 200)
	// However long someone goes on, the owner waits for no more than a quarter
	// of an hour, and never from an address of their own.
	owner := here.newAccount(t, client.RoleUser)
	for i := range 16 {
		res := here.tryLogin(t, "203.0.113."+strconv.Itoa(i), owner.email, "wrong")
		if res.status == http.StatusTooManyRequests {
			here.clock.Advance(wantThrottled(t, res) + time.Second)
		}
	}
	here.tryLogin(t, "203.0.113.200", owner.email, "wrong")
	here.clock.Advance(15*time.Minute + time.Second)
	there.tryLogin(t, "203.0.113.201", owner.email, owner.password).want(t, 200)
}

// wantTokenThrottled asks the token endpoint from an address, and expects that
// it says in its own shape what the login says.
func wantTokenThrottled(t *testing.T, b *backend, address string, a account) {
	t.Helper()
	res := b.anonymous(t).do("POST", "/api/v1/auth/token", "grant_type=password&username="+a.email+"&password="+a.password,
		"Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", address).want(t, http.StatusTooManyRequests)
	if e := decode[client.OAuthError](t, res.body); e.Error != "temporarily_unavailable" || res.header.Get("Retry-After") == "" {
		t.Errorf("error = %s, Retry-After = %q", e.Error, res.header.Get("Retry-After"))
	}
}

// testAddressThrottle guesses from one address at many accounts. Who else is
// at that address and has logged in from there before is let in.
func testAddressThrottle(t *testing.T, here, there *backend) {
	const address = "192.0.2.77"
	neighbour, newcomer := here.newAccount(t, client.RoleUser), here.newAccount(t, client.RoleUser)
	here.tryLogin(t, address, neighbour.email, neighbour.password).want(t, 200)
	for i := range 20 {
		b := here
		if i%2 == 1 {
			b = there
		}
		b.tryLogin(t, address, "nobody"+strconv.Itoa(i)+"@kgl.test", "wrong").want(t, 401)
	}
	for _, b := range []*backend{here, there} {
		wantThrottled(t, b.tryLogin(t, address, newcomer.email, newcomer.password))
		b.tryLogin(t, address, neighbour.email, neighbour.password).want(t, 200)
		b.tryLogin(t, "192.0.2.78", newcomer.email, newcomer.password).want(t, 200)
	}
}

// testPasswordThrottle guesses the present password with a stolen token.
func testPasswordThrottle(t *testing.T, here, there *backend) {
	a := here.newAccount(t, client.RoleUser)
	token := here.login(t, a).AccessToken
	guess := func(b *backend, password string) answer {
		body := encode(t, client.PasswordChange{CurrentPassword: password, NewPassword: here.secrets.add(newPassword())})
		return b.newCaller(t, token).do("POST", "/api/v1/auth/password", body)
	}
	for i := range 10 {
		b := here
		if i%2 == 1 {
			b = there
		}
		guess(b, "wrong").want(t, 400)
	}
	wantThrottled(t, guess(here, a.password))
	wait := wantThrottled(t, guess(there, a.password))
	here.clock.Advance(wait + time.Second)
	guess(there, a.password).want(t, 204)
}

// testSharedKeys holds that a token of one replica is one of the other, and
// that both publish the same keys.
func testSharedKeys(t *testing.T, here, there *backend) {
	first := here.anonymous(t).do("GET", "/api/v1/auth/jwks.json", "").want(t, 200)
	second := there.anonymous(t).do("GET", "/api/v1/auth/jwks.json", "").want(t, 200)
	if string(first.body) != string(second.body) {
		t.Errorf("two key sets: %s and %s", first.body, second.body)
	}
	there.newCaller(t, here.login(t, here.admin).AccessToken).do("GET", "/api/v1/users", "").want(t, 200)
}

// testIdempotencyOnReplicas sends one request with one key to both replicas at
// once: it happens once.
func testIdempotencyOnReplicas(t *testing.T, here, there *backend) {
	name, key := "Once "+newPassword(), newPassword()
	body := encode(t, client.EntityCreate{Name: name, Type: "grant"})
	callers := []*caller{here.asAdmin(t), there.asAdmin(t)}
	created := repeatAtOnce(t, callers, 10, "/api/v1/entities", body, key)
	again := callers[1].do("POST", "/api/v1/entities", body, "Idempotency-Key", key).want(t, 201)
	if got := decode[client.Entity](t, again.body).ID; got != created || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replayed %s, created %s", got, created)
	}
}

// testManyWriters has fifty callers write to one database through both
// replicas. All of them are served: the wait for each other is ours.
func testManyWriters(t *testing.T, here, there *backend) {
	callers := []*caller{here.asAdmin(t), there.asAdmin(t)}
	mark := newPassword()
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			for j := range 4 {
				body := encode(t, client.EntityCreate{Name: fmt.Sprintf("%s %d %d", mark, i, j), Type: "grant"})
				if a := callers[i%2].do("POST", "/api/v1/entities", body); a.status != http.StatusCreated {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	group.Wait()
	if rows := walk(t, callers[0], "/api/v1/entities", "&name="+mark, 100); len(rows) != 200 {
		t.Errorf("%d entities, want 200", len(rows))
	}
}

// testOperator changes accounts at the command line while the servers run.
func testOperator(t *testing.T, here, there *backend) {
	a := here.newAccount(t, client.RoleModerator)
	tokens := here.login(t, a)
	c, remote := here.newCaller(t, tokens.AccessToken), there.newCaller(t, tokens.AccessToken)
	c.do("GET", "/api/v1/auth/me", "").want(t, 200)
	remote.do("GET", "/api/v1/auth/me", "").want(t, 200)
	next := here.secrets.add(newPassword())
	cmd := here.command(t, "user", "set-password", a.email)
	cmd.Stdin = strings.NewReader(next + "\n")
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), next) {
		t.Fatalf("%v %s", err, out)
	}
	here.clock.Advance(recheck)
	c.do("GET", "/api/v1/auth/me", "").want(t, 401)
	remote.do("GET", "/api/v1/auth/me", "").want(t, 401)
	here.refresh(t, tokens.RefreshToken).want(t, 401)
	here.tryLogin(t, "192.0.2.50", a.email, a.password).want(t, 401)
	a.password = next
	tokens = there.login(t, a)
	if out, err := here.run(t, "user", "disable", a.email); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	here.clock.Advance(recheck)
	here.newCaller(t, tokens.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 401)
	there.tryLogin(t, "192.0.2.51", a.email, a.password).want(t, 401)
	rows := here.auditRows(t, client.ListAuditEventsParams{SubjectID: &a.id, ActorID: ptr("cli")})
	if len(rows) != 2 || rows[0].Actor.Type != "operator" {
		t.Errorf("rows of the operator: %+v", rows)
	}
}
