package e2e

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/peermesh/kgl-backend/gen/client"
)

// form posts a form to the token endpoint from an address of its own.
func (b *backend) form(t testing.TB, pairs ...string) answer {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.anonymous(t).do("POST", "/api/v1/auth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// testTokenEndpoint holds the shapes of RFC 6749, sections 5.1 and 5.2.
func testTokenEndpoint(t *testing.T, b *backend) {
	a := b.newAccount(t, client.RoleModerator)
	res := b.form(t, "grant_type", "password", "username", a.email, "password", a.password, "scope", "sources:read profile", "client_id", "swagger").want(t, 200)
	token := decode[client.OAuthToken](t, res.body)
	if token.TokenType != "Bearer" || token.ExpiresIn != 900 || sortedScope(token.Scope) != "profile sources:read" {
		t.Errorf("token = %+v", token)
	}
	if res.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control = %q", res.header.Get("Cache-Control"))
	}
	b.newCaller(t, token.AccessToken).do("GET", "/api/v1/content", "").want(t, http.StatusForbidden)
	next := decode[client.OAuthToken](t, b.form(t, "grant_type", "refresh_token", "refresh_token", token.RefreshToken, "scope", "profile").want(t, 200).body)
	if next.Scope != "profile" {
		t.Errorf("narrowed scope = %q", next.Scope)
	}
	tests := []struct {
		name  string
		pairs []string
		want  string
	}{
		{"wrong password", []string{"grant_type", "password", "username", a.email, "password", "wrong"}, "invalid_grant"},
		{"unknown user", []string{"grant_type", "password", "username", "nobody@kgl.test", "password", "wrong"}, "invalid_grant"},
		{"unknown refresh token", []string{"grant_type", "refresh_token", "refresh_token", "kglr_x"}, "invalid_grant"},
		{"access token as refresh token", []string{"grant_type", "refresh_token", "refresh_token", token.AccessToken[:500]}, "invalid_grant"},
		{"wider scope", []string{"grant_type", "refresh_token", "refresh_token", next.RefreshToken, "scope", "content:read"}, "invalid_scope"},
		{"no grant", []string{"username", a.email}, "invalid_request"},
		{"other grant", []string{"grant_type", "client_credentials"}, "unsupported_grant_type"},
		{"no username", []string{"grant_type", "password", "password", "x"}, "invalid_request"},
		{"no refresh token", []string{"grant_type", "refresh_token"}, "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := b.form(t, tt.pairs...).want(t, http.StatusBadRequest)
			if e := decode[client.OAuthError](t, res.body); e.Error != tt.want || e.ErrorDescription == nil {
				t.Errorf("error = %s, want %s", res.body, tt.want)
			}
			if res.header.Get("Content-Type") != "application/json" || res.header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers = %v", res.header)
			}
		})
	}
	// What was refused has not used the refresh token up.
	b.form(t, "grant_type", "refresh_token", "refresh_token", next.RefreshToken).want(t, 200)
	repeated := "grant_type=password&username=" + a.email + "&username=x&password=y"
	b.anonymous(t).do("POST", "/api/v1/auth/token", repeated, "Content-Type", "application/x-www-form-urlencoded").want(t, 400)
	b.anonymous(t).do("POST", "/api/v1/auth/token", `{"grant_type":"password"}`).want(t, http.StatusUnsupportedMediaType)
}

