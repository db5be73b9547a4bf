package auth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func ringTokens(t *testing.T, ring *Keyring, clock kgl.Clock) *Tokens {
	t.Helper()
	tokens, err := NewTokens(ring, clock, kgl.NewUUIDv7(clock, rand.Reader), TokenConfig{Issuer: "i", Audience: "a"})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func issueBy(t *testing.T, tokens *Tokens) (token, kid string) {
	t.Helper()
	token, claims, err := tokens.Issue("u1", kgl.RoleUser, []string{"profile"}, "s1")
	if err != nil {
		t.Fatal(err)
	}
	return token, claims.KeyID
}

func jwksKids(t *testing.T, ring *Keyring) []string {
	t.Helper()
	data, err := ring.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, k := range set.Keys {
		if k["alg"] != "RS256" || k["use"] != "sig" || k["kty"] != "RSA" || k["n"] == "" || k["e"] == "" || len(k) != 6 {
			t.Errorf("JWK = %v, want kty, n, e, alg, use and kid and no private part", k)
		}
		kids = append(kids, k["kid"])
	}
	return kids
}

// Two replicas live through a rotation: no moment refuses a token that either
// of them signed.
func TestKeyringRotates(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	store := &memoryKeys{keys: []kgl.SigningKey{testKeyPair()}}
	one, two := newTestRing(t, clock, store), newTestRing(t, clock, store)
	tokensOne, tokensTwo := ringTokens(t, one, clock), ringTokens(t, two, clock)
	first := testKeyPair().ID

	clock.Advance(90*24*time.Hour - 2*time.Hour - time.Second)
	if err := one.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := jwksKids(t, one); !slices.Equal(got, []string{first}) {
		t.Fatalf("keys before the rotation: %v", got)
	}
	clock.Advance(time.Second)
	if err := one.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	kids := jwksKids(t, one)
	if len(kids) != 2 {
		t.Fatalf("announced keys: %v", kids)
	}
	second := kids[1]
	if _, kid := issueBy(t, tokensOne); kid != first {
		t.Error("a key signs in the moment in which it is announced")
	}
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := jwksKids(t, two); !slices.Equal(got, kids) {
		t.Fatalf("the replicas publish %v and %v", kids, got)
	}

	clock.Advance(time.Hour - time.Second)
	old, kid := issueBy(t, tokensTwo)
	if kid != first {
		t.Error("the new key signs before its time")
	}
	clock.Advance(time.Second)
	fresh, kid := issueBy(t, tokensOne)
	if kid != second {
		t.Error("the new key does not sign when its time has come")
	}
	for _, token := range []string{old, fresh} {
		if _, err := tokensTwo.Verify(t.Context(), token); err != nil {
			t.Errorf("a token is refused in the rotation: %v", err)
		}
	}

	clock.Advance(15*time.Minute + 29*time.Second)
	if _, err := tokensTwo.Verify(t.Context(), old); err != nil {
		t.Errorf("the retired key stops verifying too early: %v", err)
	}
	clock.Advance(5 * time.Minute)
	if got := jwksKids(t, two); !slices.Equal(got, []string{second}) {
		t.Errorf("keys after the rotation: %v", got)
	}
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(store.keys) != 1 || store.keys[0].ID != second {
		t.Errorf("the store keeps %d keys", len(store.keys))
	}
}

// Replicas that made their first keys at the same moment agree in the end, and
// meanwhile accept each other's tokens.
func TestKeyringsWithTwoFirstKeysConverge(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	a, err := newKey(rand.Reader, testStart, testStart)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newKey(rand.Reader, testStart, testStart)
	if err != nil {
		t.Fatal(err)
	}
	store := &memoryKeys{keys: []kgl.SigningKey{a}}
	one := newTestRing(t, clock, store)
	store.keys = []kgl.SigningKey{a, b}
	two := newTestRing(t, clock, store)
	token, _ := issueBy(t, ringTokens(t, two, clock))
	if _, err := ringTokens(t, one, clock).Verify(t.Context(), token); err != nil {
		t.Errorf("a key that another replica made just now is unknown: %v", err)
	}
	early, _ := issueBy(t, ringTokens(t, one, clock))
	if _, err := ringTokens(t, two, clock).Verify(t.Context(), early); err != nil {
		t.Errorf("a token of the other key is refused: %v", err)
	}
	if err := errors.Join(one.Refresh(t.Context()), two.Refresh(t.Context())); err != nil {
		t.Fatal(err)
	}
	_, kidOne := issueBy(t, ringTokens(t, one, clock))
	_, kidTwo := issueBy(t, ringTokens(t, two, clock))
	if kidOne != kidTwo {
		t.Errorf("the replicas sign with %s and %s", kidOne, kidTwo)
	}
	clock.Advance(21 * time.Minute)
	if err := one.Refresh(t.Context()); err != nil || len(store.keys) != 1 {
		t.Errorf("%d keys stay (%v), want one", len(store.keys), err)
	}
}

func TestKeyringRotateAndRevoke(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	store := &memoryKeys{keys: []kgl.SigningKey{testKeyPair()}}
	ring := newTestRing(t, clock, store)
	tokens := ringTokens(t, ring, clock)
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, kid := issueBy(t, tokens)
	if kid != testKeyPair().ID || len(jwksKids(t, ring)) != 2 {
		t.Error("Rotate does not announce the next key")
	}
	if err := ring.Revoke(t.Context(), kid); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Verify(t.Context(), token); err == nil {
		t.Error("a token of a revoked key is accepted")
	}
	if _, next := issueBy(t, tokens); next == kid {
		t.Error("a revoked key signs")
	}
	wantCode(t, ring.Revoke(t.Context(), "nothing"), kgl.CodeNotFound)
}

func TestKeyringKeepsItsKeysWhenTheStoreFails(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	store := &memoryKeys{keys: []kgl.SigningKey{testKeyPair()}}
	ring := newTestRing(t, clock, store)
	token, _ := issueBy(t, ringTokens(t, ring, clock))
	store.err = errors.New("down")
	if err := ring.Refresh(t.Context()); err == nil {
		t.Error("Refresh hides that the store failed")
	}
	if _, err := ringTokens(t, ring, clock).Verify(t.Context(), token); err != nil {
		t.Errorf("a known key is forgotten: %v", err)
	}
	if _, err := NewKeyring(t.Context(), store, clock, rand.Reader, quietLog(), KeyringConfig{}); err == nil {
		t.Error("a keyring starts without keys")
	}
}

func TestKeyringRefusesDamagedKeys(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	for name, damage := range map[string]func(*kgl.SigningKey){
		"kid":       func(k *kgl.SigningKey) { k.ID = "other" },
		"pem":       func(k *kgl.SigningKey) { k.PrivateKey = "x" },
		"der":       func(k *kgl.SigningKey) { k.PrivateKey = strings.Replace(k.PrivateKey, "M", "N", 3) },
		"algorithm": func(k *kgl.SigningKey) { k.Algorithm = "HS256" },
	} {
		key := testKeyPair()
		damage(&key)
		_, err := NewKeyring(t.Context(), &memoryKeys{keys: []kgl.SigningKey{key}}, clock, rand.Reader, quietLog(), KeyringConfig{})
		if err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

func TestFileKeys(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	path := filepath.Join(t.TempDir(), "keys.json")
	ring := newTestRing(t, clock, newFileKeys(path, clock))
	token, _ := issueBy(t, ringTokens(t, ring, clock))
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("mode = %v, %v; want 0600", info.Mode(), err)
	}
	again := newTestRing(t, clock, newFileKeys(path, clock))
	if _, err := ringTokens(t, again, clock).Verify(t.Context(), token); err != nil {
		t.Errorf("after a restart a token is refused: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, want the file and its lock", entries)
	}
}

func TestFileKeysRefuse(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	for name, content := range map[string]string{
		"empty":         "",
		"not JSON":      "keys",
		"other version": `{"version":2,"keys":[]}`,
		"unknown field": `{"version":1,"keys":[],"x":1}`,
	} {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewKeyring(t.Context(), newFileKeys(path, clock), clock, rand.Reader, quietLog(), KeyringConfig{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%s: a file that cannot be read was replaced", name)
		}
	}
	if runtime.GOOS == "windows" {
		return // there are no mode bits
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o602, 0o660} {
		path := filepath.Join(t.TempDir(), "keys.json")
		newTestRing(t, clock, newFileKeys(path, clock))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := NewKeyring(t.Context(), newFileKeys(path, clock), clock, rand.Reader, quietLog(), KeyringConfig{})
		if err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: error = %v, want a word on what to do", mode, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing", "keys.json")
	if _, err := NewKeyring(t.Context(), newFileKeys(missing, clock), clock, rand.Reader, quietLog(), KeyringConfig{}); err == nil {
		t.Error("a missing folder is no error")
	}
}

// Processes that start at once on one file end up with one key.
func TestFileKeysStartedAtOnce(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	path := filepath.Join(t.TempDir(), "keys.json")
	rings := make([]*Keyring, 4)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			ring, err := NewKeyring(context.Background(), newFileKeys(path, clock), clock, rand.Reader, quietLog(), KeyringConfig{})
			if err != nil {
				t.Errorf("NewKeyring: %v", err)
				return
			}
			rings[i] = ring
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	want := jwksKids(t, rings[0])
	for _, ring := range rings {
		if got := jwksKids(t, ring); len(got) != 1 || !slices.Equal(got, want) {
			t.Errorf("keys = %v, want %v", got, want)
		}
	}
}
