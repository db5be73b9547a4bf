package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func mustJSON(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

// forge makes tokens that differ from a good one in one respect.
type forge struct {
	key    *rsa.PrivateKey
	kid    string
	header map[string]any
	claims map[string]any
}

func newForge(t *testing.T, now time.Time) *forge {
	t.Helper()
	stored := testKeyPair()
	block, _ := pem.Decode([]byte(stored.PrivateKey))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return &forge{
		key: key.(*rsa.PrivateKey), kid: stored.ID,
		header: map[string]any{"alg": "RS256", "kid": stored.ID, "typ": "at+jwt"},
		claims: map[string]any{
			"iss": "https://kgl.example", "aud": "kgl-api", "sub": "u1", "role": "user", "scope": "content:read",
			"sid": "s1", "jti": "t1", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
		},
	}
}

func (f *forge) rs256(input string) []byte {
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, f.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return sig
}

// raw signs a header and claims that are given as texts.
func (f *forge) raw(header, claims string) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	return input + "." + b64(f.rs256(input))
}

// with signs the good token with some header parameters and claims replaced; a
// nil value removes one.
func (f *forge) with(header, claims map[string]any) string {
	merge := func(base, change map[string]any) string {
		m := maps.Clone(base)
		maps.Copy(m, change)
		maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
		return string(mustJSON(m))
	}
	return f.raw(merge(f.header, header), merge(f.claims, claims))
}

// unsigned returns header and claims of the good token with another header and
// a signature made by sign.
func (f *forge) unsigned(header map[string]any, sign func(input []byte) []byte) string {
	h := maps.Clone(f.header)
	maps.Copy(h, header)
	input := b64(mustJSON(h)) + "." + b64(mustJSON(f.claims))
	return input + "." + b64(sign([]byte(input)))
}

func mac(key []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(input)
		return m.Sum(nil)
	}
}

var attackerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// attackerSigned signs the good claims with another key, and offers that key in
// the header in one of the ways that JOSE knows.
func (f *forge) attackerSigned(header map[string]any) string {
	theirs := &forge{key: attackerKey()}
	return f.unsigned(header, func(input []byte) []byte { return theirs.rs256(string(input)) })
}

