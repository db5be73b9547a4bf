package storetest

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// newSigningKey returns a key that was made n minutes after the epoch.
func newSigningKey(name string, n int) kgl.SigningKey {
	made := after(time.Duration(n) * time.Minute)
	return kgl.SigningKey{
		ID: name, Algorithm: "RS256", PublicKey: `{"kty":"RSA"}`, PrivateKey: "sealed", CreatedAt: made, ActiveAt: made.Add(time.Hour),
	}
}

func keyNames(t *testing.T, db *store.DB) []string {
	t.Helper()
	return idsOf(got(db.SigningKeys(ctx(t)))(t), func(k kgl.SigningKey) string { return k.ID })
}

func runSigningKeys(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"keys are stored whole and listed oldest first", func(t *testing.T, db *store.DB) {
			young, old := newSigningKey("a", 2), newSigningKey("b", 1)
			old.RetiredAt, old.ExpiresAt = at(time.Hour), at(2*time.Hour)
			must(t, db.CreateSigningKey(ctx(t), young))
			must(t, db.CreateSigningKey(ctx(t), old))
			same(t, got(db.SigningKeys(ctx(t)))(t), []kgl.SigningKey{old, young})
		}},
		{"a key's id is taken once", func(t *testing.T, db *store.DB) {
			must(t, db.CreateSigningKey(ctx(t), newSigningKey("a", 1)))
			wantCode(t, db.CreateSigningKey(ctx(t), newSigningKey("a", 2)), kgl.CodeConflict)
		}},
		{"a key is retired", func(t *testing.T, db *store.DB) {
			k := newSigningKey("a", 1)
			must(t, db.CreateSigningKey(ctx(t), k))
			must(t, db.RetireSigningKey(ctx(t), "a", after(time.Hour), after(2*time.Hour)))
			k.RetiredAt, k.ExpiresAt = at(time.Hour), at(2*time.Hour)
			same(t, got(db.SigningKeys(ctx(t)))(t), []kgl.SigningKey{k})
			wantCode(t, db.RetireSigningKey(ctx(t), "b", epoch, epoch), kgl.CodeNotFound)
		}},
		{"expired keys are removed", func(t *testing.T, db *store.DB) {
			for i, name := range []string{"a", "b", "c"} {
				must(t, db.CreateSigningKey(ctx(t), newSigningKey(name, i)))
			}
			must(t, db.RetireSigningKey(ctx(t), "a", epoch, after(time.Hour)))
			must(t, db.RetireSigningKey(ctx(t), "b", epoch, after(2*time.Hour)))
			must(t, db.DeleteSigningKeys(ctx(t), after(2*time.Hour)))
			same(t, keyNames(t, db), []string{"b", "c"})
		}},
	})
}
