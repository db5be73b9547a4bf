package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// refreshPrefix makes a refresh token known for what it is, to secret scanners
// and to the check of access tokens.
const refreshPrefix = "kglr_"

// refreshBytes is the entropy of a refresh token: 256 bits, which need no slow
// hash.
const refreshBytes = 32

// refreshSecret is the secret part of a refresh token.
type refreshSecret [refreshBytes]byte

func newRefreshSecret(random io.Reader) (refreshSecret, error) {
	var s refreshSecret
	if _, err := io.ReadFull(random, s[:]); err != nil {
		return refreshSecret{}, fmt.Errorf("read random bytes: %w", err)
	}
	return s, nil
}

// parseRefreshToken reads the text of a refresh token.
func parseRefreshToken(token string) (refreshSecret, bool) {
	var s refreshSecret
	text, ok := strings.CutPrefix(token, refreshPrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(refreshBytes) || strings.ContainsAny(text, "\r\n") {
		return refreshSecret{}, false
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(s[:], []byte(text)); err != nil || n != refreshBytes {
		return refreshSecret{}, false
	}
	return s, true
}

// Token returns the text that the client keeps.
func (s refreshSecret) Token() string {
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(s[:])
}

// Hash returns what is stored of the token: SHA-256 in hexadecimal.
func (s refreshSecret) Hash() string {
	sum := sha256.Sum256([]byte(s.Token()))
	return hex.EncodeToString(sum[:])
}

const successorInfo = "kgl/refresh-successor/v1"

// sealSuccessor encrypts the next token under a key that only the holder of
// this one can derive. A reply that got lost can so be given again, although no
// token is stored in the clear.
func (s refreshSecret) sealSuccessor(random io.Reader, next refreshSecret) (string, error) {
	aead, err := deriveAEAD(s[:], successorInfo)
	if err != nil {
		return "", err
	}
	return seal(aead, random, next[:], []byte(s.Hash()))
}

func (s refreshSecret) openSuccessor(sealed string) (refreshSecret, error) {
	aead, err := deriveAEAD(s[:], successorInfo)
	if err != nil {
		return refreshSecret{}, err
	}
	plain, err := open(aead, sealed, []byte(s.Hash()))
	if err != nil || len(plain) != refreshBytes {
		return refreshSecret{}, kgl.Wrap(err, kgl.CodeInternal, "the successor of a refresh token cannot be read")
	}
	return refreshSecret(plain), nil
}