func TestTokensIssueAndVerify(t *testing.T) {
	tokens, clock := newTestTokens(t)
	token, issued, err := tokens.Issue("u1", kgl.RoleModerator, []string{"content:read", "profile"}, "s1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tokens.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != "u1" || got.Role != kgl.RoleModerator || got.SessionID != "s1" || got.TokenID == "" ||
		!slices.Equal(got.Scopes, []string{"content:read", "profile"}) || got.KeyID != issued.KeyID {
		t.Errorf("claims = %+v", got)
	}
	if want := clock.Now().Truncate(time.Second).Add(15 * time.Minute); !got.ExpiresAt.Equal(want) {
		t.Errorf("expires at %v, want %v", got.ExpiresAt, want)
	}
	parts := strings.Split(token, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var h, c map[string]any
	if json.Unmarshal(header, &h) != nil || json.Unmarshal(payload, &c) != nil {
		t.Fatal("the token is not made of JSON")
	}
	if len(h) != 3 || h["alg"] != "RS256" || h["typ"] != "at+jwt" || h["kid"] != issued.KeyID {
		t.Errorf("header = %v", h)
	}
	for _, name := range []string{"sub", "role", "scope", "iss", "aud", "iat", "nbf", "exp", "jti", "sid"} {
		if _, ok := c[name]; !ok {
			t.Errorf("claim %s is missing", name)
		}
	}
	if c["scope"] != "content:read profile" {
		t.Errorf("scope = %v", c["scope"])
	}
}

// acceptedTokens and refusedTokens are named after the attacks that they build
// on RFC 8725, 9068 and 6750.
func acceptedTokens(f *forge, now time.Time) map[string]string {
	return map[string]string{
		"ok":                  f.with(nil, nil),
		"application-typ":     f.with(map[string]any{"typ": "application/at+jwt"}, nil),
		"aud-array-contains":  f.with(nil, map[string]any{"aud": []string{"other", "kgl-api"}}),
		"exp-past-1s-in-skew": f.with(nil, map[string]any{"exp": now.Add(-time.Second).Unix()}),
		"exp-past-30s":        f.with(nil, map[string]any{"exp": now.Add(-30 * time.Second).Unix()}),
		"nbf-future-30s":      f.with(nil, map[string]any{"nbf": now.Add(30 * time.Second).Unix()}),
		"iat-future-30s":      f.with(nil, map[string]any{"iat": now.Add(30 * time.Second).Unix()}),
		"scope-missing":       f.with(nil, map[string]any{"scope": nil}), // genuine, and allowed nothing
		"unknown-claim":       f.with(nil, map[string]any{"extra": map[string]any{"a": 1}}),
	}
}

func refusedTokens(f *forge, now time.Time) map[string]string {
	good := f.with(nil, nil)
	parts := strings.Split(good, ".")
	public := x509.MarshalPKCS1PublicKey(&f.key.PublicKey)
	_, jwkJSON, _ := publicJWK(&f.key.PublicKey)
	_, attackerJWK, _ := publicJWK(&attackerKey().PublicKey)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	es256 := func(der bool) func([]byte) []byte {
		return func(input []byte) []byte {
			sum := sha256.Sum256(input)
			if der {
				sig, _ := ecdsa.SignASN1(rand.Reader, ec, sum[:])
				return sig
			}
			r, s, _ := ecdsa.Sign(rand.Reader, ec, sum[:])
			return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	}
	none := func([]byte) []byte { return nil }
	claims := string(mustJSON(f.claims))
	header := string(mustJSON(f.header))
	return map[string]string{
		"empty":                     "",
		"alg-none":                  f.unsigned(map[string]any{"alg": "none"}, none),
		"alg-None":                  f.unsigned(map[string]any{"alg": "nOnE"}, none),
		"alg-none-with-signature":   f.with(map[string]any{"alg": "none"}, nil),
		"alg-missing":               f.with(map[string]any{"alg": nil}, nil),
		"alg-case":                  f.with(map[string]any{"alg": "rs256"}, nil),
		"alg-rs512":                 f.with(map[string]any{"alg": "RS512"}, nil),
		"alg-array":                 f.with(map[string]any{"alg": []string{"RS256"}}, nil),
		"alg-hs256-with-public-key": f.unsigned(map[string]any{"alg": "HS256"}, mac(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: public}))),
		"alg-hs256-with-der":        f.unsigned(map[string]any{"alg": "HS256"}, mac(public)),
		"alg-hs256-with-jwk":        f.unsigned(map[string]any{"alg": "HS256"}, mac(jwkJSON)),
		"alg-hs256-empty-key":       f.unsigned(map[string]any{"alg": "HS256"}, mac(nil)),
		"mac-under-rs256":           f.unsigned(nil, mac(public)),
		"alg-swap-rs-ps": f.unsigned(nil, func(input []byte) []byte {
			sum := sha256.Sum256(input)
			sig, _ := rsa.SignPSS(rand.Reader, f.key, crypto.SHA256, sum[:], nil)
			return sig
		}),
		"ok-es256":            f.unsigned(map[string]any{"alg": "ES256"}, es256(false)), // another algorithm than ours
		"alg-es384-on-p256":   f.unsigned(map[string]any{"alg": "ES384"}, es256(false)),
		"psychic-signature":   f.unsigned(map[string]any{"alg": "ES256"}, func([]byte) []byte { return make([]byte, 64) }),
		"zero-signature":      f.unsigned(nil, func([]byte) []byte { return make([]byte, 256) }),
		"no-signature":        f.unsigned(nil, none),
		"es256-der-signature": f.unsigned(map[string]any{"alg": "ES256"}, es256(true)),
		"attacker-same-kid":   f.attackerSigned(nil),
		"jwk-header":          f.attackerSigned(map[string]any{"jwk": json.RawMessage(attackerJWK)}),
		"jku-header":          f.attackerSigned(map[string]any{"jku": "http://attacker.example/jwks.json"}),
		"jku-signed-by-us":    f.with(map[string]any{"jku": "http://attacker.example/jwks.json"}, nil),
		"x5u-header":          f.attackerSigned(map[string]any{"x5u": "http://attacker.example/cert.pem"}),
		"x5c-header":          f.attackerSigned(map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString([]byte("certificate"))}}),
		"kid-path":            f.with(map[string]any{"kid": "../../../../dev/null"}, nil),
		"kid-sqli":            f.with(map[string]any{"kid": "' UNION SELECT 'x"}, nil),
		"kid-crlf":            f.with(map[string]any{"kid": f.kid + "\r\nlevel=ERROR"}, nil),
		"kid-64k":             f.with(map[string]any{"kid": strings.Repeat("a", 64<<10)}, nil),
		"kid-200":             f.with(map[string]any{"kid": strings.Repeat("a", 200)}, nil),
		"kid-unknown-flood":   f.with(map[string]any{"kid": "unknown"}, nil),
		"kid-missing":         f.with(map[string]any{"kid": nil}, nil),
		"kid-number":          f.with(map[string]any{"kid": 7}, nil),
		"crit-unknown":        f.with(map[string]any{"crit": []string{"x"}, "x": 1}, nil),
		"crit-empty":          f.with(map[string]any{"crit": []string{}}, nil),
		"b64-false":           f.with(map[string]any{"crit": []string{"b64"}, "b64": false}, nil),
		"dup-alg-keys":        f.raw(`{"alg":"none","alg":"RS256","kid":"`+f.kid+`","typ":"at+jwt"}`, claims),
		"alg-other-case":      f.raw(`{"ALG":"none","alg":"RS256","kid":"`+f.kid+`","typ":"at+jwt"}`, claims),
		"dup-claim-keys":      f.raw(header, `{"sub":"admin",`+claims[1:]),
		"trailing-json":       f.raw(header, claims+`{"sub":"admin"}`),
		"header-not-object":   f.raw(`["RS256"]`, claims),
		"claims-not-object":   f.raw(header, `"sub"`),
		"claims-not-utf8":     f.raw(header, strings.Replace(claims, `"u1"`, "\"u\xff\"", 1)),
		"typ-id_token":        f.with(map[string]any{"typ": "JWT"}, nil),
		"typ-missing":         f.with(map[string]any{"typ": nil}, nil),
		"typ-case":            f.with(map[string]any{"typ": "AT+JWT"}, nil),
		"typ-refresh":         "kglr_" + strings.Repeat("A", 43),
		"exp-missing":         f.with(nil, map[string]any{"exp": nil}),
		"exp-past-31s":        f.with(nil, map[string]any{"exp": now.Add(-31 * time.Second).Unix()}),
		"exp-string":          f.with(nil, map[string]any{"exp": fmt.Sprint(now.Add(time.Minute).Unix())}),
		"exp-null":            f.raw(header, strings.Replace(claims, fmt.Sprintf(`"exp":%d`, f.claims["exp"]), `"exp":null`, 1)),
		"exp-float-nan-1e400": f.with(nil, map[string]any{"exp": json.RawMessage("1e400")}),
		"exp-1e300":           f.with(nil, map[string]any{"exp": json.RawMessage("1e300")}),
		"exp-negative":        f.with(nil, map[string]any{"exp": -1}),
		"nbf-future":          f.with(nil, map[string]any{"nbf": now.Add(time.Hour).Unix()}),
		"nbf-future-31s":      f.with(nil, map[string]any{"nbf": now.Add(31 * time.Second).Unix()}),
		"nbf-string":          f.with(nil, map[string]any{"nbf": "0"}),
		"iat-future":          f.with(nil, map[string]any{"iat": now.Add(24 * time.Hour).Unix()}),
		"iat-missing":         f.with(nil, map[string]any{"iat": nil}),
		"iss-wrong":           f.with(nil, map[string]any{"iss": "https://other.example"}),
		"iss-trailing-slash":  f.with(nil, map[string]any{"iss": "https://kgl.example/"}),
		"iss-case":            f.with(nil, map[string]any{"iss": "https://KGL.example"}),
		"iss-missing":         f.with(nil, map[string]any{"iss": nil}),
		"aud-wrong":           f.with(nil, map[string]any{"aud": "other"}),
		"aud-missing":         f.with(nil, map[string]any{"aud": nil}),
		"aud-substring":       f.with(nil, map[string]any{"aud": "kgl-api.evil"}),
		"aud-prefix":          f.with(nil, map[string]any{"aud": "kgl"}),
		"aud-array-without":   f.with(nil, map[string]any{"aud": []string{"kgl-api.evil"}}),
		"aud-object":          f.with(nil, map[string]any{"aud": map[string]any{"kgl-api": 1}}),
		"sub-missing":         f.with(nil, map[string]any{"sub": nil}),
		"sub-empty":           f.with(nil, map[string]any{"sub": ""}),
		"sub-number":          f.with(nil, map[string]any{"sub": 1}),
		"sid-missing":         f.with(nil, map[string]any{"sid": nil}),
		"role-missing":        f.with(nil, map[string]any{"role": nil}),
		"scope-array":         f.with(nil, map[string]any{"scope": []string{"users:write"}}),
		"five-parts":          good + ".a.b",
		"two-parts":           parts[0] + "." + parts[1],
		"json-serialisation":  `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"padding":             good + "=",
		"padding-in-header":   parts[0] + "==." + parts[1] + "." + parts[2],
		"standard-alphabet":   parts[0] + "." + parts[1] + ".+/" + parts[2][2:],
		"space":               parts[0] + ". " + parts[1] + "." + parts[2],
		"newline":             parts[0] + "." + parts[1] + ".\n" + parts[2],
		"trailing-newline":    good + "\n",
		"changed-claim":       parts[0] + "." + b64([]byte(strings.Replace(claims, `"u1"`, `"u2"`, 1))) + "." + parts[2],
		"1MB-token":           good + strings.Repeat("A", 1<<20),
		"zip-def-jwe":         b64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM","zip":"DEF"}`)) + ".AAAA.AAAA.AAAA.AAAA",
		"zip-header":          f.with(map[string]any{"zip": "DEF"}, nil),
	}
}

