package auth

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

var testStart = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// memoryKeys is a KeyStore that several keyrings of a test can share.
type memoryKeys struct {
	mu    sync.Mutex
	keys  []kgl.SigningKey
	reads int
	err   error
}

func (m *memoryKeys) Keys(context.Context) ([]kgl.SigningKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	return slices.Clone(m.keys), m.err
}

func (m *memoryKeys) Update(_ context.Context, change func([]kgl.SigningKey) ([]kgl.SigningKey, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys, err := change(slices.Clone(m.keys))
	if err != nil {
		return err
	}
	m.keys = slices.Clone(keys)
	return nil
}

// testKeyPair is one RSA key for the tests that need any key.
var testKeyPair = sync.OnceValue(func() kgl.SigningKey {
	key, err := newKey(rand.Reader, testStart.Add(-time.Hour), testStart.Add(-time.Hour))
	if err != nil {
		panic(err)
	}
	return key
})

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newFileKeys(path string, clock kgl.Clock) *FileKeys {
	return NewFileKeys(path, newMemStore(), clock, kgl.NewUUIDv7(clock, rand.Reader))
}

func newTestRing(t *testing.T, clock kgl.Clock, store KeyStore) *Keyring {
	t.Helper()
	ring, err := NewKeyring(t.Context(), store, clock, rand.Reader, quietLog(), KeyringConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func newTestTokens(t *testing.T) (*Tokens, *kgl.FakeClock) {
	t.Helper()
	clock := kgl.NewFakeClock(testStart)
	ring := newTestRing(t, clock, &memoryKeys{keys: []kgl.SigningKey{testKeyPair()}})
	tokens, err := NewTokens(ring, clock, kgl.NewUUIDv7(clock, rand.Reader), TokenConfig{Issuer: "https://kgl.example", Audience: "kgl-api"})
	if err != nil {
		t.Fatal(err)
	}
	return tokens, clock
}

// cheapHasher keeps tests fast where the cost of a hash does not matter.
func cheapHasher(t *testing.T) *Hasher {
	t.Helper()
	h, err := NewHasher(rand.Reader, HasherConfig{Params: HashParams{MemoryKiB: 64, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sharedFile returns the path of a file of the shared test data, and skips the
// test where it is absent.
func sharedFile(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("KGL_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("shared test data is absent: %s (set KGL_SHARED to its folder)", name)
	}
	return path
}

func wantCode(t *testing.T, err error, want kgl.Code) {
	t.Helper()
	if got := kgl.ErrorCode(err); got != want {
		t.Fatalf("code = %q, want %q (error: %v)", got, want, err)
	}
}
