package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestParseMasterKey(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i*37 + 251)
	}
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(key), base64.RawStdEncoding.EncodeToString(key),
		base64.URLEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key),
		hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)), " " + base64.StdEncoding.EncodeToString(key) + "\n",
	} {
		if got, err := ParseMasterKey(text); err != nil || !bytes.Equal(got, key) {
			t.Errorf("ParseMasterKey(%q) = %x, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "secret", strings.Repeat("0", 64), base64.StdEncoding.EncodeToString(key[:31]),
		base64.StdEncoding.EncodeToString(append(key, 1)), hex.EncodeToString(key[:16]),
		base64.StdEncoding.EncodeToString([]byte("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb")), "not base64 at all, is it? no it is not!!!!!!",
	} {
		_, err := ParseMasterKey(text)
		if err == nil {
			t.Errorf("ParseMasterKey(%q) gave no error", text)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func newTestSealer(t *testing.T) *Sealer {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	s, err := NewSealer(key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealer(t *testing.T) {
	s := newTestSealer(t)
	sealed, err := s.Seal("webhook", "id-1", []byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "secret") {
		t.Error("the plaintext shows")
	}
	if got, err := s.Open("webhook", "id-1", sealed); err != nil || string(got) != "a secret" {
		t.Errorf("Open = %q, %v", got, err)
	}
	again, err := s.Seal("webhook", "id-1", []byte("a secret"))
	if err != nil || again == sealed {
		t.Errorf("sealing twice gives the same text: %v", err)
	}
	flipped := []byte(sealed)
	flipped[len(flipped)/2] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"other id":      func() ([]byte, error) { return s.Open("webhook", "id-2", sealed) },
		"other purpose": func() ([]byte, error) { return s.Open("signing-key", "id-1", sealed) },
		"other key":     func() ([]byte, error) { return newTestSealer(t).Open("webhook", "id-1", sealed) },
		"changed":       func() ([]byte, error) { return s.Open("webhook", "id-1", string(flipped)) },
		"cut":           func() ([]byte, error) { return s.Open("webhook", "id-1", sealed[:10]) },
		"plain":         func() ([]byte, error) { return s.Open("webhook", "id-1", "a secret") },
		"empty":         func() ([]byte, error) { return s.Open("webhook", "id-1", "") },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: opened as %q", name, got)
		}
	}
}

func TestRefreshSecret(t *testing.T) {
	old, err := newRefreshSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	next, err := newRefreshSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := old.Token()
	if !strings.HasPrefix(token, "kglr_") || len(token) != 48 {
		t.Errorf("token = %q", token)
	}
	if got, ok := parseRefreshToken(token); !ok || got != old {
		t.Error("a token does not parse as itself")
	}
	for _, bad := range []string{"", "kglr_", token[5:], token + "A", token[:47], token[:20] + "\n" + token[21:], "KGLR_" + token[5:], token + "="} {
		if _, ok := parseRefreshToken(bad); ok {
			t.Errorf("parseRefreshToken(%q) accepts", bad)
		}
	}
	sealed, err := old.sealSuccessor(rand.Reader, next)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := old.openSuccessor(sealed); err != nil || got != next {
		t.Errorf("the successor does not open: %v", err)
	}
	if _, err := next.openSuccessor(sealed); err == nil {
		t.Error("another token opens the successor")
	}
	if old.Hash() == next.Hash() || len(old.Hash()) != 64 || strings.Contains(sealed, next.Token()[5:]) {
		t.Error("hash or seal is wrong")
	}
}
