package auth

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestDatabaseKeys(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	store, sealer := newMemStore(), newTestSealer(t)
	one := newTestRing(t, clock, NewDatabaseKeys(store, sealer, clock, kgl.NewUUIDv7(clock, rand.Reader)))
	two := newTestRing(t, clock, NewDatabaseKeys(store, sealer, clock, kgl.NewUUIDv7(clock, rand.Reader)))
	token, first := issueBy(t, ringTokens(t, one, clock))
	if _, err := ringTokens(t, two, clock).Verify(t.Context(), token); err != nil {
		t.Errorf("replicas do not agree: %v", err)
	}
	for _, k := range store.data.keys {
		if strings.Contains(k.PrivateKey, "PRIVATE") || k.PublicKey == "" {
			t.Errorf("stored key = %+v, want it sealed", k)
		}
	}

	clock.Advance(90 * 24 * time.Hour)
	if err := one.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k := store.data.keys[first]; len(store.data.keys) != 2 || k.RetiredAt == nil || k.ExpiresAt == nil {
		t.Fatalf("after the rotation: %d keys, the first %v to %v", len(store.data.keys), k.RetiredAt, k.ExpiresAt)
	}
	clock.Advance(time.Hour + 21*time.Minute)
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(store.data.keys) != 1 {
		t.Errorf("%d keys are stored, want the retired one gone", len(store.data.keys))
	}
	_, second := issueBy(t, ringTokens(t, two, clock))
	if err := two.Revoke(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if _, ok := store.data.keys[second]; ok || len(store.data.keys) != 1 {
		t.Error("a revoked key is still stored")
	}
}

func TestDatabaseKeysNeedTheirMasterKey(t *testing.T) {
	clock := kgl.NewFakeClock(testStart)
	store := newMemStore()
	newTestRing(t, clock, NewDatabaseKeys(store, newTestSealer(t), clock, kgl.NewUUIDv7(clock, rand.Reader)))
	_, err := NewKeyring(t.Context(), NewDatabaseKeys(store, newTestSealer(t), clock, kgl.NewUUIDv7(clock, rand.Reader)), clock, rand.Reader, quietLog(), KeyringConfig{})
	if err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("error = %v, want it to name the master key", err)
	}
	if len(store.data.keys) != 1 {
		t.Error("a key that cannot be read was replaced")
	}
}

// RFC 7638 section 3.1: the key of the example and its thumbprint.
func TestKeyIDIsTheThumbprint(t *testing.T) {
	key := wycheproofKey{
		Kty: "RSA", E: "AQAB",
		N: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
	}
	kid, _, err := publicJWK(key.rsa(t))
	if err != nil || kid != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("kid = %q, %v", kid, err)
	}
}
