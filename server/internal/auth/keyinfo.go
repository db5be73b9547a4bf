package auth

import (
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// KeyState says what a signing key does at a moment.
type KeyState string

// The states of signing keys, in the order in which a key passes through them.
const (
	KeyAnnounced KeyState = "announced" // published, does not sign yet
	KeySigning   KeyState = "signing"   // signs and verifies
	KeyRetired   KeyState = "retired"   // verifies the tokens that it signed
	KeyExpired   KeyState = "expired"   // of no use, about to be removed
)

// KeyInfo is what may be known of a signing key: nothing that is secret.
type KeyInfo struct {
	ID        string     `json:"kid"`
	Algorithm string     `json:"alg"`
	State     KeyState   `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	ActiveAt  time.Time  `json:"active_at"`  // signs from then on
	RetiredAt *time.Time `json:"retired_at"` // signs until then; null while no successor is known
	ExpiresAt *time.Time `json:"expires_at"` // verifies until then
}

// DescribeKeys returns what may be known of stored keys at a moment, in the
// order in which they sign.
func DescribeKeys(keys []kgl.SigningKey, now time.Time) []KeyInfo {
	keys = slices.Clone(keys)
	sortKeys(keys)
	signer := signerAt(keys, func(k kgl.SigningKey) kgl.SigningKey { return k }, now)
	infos := make([]KeyInfo, len(keys))
	for i, k := range keys {
		infos[i] = KeyInfo{
			ID: k.ID, Algorithm: k.Algorithm, State: KeyRetired,
			CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt, RetiredAt: k.RetiredAt, ExpiresAt: k.ExpiresAt,
		}
		switch {
		case keyEnded(k, now):
			infos[i].State = KeyExpired
		case i == signer:
			infos[i].State = KeySigning
		case now.Before(k.ActiveAt):
			infos[i].State = KeyAnnounced
		}
	}
	return infos
}

func keyEnded(k kgl.SigningKey, now time.Time) bool {
	return k.ExpiresAt != nil && !now.Before(*k.ExpiresAt)
}

// signerAt returns the index of the key that signs, or -1: the one that became
// active last, or, when the clock went back behind the first key, that one.
func signerAt[K any](sorted []K, stored func(K) kgl.SigningKey, now time.Time) int {
	for i, key := range slices.Backward(sorted) {
		if k := stored(key); !now.Before(k.ActiveAt) && !keyEnded(k, now) {
			return i
		}
	}
	if len(sorted) > 0 && !keyEnded(stored(sorted[0]), now) {
		return 0
	}
	return -1
}
