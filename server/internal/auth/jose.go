package auth

// This is the only file that uses the JOSE library (jwx v2). A move to its
// next major version changes this file and no other.

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	algorithmRS256 = "RS256"
	typeAccess     = "at+jwt" // RFC 9068 section 2.1
)

// signRS256 returns payload as a JWS in compact form, with the header
// parameters alg, kid and typ.
func signRS256(key *rsa.PrivateKey, kid string, payload []byte) (string, error) {
	header := jws.NewHeaders()
	for name, value := range map[string]string{jws.KeyIDKey: kid, jws.TypeKey: typeAccess} {
		if err := header.Set(name, value); err != nil {
			return "", fmt.Errorf("set the token header: %w", err)
		}
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.RS256, key, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return string(signed), nil
}

// verifyRS256 returns the payload of a JWS in compact form when its signature
// is an RS256 signature by key, whatever its header asks for.
func verifyRS256(token string, key *rsa.PublicKey) ([]byte, error) {
	payload, err := jws.Verify([]byte(token), jws.WithKey(jwa.RS256, key))
	if err != nil {
		return nil, fmt.Errorf("verify a token: %w", err)
	}
	return payload, nil
}

// publicJWK returns the public key as a JSON Web Key for checking RS256
// signatures, and its id: the thumbprint of RFC 7638 with SHA-256.
func publicJWK(public *rsa.PublicKey) (kid string, jwkJSON []byte, err error) {
	key, err := jwk.FromRaw(public)
	if err != nil {
		return "", nil, fmt.Errorf("make a JWK: %w", err)
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", nil, fmt.Errorf("compute a JWK thumbprint: %w", err)
	}
	kid = base64.RawURLEncoding.EncodeToString(sum)
	for name, value := range map[string]any{
		jwk.KeyIDKey: kid, jwk.AlgorithmKey: jwa.RS256, jwk.KeyUsageKey: jwk.ForSignature,
	} {
		if err := key.Set(name, value); err != nil {
			return "", nil, fmt.Errorf("make a JWK: %w", err)
		}
	}
	jwkJSON, err = json.Marshal(key)
	if err != nil {
		return "", nil, fmt.Errorf("encode a JWK: %w", err)
	}
	return kid, jwkJSON, nil
}
