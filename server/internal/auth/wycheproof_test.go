package auth

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"os"
	"slices"
	"testing"
)

// Every signature test of Wycheproof goes through the check of the form and of
// the signature. Ours accepts less than JWS allows; what it refuses although the
// vectors call it valid is pinned by its reason.
func TestWycheproofSignatures(t *testing.T) {
	data, err := os.ReadFile(sharedFile(t, "vectors/wycheproof-jose/json_web_signature_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			Public wycheproofKey
			Tests  []struct {
				TcID    int
				Comment string
				Jws     json.RawMessage
				Result  string
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	ran, refusedValid := 0, map[string]int{}
	for _, group := range file.TestGroups {
		for _, test := range group.Tests {
			ran++
			var token string
			if json.Unmarshal(test.Jws, &token) != nil {
				token = string(test.Jws) // the JSON serialisation
			}
			reason := group.Public.verdict(t, token)
			switch {
			case test.Result == "invalid" && reason == "":
				t.Errorf("%d %s: accepted", test.TcID, test.Comment)
			case test.Result == "valid" && reason != "":
				refusedValid[reason]++
			}
		}
	}
	if ran < 400 {
		t.Errorf("only %d tests ran", ran)
	}
	want := map[string]int{
		// HS256, ES256, ES521, PS256 to PS512, RS384, RS512: pinned to RS256.
		"the algorithm is not RS256": 36,
		// "bilbo.baggins@hobbiton.example": ours are thumbprints.
		"the kid has a form that no key of ours has": 2,
		// "?" inside a part, which the vectors let lenient decoders skip.
		"not base64url": 2,
	}
	if !maps.Equal(refusedValid, want) {
		t.Errorf("valid but refused: %v, want %v", refusedValid, want)
	}
}

type wycheproofKey struct {
	Kty, Alg, Use, N, E string
	KeyOps              []string `json:"key_ops"`
}

// verdict returns why a token is refused under the key, or nothing. A key that
// its owner publishes for another use than RS256 signatures is never put into
// our keyring.
func (k wycheproofKey) verdict(t *testing.T, token string) string {
	t.Helper()
	if _, err := parseHeader(token); err != nil {
		return err.Error()
	}
	if k.Kty != "RSA" || k.Alg != "" && k.Alg != "RS256" || k.Use == "enc" ||
		k.KeyOps != nil && !slices.Contains(k.KeyOps, "verify") {
		return "the key does not verify RS256"
	}
	if _, err := verifyRS256(token, k.rsa(t)); err != nil {
		return "the signature is wrong"
	}
	return ""
}

func (k wycheproofKey) rsa(t *testing.T) *rsa.PublicKey {
	t.Helper()
	modulus, err := base64.RawURLEncoding.DecodeString(k.N)
	if err != nil {
		t.Fatal(err)
	}
	exponent, err := base64.RawURLEncoding.DecodeString(k.E)
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}
}