func TestTokensVerifyAttacks(t *testing.T) {
	tokens, clock := newTestTokens(t)
	f := newForge(t, clock.Now())
	for name, token := range acceptedTokens(f, clock.Now()) {
		if _, err := tokens.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v, want it accepted", name, err)
		}
	}
	for name, token := range refusedTokens(f, clock.Now()) {
		claims, err := tokens.Verify(t.Context(), token)
		if !kgl.Is(err, kgl.CodeUnauthenticated) {
			t.Errorf("%s: claims %+v, error %v; want it refused", name, claims, err)
			continue
		}
		if text := err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 300 {
			t.Errorf("%s: the error would flood or split a log line: %q", name, text)
		}
	}
}

// The scope of a token is compared by whole words.
func TestTokenScopeSubstringGrantsNothing(t *testing.T) {
	tokens, clock := newTestTokens(t)
	f := newForge(t, clock.Now())
	for _, scope := range []any{"sources:readonly", "xsources:read", nil, ""} {
		claims, err := tokens.Verify(t.Context(), f.with(nil, map[string]any{"scope": scope}))
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(EffectiveScopes(claims.Scopes, kgl.RoleAdmin), ScopeSourcesRead) {
			t.Errorf("scope %q allows sources:read", scope)
		}
	}
}

