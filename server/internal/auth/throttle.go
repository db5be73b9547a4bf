package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ThrottleConfig sets how many wrong passwords are let through. Zero fields
// take the defaults.
type ThrottleConfig struct {
	AccountFailures int64         // for one account from anywhere, default 10
	AddressFailures int64         // from one address for any account, default 20
	PairFailures    int64         // for one account from an address that it has logged in from, default 10
	Window          time.Duration // failures are counted over this time, default 1 h
	Block           time.Duration // after the last one allowed, default 1 min; doubles with each further failure
	MaxBlock        time.Duration // default 15 min: nobody is locked out for longer by others
	KnownFor        time.Duration // an address stays known to an account, default 30 days
}

func (c ThrottleConfig) withDefaults() ThrottleConfig {
	return ThrottleConfig{
		AccountFailures: orDefault(c.AccountFailures, 10),
		AddressFailures: orDefault(c.AddressFailures, 20),
		PairFailures:    orDefault(c.PairFailures, 10),
		Window:          orDefault(c.Window, time.Hour),
		Block:           orDefault(c.Block, time.Minute),
		MaxBlock:        orDefault(c.MaxBlock, 15*time.Minute),
		KnownFor:        orDefault(c.KnownFor, 30*24*time.Hour),
	}
}

// throttle counts wrong passwords in the store, so that all replicas count
// together.
//
// There is a counter for the account and one for the address. Whoever guesses
// can fill both, and would so lock the owner out: an address from which the
// account has logged in before is therefore judged by a counter of its own,
// which only someone at that address can fill.
type throttle struct {
	clock kgl.Clock
	cfg   ThrottleConfig
}

// attempt names the counters of one attempt to log in.
type attempt struct {
	account, address, pair, known string
}

// newAttempt returns the counters for an account and an address. Emails are
// hashed, since people type passwords where the email belongs.
func newAttempt(emailKey, address string) attempt {
	prefix := addressPrefix(address)
	return attempt{
		account: "account:" + shortHash(emailKey),
		address: "address:" + prefix,
		pair:    "pair:" + shortHash(emailKey, prefix),
		known:   "known:" + shortHash(emailKey, prefix),
	}
}

func shortHash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// addressPrefix returns what counts as one address: an IPv4 address, or the
// /64 that an IPv6 host can choose its addresses from.
func addressPrefix(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// gauge is the state of the counters of an attempt.
type gauge struct {
	known   bool      // the account has logged in from this address before
	blocked string    // key of the counter that blocks, or empty
	until   time.Time // until when
}

// refusal is the error for an attempt while a counter blocks.
func (g gauge) refusal(now time.Time) error {
	return &kgl.Error{
		Code:       kgl.CodeRateLimited,
		Message:    "too many failed logins, try again later",
		RetryAfter: max(g.until.Sub(now), time.Second),
	}
}

// read returns the state of the counters.
func (t *throttle) read(ctx context.Context, store kgl.ThrottleStore, a attempt) (gauge, error) {
	rows, err := store.LoginThrottles(ctx, []string{a.account, a.address, a.pair, a.known})
	if err != nil {
		return gauge{}, fmt.Errorf("read the login counters: %w", err)
	}
	now := t.clock.Now()
	byKey := make(map[string]kgl.LoginThrottle, len(rows))
	for _, row := range rows {
		byKey[row.Key] = row
	}
	var g gauge
	marker, ok := byKey[a.known]
	g.known = ok && now.Sub(marker.UpdatedAt) < t.cfg.KnownFor
	for _, key := range a.judges(g.known) {
		if until := byKey[key].BlockedUntil; until != nil && now.Before(*until) && until.After(g.until) {
			g.blocked, g.until = key, *until
		}
	}
	return g, nil
}

// passwordAttempt returns the counter for guesses of the present password by
// someone who holds an access token of the user.
func passwordAttempt(userID string) attempt { return attempt{pair: "password:" + shortHash(userID)} }

// judges returns the keys of the counters that decide about an attempt.
func (a attempt) judges(known bool) []string {
	if known || a.account == "" {
		return []string{a.pair}
	}
	return []string{a.account, a.address}
}

// fail counts a wrong password and blocks what has had enough. over reports
// that this attempt was beyond what is allowed, which happens when many arrive
// at the same moment: its result must not be told.
func (t *throttle) fail(ctx context.Context, tx kgl.ThrottleStore, a attempt, known bool) (g gauge, over bool, err error) {
	now := t.clock.Now()
	limits := map[string]int64{a.account: t.cfg.AccountFailures, a.address: t.cfg.AddressFailures, a.pair: t.cfg.PairFailures}
	for _, key := range a.judges(known) {
		row, err := tx.AddLoginFailure(ctx, key, now, now.Add(-t.cfg.Window))
		if err != nil {
			return gauge{}, false, fmt.Errorf("count a failed login: %w", err)
		}
		excess := row.Failures - limits[key]
		if excess < 0 {
			continue
		}
		until := now.Add(t.block(excess))
		if err := tx.BlockLogin(ctx, key, until, now); err != nil {
			return gauge{}, false, fmt.Errorf("block logins: %w", err)
		}
		over = over || row.BlockedUntil != nil && now.Before(*row.BlockedUntil)
		if until.After(g.until) {
			g.blocked, g.until = key, until
		}
	}
	return g, over, nil
}

// block returns how long a counter blocks that is excess failures beyond its
// limit.
func (t *throttle) block(excess int64) time.Duration {
	d := t.cfg.Block
	for range excess {
		if d *= 2; d >= t.cfg.MaxBlock {
			return t.cfg.MaxBlock
		}
	}
	return min(d, t.cfg.MaxBlock)
}

// succeed forgets the failures of the account at this address and remembers the
// address as one of its own. The other counters run out with their window: with
// that of the account, each login of its owner would give those who guess from
// elsewhere a fresh start, and with that of the address, each login to an
// account of their own.
func (t *throttle) succeed(ctx context.Context, tx kgl.ThrottleStore, a attempt) error {
	if err := tx.ClearLoginThrottles(ctx, []string{a.pair}); err != nil {
		return fmt.Errorf("clear the login counter: %w", err)
	}
	now := t.clock.Now()
	if _, err := tx.AddLoginFailure(ctx, a.known, now, now.Add(-t.cfg.KnownFor)); err != nil {
		return fmt.Errorf("remember an address: %w", err)
	}
	return nil
}
