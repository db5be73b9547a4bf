package auth

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// masterKeyBytes is the length of KGL_MASTER_KEY: 256 bits.
const masterKeyBytes = 32

// ParseMasterKey reads a key of 32 bytes written as base64 (standard or URL
// alphabet, padded or not) or as 64 hexadecimal digits, as `openssl rand` gives
// them. The error never repeats the text.
func ParseMasterKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if key, err := hex.DecodeString(text); err == nil && len(text) == 2*masterKeyBytes {
		return checkMasterKey(key)
	}
	plain := strings.TrimRight(text, "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if key, err := enc.DecodeString(plain); err == nil {
			return checkMasterKey(key)
		}
	}
	return nil, errors.New("the master key must be 32 bytes in base64 or hexadecimal, such as `openssl rand -base64 32` prints")
}

func checkMasterKey(key []byte) ([]byte, error) {
	if len(key) != masterKeyBytes {
		return nil, fmt.Errorf("the master key must have %d bytes, it has %d", masterKeyBytes, len(key))
	}
	distinct := map[byte]bool{}
	for _, b := range key {
		distinct[b] = true
	}
	// 32 random bytes have fewer than 12 distinct values once in 10^19 times;
	// a key that was typed or left at zero has.
	if len(distinct) < 12 {
		return nil, errors.New("the master key is not random: make one with `openssl rand -base64 32`")
	}
	return key, nil
}

// Sealer encrypts secrets that are stored, under keys derived from one master
// key. It is safe for concurrent use.
type Sealer struct {
	master []byte
	random io.Reader
}

// NewSealer returns a Sealer on a master key of 32 bytes, with nonces from
// random.
func NewSealer(masterKey []byte, random io.Reader) (*Sealer, error) {
	key, err := checkMasterKey(masterKey)
	if err != nil {
		return nil, err
	}
	return &Sealer{master: key, random: random}, nil
}

// sealedPrefix names the form of a sealed text, so that another can follow.
const sealedPrefix = "v1."

// Seal returns plaintext encrypted with AES-256-GCM, as printable text. It is
// bound to a purpose, such as "signing-key", and to the id of the row that it
// stands in: moved to another row it does not open.
func (s *Sealer) Seal(purpose, id string, plaintext []byte) (string, error) {
	aead, err := deriveAEAD(s.master, "kgl/sealed/v1/"+purpose)
	if err != nil {
		return "", err
	}
	return seal(aead, s.random, plaintext, sealedData(purpose, id))
}

// SealFixed is Seal with the same result for the same arguments, for copies that
// are compared: the nonce is derived from the plaintext and what it is bound to
// (HMAC-SHA-256 under a key of its own, as RFC 5297 does with CMAC), so it
// differs whenever they do.
func (s *Sealer) SealFixed(purpose, id string, plaintext []byte) (string, error) {
	aead, err := deriveAEAD(s.master, "kgl/sealed/v1/"+purpose)
	if err != nil {
		return "", err
	}
	key, err := hkdf.Key(sha256.New, s.master, nil, "kgl/sealed/v1/nonce/"+purpose, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a key: %w", err)
	}
	data := sealedData(purpose, id)
	mac := hmac.New(sha256.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(data))))
	mac.Write(data)
	mac.Write(plaintext)
	return seal(aead, bytes.NewReader(mac.Sum(nil)), plaintext, data)
}

// Open returns the plaintext of a text that Seal returned for the same purpose
// and id.
func (s *Sealer) Open(purpose, id, sealed string) ([]byte, error) {
	aead, err := deriveAEAD(s.master, "kgl/sealed/v1/"+purpose)
	if err != nil {
		return nil, err
	}
	return open(aead, sealed, sealedData(purpose, id))
}

func sealedData(purpose, id string) []byte {
	return fmt.Appendf(nil, "%d:%s,%d:%s", len(purpose), purpose, len(id), id)
}

// deriveAEAD returns AES-256-GCM under a key that HKDF-SHA-256 (RFC 5869)
// derives from secret for one use.
func deriveAEAD(secret []byte, info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, info, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

func seal(aead cipher.AEAD, random io.Reader, plaintext, data []byte) (string, error) {
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return sealedPrefix + base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plaintext, data)), nil
}

var errSealed = errors.New("a sealed value cannot be opened: it was damaged, moved, or sealed under another master key")

func open(aead cipher.AEAD, sealed string, data []byte) ([]byte, error) {
	text, ok := strings.CutPrefix(sealed, sealedPrefix)
	if !ok {
		return nil, errSealed
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < aead.NonceSize() {
		return nil, errSealed
	}
	plaintext, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], data)
	if err != nil {
		return nil, errSealed
	}
	return plaintext, nil
}