// Every recipe of the shared list is built above, or belongs to another layer.
func TestTokenAttackRecipesAreCovered(t *testing.T) {
	data, err := os.ReadFile(sharedFile(t, "vectors/jwt-attacks/cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Name, Expect string }
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	_, clock := newTestTokens(t)
	f := newForge(t, clock.Now())
	accepted, refused := acceptedTokens(f, clock.Now()), refusedTokens(f, clock.Now())
	elsewhere := []string{
		// The list's issuer signs with ES256; ours with RS256 only, so its good token is refused.
		"ok-es256",
		// A scope decides about an operation, not about the token: TestTokenScopeSubstringGrantsNothing.
		"scope-missing", "scope-substring",
		// The state behind a token: authenticate_test.go.
		"revoked-jti", "user-disabled", "password-changed", "role-removed",
		// How a token travels is the matter of the HTTP layer.
		"in-query", "in-query-and-header", "two-auth-headers", "lowercase-bearer", "basic-scheme",
	}
	for _, c := range cases {
		if slices.Contains(elsewhere, c.Name) {
			continue
		}
		set := refused
		if strings.HasPrefix(c.Expect, "200") {
			set = accepted
		}
		if _, ok := set[c.Name]; !ok {
			t.Errorf("recipe %s (expect %s) is not built", c.Name, c.Expect)
		}
	}
}

func TestTokensTimesAreExact(t *testing.T) {
	tokens, clock := newTestTokens(t)
	token, claims, err := tokens.Issue("u1", kgl.RoleUser, []string{"profile"}, "s1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		at   time.Time
		want bool
	}{
		{claims.NotBefore.Add(-31 * time.Second), false},
		{claims.NotBefore.Add(-30*time.Second - time.Microsecond), false},
		{claims.NotBefore.Add(-30 * time.Second), true},
		{claims.ExpiresAt, true},
		{claims.ExpiresAt.Add(29 * time.Second), true},
		{claims.ExpiresAt.Add(30 * time.Second), true},
		{claims.ExpiresAt.Add(30*time.Second + time.Microsecond), false},
		{claims.ExpiresAt.Add(31 * time.Second), false},
	} {
		clock.Advance(tc.at.Sub(clock.Now()))
		if _, err := tokens.Verify(t.Context(), token); (err == nil) != tc.want {
			t.Errorf("at exp%+v: %v, want valid: %v", tc.at.Sub(claims.ExpiresAt), err, tc.want)
		}
	}
}

func TestUnknownKidsReadTheStoreOnceACooldown(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	store := &memoryKeys{keys: []kgl.SigningKey{testKeyPair()}}
	ring := newTestRing(t, clock, store)
	before := store.reads
	for i := range 1000 {
		if _, ok := ring.verifier(t.Context(), fmt.Sprintf("unknown-%d", i)); ok {
			t.Fatal("an unknown kid has a key")
		}
	}
	if got := store.reads - before; got != 1 {
		t.Errorf("1,000 unknown kids read the store %d times, want 1", got)
	}
	clock.Advance(5 * time.Second)
	ring.verifier(t.Context(), "unknown")
	if got := store.reads - before; got != 2 {
		t.Errorf("after the cool-down the store was read %d times, want 2", got)
	}
}

func TestNewTokensNeedsIssuerAndAudience(t *testing.T) {
	for _, cfg := range []TokenConfig{{}, {Issuer: "x"}, {Audience: "x"}} {
		if _, err := NewTokens(nil, nil, nil, cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add("a.b.c")
	f.Add(b64([]byte(`{"alg":"RS256","kid":"k","typ":"at+jwt"}`)) + ".e30.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		header, err := parseHeader(token)
		if err == nil && !validKeyID(header.KeyID) {
			t.Errorf("accepted kid %q", header.KeyID)
		}
		if err == nil && bytes.ContainsAny([]byte(token), "\r\n =+/") {
			t.Errorf("accepted the form of %q", token)
		}
	})
}
