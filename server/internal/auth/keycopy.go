package auth

import (
	"context"
	"fmt"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ReadKeyFile returns the signing keys of a file; none when there is no file.
// A file that others may read or write is refused.
func ReadKeyFile(ctx context.Context, path string) ([]kgl.SigningKey, error) {
	return (&FileKeys{path: path}).Keys(ctx)
}

// WriteKeyFile makes keys the whole content of a file of signing keys. It is for
// copies of an installation: nothing is audited, and no server may use the file.
func WriteKeyFile(path string, keys []kgl.SigningKey) error {
	return (&FileKeys{path: path}).write(keys)
}

// SealKeys returns signing keys as a database keeps them.
func (s *Sealer) SealKeys(keys []kgl.SigningKey) ([]kgl.SigningKey, error) {
	sealed := make([]kgl.SigningKey, len(keys))
	for i, k := range keys {
		text, err := s.Seal(sealSigningKey, k.ID, []byte(k.PrivateKey))
		if err != nil {
			return nil, err
		}
		k.PrivateKey = text
		sealed[i] = k
	}
	return sealed, nil
}

// OpenKeys returns signing keys of a database with their private keys opened.
func (s *Sealer) OpenKeys(sealed []kgl.SigningKey) ([]kgl.SigningKey, error) {
	keys := make([]kgl.SigningKey, len(sealed))
	for i, k := range sealed {
		plain, err := s.Open(sealSigningKey, k.ID, k.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", k.ID, err)
		}
		k.PrivateKey = string(plain)
		keys[i] = k
	}
	return keys, nil
}
