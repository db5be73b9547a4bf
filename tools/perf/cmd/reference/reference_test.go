package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

// issuer signs tokens and serves its public key as JWKS.
func issuer(t *testing.T) (sign func(audience string, lasting time.Duration) string, jwks string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.FromRaw(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{jwk.KeyIDKey: "one", jwk.AlgorithmKey: jwa.RS256} {
		if err := key.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	set := jwk.NewSet()
	if err := set.AddKey(public); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(server.Close)
	return func(audience string, lasting time.Duration) string {
		token, err := jwt.NewBuilder().Issuer("kgl-backend").Audience([]string{audience}).Expiration(time.Now().Add(lasting)).Build()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := jwt.Sign(token, jwt.WithKey(jwa.RS256, key))
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}, server.URL
}

// The reference must not be cheap because it lets everybody in.
func TestTokensAreChecked(t *testing.T) {
	sign, jwks := issuer(t)
	stranger, _ := issuer(t)
	for _, remember := range []bool{false, true} {
		check := &tokenCheck{url: jwks, issuer: "kgl-backend", audience: "kgl", remember: remember}
		if err := check.loadKeys(); err != nil {
			t.Fatal(err)
		}
		good := sign("kgl", time.Minute)
		for range 2 {
			if !check.holds(good) {
				t.Errorf("remember %v: a good token was refused", remember)
			}
		}
		for name, bad := range map[string]string{
			"ended": sign("kgl", -time.Minute), "for another audience": sign("other", time.Minute),
			"of a stranger": stranger("kgl", time.Minute), "no token": "x",
		} {
			if check.holds(bad) {
				t.Errorf("remember %v: a token was accepted that is %s", remember, name)
			}
		}
	}
}