// testKeySet verifies a token with the published keys: with a library, and with
// nothing but the arithmetic of RSA.
func testKeySet(t *testing.T, b *backend) {
	tokens := b.login(t, b.newAccount(t, client.RoleModerator))
	body := b.anonymous(t).do("GET", "/.well-known/jwks.json", "").want(t, 200).body
	for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`} {
		if strings.Contains(string(body), private) {
			t.Fatalf("the key set holds the private member %s", private)
		}
	}
	set, err := jwk.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.Parse([]byte(tokens.AccessToken), jwt.WithKeySet(set), jwt.WithIssuer("http://kgl.test"), jwt.WithAudience("kgl"), jwt.WithValidate(true))
	if err != nil {
		t.Fatalf("the library refuses the token: %v", err)
	}
	if parsed.Subject() != tokens.User.ID || parsed.Expiration().Sub(parsed.IssuedAt()) != 15*time.Minute || parsed.JwtID() == "" {
		t.Errorf("sub %s, iat %s, exp %s, jti %q", parsed.Subject(), parsed.IssuedAt(), parsed.Expiration(), parsed.JwtID())
	}
	if role, _ := parsed.Get("role"); role != "moderator" {
		t.Errorf("role = %v", role)
	}
	if scope, _ := parsed.Get("scope"); sortedScope(scope.(string)) != sortedScope(strings.Join(roleScopes[client.RoleModerator], " ")) {
		t.Errorf("scope = %v", scope)
	}
	parts := strings.Split(tokens.AccessToken, ".")
	var header struct{ Alg, Kid string }
	if err := json.Unmarshal(unbase64(t, parts[0]), &header); err != nil || header.Alg != "RS256" {
		t.Fatalf("header = %+v, %v", header, err)
	}
	for _, key := range decode[client.JWKS](t, body).Keys {
		if key.Kid != header.Kid {
			continue
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(unbase64(t, key.N)), E: int(new(big.Int).SetBytes(unbase64(t, key.E)).Int64())}
		if public.N.BitLen() < 2048 {
			t.Errorf("a key of %d bits", public.N.BitLen())
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], unbase64(t, parts[2])); err != nil {
			t.Error(err)
		}
		return
	}
	t.Errorf("the key %s of the token is not published", header.Kid)
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// testFailedLogins compares what someone sees who guesses emails with what
// someone sees who guesses passwords.
func testFailedLogins(t *testing.T, b *backend) {
	a, disabled := b.newAccount(t, client.RoleUser), b.newAccount(t, client.RoleUser)
	b.asAdmin(t).do("PATCH", "/api/v1/users/"+disabled.id, `{"status":"disabled"}`).want(t, 200)
	try := func(email, password string) (client.Problem, time.Duration) {
		began := time.Now()
		res := b.anonymous(t).do("POST", "/api/v1/auth/login", encode(t, client.LoginRequest{Email: email, Password: password})).want(t, 401)
		took := time.Since(began)
		p := res.problem(t)
		p.RequestID = ""
		return p, took
	}
	wrong, slow := try(a.email, "not the password")
	times := map[string]time.Duration{}
	if wrong.Code != "invalid_credentials" {
		t.Errorf("code = %s", wrong.Code)
	}
	for name, credentials := range map[string][2]string{
		"unknown user":    {"nobody@kgl.test", a.password},
		"no email at all": {"nobody", a.password},
		"disabled user":   {disabled.email, disabled.password},
		"other case":      {a.email, strings.ToLower(a.password)},
		"space behind":    {a.email, a.password + " "},
	} {
		got, took := try(credentials[0], credentials[1])
		if got != wrong {
			t.Errorf("%s: %+v, want the answer of a wrong password: %+v", name, got, wrong)
		}
		times[name] = took
	}
	for range 4 { // the quickest is without what else the machine did
		_, took := try(a.email, "not the password")
		slow = min(slow, took)
	}
	for name, took := range times {
		if took < slow/10 { // a hash that is not computed shows by far more
			t.Errorf("%s took %s, a wrong password %s", name, took, slow)
		}
	}
	// Neither the case of the email nor a longer password than most matters.
	b.login(t, account{email: strings.ToUpper(a.email), password: a.password})
	long := account{email: a.email, password: b.secrets.add(strings.Repeat("Ünïcödé ☂ 雨 ", 12) + newPassword())}
	b.asAdmin(t).do("PATCH", "/api/v1/users/"+a.id, encode(t, client.UserUpdate{Password: &long.password})).want(t, 200)
	b.login(t, long)
	try(a.email, long.password[:len(long.password)-1])
	for _, weak := range []string{"password", "12345678901234", "qwertyuiopasdf", a.email, "short"} {
		body := encode(t, client.UserUpdate{Password: &weak})
		if p := b.asAdmin(t).do("PATCH", "/api/v1/users/"+a.id, body).want(t, 400).problem(t); p.Errors == nil || (*p.Errors)[0].Field != "password" {
			t.Errorf("the password %q: %+v", weak, p)
		}
	}
}

// testLogout ends sessions: the own one, and with a refresh token another one
// of the same user, but nobody else's.
func testLogout(t *testing.T, b *backend) {
	a := b.newAccount(t, client.RoleUser)
	first, second, third := b.login(t, a), b.login(t, a), b.login(t, a)
	stranger := b.login(t, b.newAccount(t, client.RoleUser))
	c := b.newCaller(t, first.AccessToken)
	c.do("POST", "/api/v1/auth/logout", encode(t, client.LogoutRequest{RefreshToken: &second.RefreshToken})).want(t, 204)
	c.do("GET", "/api/v1/auth/me", "").want(t, 401)
	for _, ended := range []client.TokenSet{first, second} {
		b.newCaller(t, ended.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 401)
		b.anonymous(t).do("POST", "/api/v1/auth/refresh", encode(t, client.RefreshRequest{RefreshToken: ended.RefreshToken})).want(t, 401)
	}
	c = b.newCaller(t, third.AccessToken)
	c.do("POST", "/api/v1/auth/logout", encode(t, client.LogoutRequest{RefreshToken: &stranger.RefreshToken})).want(t, 204)
	b.newCaller(t, stranger.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 200)
	fourth := b.newCaller(t, b.login(t, a).AccessToken)
	fourth.do("POST", "/api/v1/auth/logout", "").want(t, 204) // the body is optional
	fourth.do("GET", "/api/v1/auth/me", "").want(t, 401)
}

// testThrottles has each way to guess a password refused after ten failures.
// (TestReplicas has the rest.)
func testThrottles(t *testing.T, b *backend) {
	a := b.newAccount(t, client.RoleUser)
	c := b.newCaller(t, b.login(t, a).AccessToken)
	change := encode(t, client.PasswordChange{CurrentPassword: "wrong", NewPassword: b.secrets.add(newPassword())})
	for i := range 10 {
		b.tryLogin(t, fmt.Sprintf("198.18.0.%d", i), a.email, "wrong").want(t, 401)
		c.do("POST", "/api/v1/auth/password", change).want(t, 400)
	}
	wantThrottled(t, b.tryLogin(t, "198.18.0.99", a.email, a.password))
	wantTokenThrottled(t, b, "198.18.0.99", a)
	wantThrottled(t, c.do("POST", "/api/v1/auth/password", change))
}
