package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// HashParams are the costs of argon2id (RFC 9106).
type HashParams struct {
	MemoryKiB uint32
	Time      uint32 // passes
	Threads   uint8
}

// DefaultHashParams returns 19 MiB, two passes, one thread: the least that
// OWASP's password storage cheat sheet accepts for argon2id.
func DefaultHashParams() HashParams { return HashParams{MemoryKiB: 19 * 1024, Time: 2, Threads: 1} }

// Bounds on what a hash may ask for, so that a stored row that someone else
// wrote cannot take the memory of the process. RFC 9106 section 3.1 demands
// eight KiB a thread.
const (
	maxMemoryKiB = 1 << 20
	maxTime      = 64
)

func (p HashParams) valid() bool {
	return p.Threads >= 1 && p.Time >= 1 && p.Time <= maxTime &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxMemoryKiB
}

// HasherConfig bounds the work of a Hasher. Zero fields take the defaults.
type HasherConfig struct {
	Params     HashParams    // default DefaultHashParams
	Concurrent int           // hashes computed at once, default 2; memory is Concurrent * MemoryKiB
	Waiting    int           // callers that may wait for their turn, default 256
	Wait       time.Duration // how long they wait, default 5 s
}

// Hasher computes and checks password hashes, a bounded number at a time. It
// is safe for concurrent use.
type Hasher struct {
	params  HashParams
	random  io.Reader
	slots   *semaphore.Weighted
	waiting atomic.Int64
	maxWait int64
	wait    time.Duration
	dummy   string // what Verify compares with when there is no user
}

const (
	saltBytes = 16
	hashBytes = 32
)

// NewHasher returns a Hasher that takes salts from random.
func NewHasher(random io.Reader, cfg HasherConfig) (*Hasher, error) {
	if cfg.Params == (HashParams{}) {
		cfg.Params = DefaultHashParams()
	}
	if !cfg.Params.valid() {
		return nil, kgl.Errorf(kgl.CodeInvalid, "argon2id parameters m=%d,t=%d,p=%d are out of range",
			cfg.Params.MemoryKiB, cfg.Params.Time, cfg.Params.Threads)
	}
	h := &Hasher{
		params:  cfg.Params,
		random:  random,
		slots:   semaphore.NewWeighted(int64(orDefault(cfg.Concurrent, 2))),
		maxWait: int64(orDefault(cfg.Waiting, 256)),
		wait:    orDefault(cfg.Wait, 5*time.Second),
	}
	return h, h.drawDummy()
}

// drawDummy makes up the hash that checks against unknown users are done with,
// so that they cost what others do. It is of no password that anybody knows, and
// costs no memory, as computing one would.
func (h *Hasher) drawDummy() error {
	p := phc{params: h.params, salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)}
	for _, b := range [][]byte{p.salt, p.hash} {
		if _, err := io.ReadFull(h.random, b); err != nil {
			return fmt.Errorf("read random bytes: %w", err)
		}
	}
	h.dummy = p.String()
	return nil
}

// orDefault returns value, or fallback where value is zero.
func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Hash returns the hash of a password as a PHC string. CodeUnavailable means
// that too many hashes are being computed.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return h.compute(normalizePassword(password))
}

// Verify reports whether password is the one behind encoded. An empty encoded
// stands for a user who does not exist: the same work is done and the answer
// is no. CodeUnavailable means that too many hashes are being computed.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (bool, error) {
	known := encoded != ""
	if !known {
		encoded = h.dummy
	}
	stored, err := parsePHC(encoded)
	if err != nil {
		return false, kgl.Wrap(err, kgl.CodeInternal, "the stored password hash cannot be read")
	}
	release, err := h.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	got := stored.derive(normalizePassword(password))
	return subtle.ConstantTimeCompare(got, stored.hash) == 1 && known, nil
}

// NeedsRehash reports whether encoded was computed with other costs than those
// of today, so that it should be replaced at the next login.
func (h *Hasher) NeedsRehash(encoded string) bool {
	stored, err := parsePHC(encoded)
	if err != nil {
		return true
	}
	return stored.params != h.params || len(stored.salt) < saltBytes || len(stored.hash) < hashBytes
}

func (h *Hasher) compute(password []byte) (string, error) {
	p := phc{params: h.params, salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	p.hash = p.derive(password)
	return p.String(), nil
}

// acquire waits for a slot. The number of those who wait is bounded too, so
// that a flood is answered at once instead of piling up.
func (h *Hasher) acquire(ctx context.Context) (release func(), err error) {
	if h.slots.TryAcquire(1) {
		return func() { h.slots.Release(1) }, nil
	}
	busy := &kgl.Error{Code: kgl.CodeUnavailable, Message: "too many logins at once, try again", RetryAfter: h.wait}
	if h.waiting.Add(1) > h.maxWait {
		h.waiting.Add(-1)
		return nil, busy
	}
	defer h.waiting.Add(-1)
	waitCtx, cancel := context.WithTimeout(ctx, h.wait)
	defer cancel()
	if err := h.slots.Acquire(waitCtx, 1); err != nil {
		if ctx.Err() != nil {
			return nil, kgl.Wrap(ctx.Err(), kgl.CodeTimeout, "the request ended before the password was checked")
		}
		return nil, busy
	}
	return func() { h.slots.Release(1) }, nil
}

// normalizePassword returns the bytes that are hashed: the whole password in
// Unicode normalisation form C (NIST SP 800-63B section 3.1.1.2), so that the
// same characters typed on another system are the same password.
func normalizePassword(password string) []byte { return norm.NFC.Bytes([]byte(password)) }

// phc is a password hash as the PHC string format writes it:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
type phc struct {
	params     HashParams
	salt, hash []byte
}

func (p phc) derive(password []byte) []byte {
	return argon2.IDKey(password, p.salt, p.params.Time, p.params.MemoryKiB, p.params.Threads, uint32(len(p.hash)))
}

func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.params.MemoryKiB, p.params.Time, p.params.Threads,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.hash))
}

var errPHC = errors.New("not an argon2id hash in the PHC string format")

func parsePHC(text string) (phc, error) {
	var p phc
	var version int
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return phc{}, errPHC
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return phc{}, errPHC
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.params.MemoryKiB, &p.params.Time, &p.params.Threads); err != nil {
		return phc{}, errPHC
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil {
		return phc{}, errPHC
	}
	if p.hash, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil {
		return phc{}, errPHC
	}
	if !p.params.valid() || len(p.salt) < 8 || len(p.salt) > 64 || len(p.hash) < 16 || len(p.hash) > 64 || p.String() != text {
		return phc{}, errPHC
	}
	return p, nil
}
