package ingest

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// registrable returns what the requests to a host are counted under: the domain
// that its operator registered, such as example.co.uk for feeds.example.co.uk, or
// the address of a host that is an IP address. host may have a port. It is empty
// for this machine, which needs no protection from itself, and for a name that
// is no domain.
//
// Platforms that give each customer a domain, such as github.io, count as one:
// it is their servers that are asked.
func registrable(host string) string {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip = ip.Unmap(); ip.IsLoopback() {
			return ""
		}
		return ip.String()
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return ""
	}
	for {
		suffix, icann := publicsuffix.PublicSuffix(name)
		_, parent, dotted := strings.Cut(suffix, ".")
		if icann || !dotted {
			domain, err := publicsuffix.EffectiveTLDPlusOne(name)
			if err != nil {
				return ""
			}
			return domain
		}
		// A suffix that a company runs, such as github.io: it counts itself.
		if up, _ := publicsuffix.PublicSuffix(parent); up == parent {
			return suffix
		}
		name = parent
	}
}

// claimPaced leases hosts of which each has a token of its domain. The others
// are put off in the same transaction, each to a time of its own, and postponed
// says how many: a throttled domain with thousands of hosts costs each of them
// one claim, and wakes nobody in vain.
func (w *Worker) claimPaced(ctx context.Context, now time.Time, free int) (leases []kgl.HostLease, postponed int, err error) {
	rate := w.cfg.DomainRate
	if rate.Interval <= 0 {
		leases, err = w.store.ClaimHosts(ctx, w.cfg.Owner, now, now.Add(w.cfg.Lease), free)
		return leases, 0, err
	}
	err = w.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		leases, postponed = nil, 0
		claimed, err := tx.ClaimHosts(ctx, w.cfg.Owner, now, now.Add(w.cfg.Lease), free)
		if err != nil {
			return err
		}
		// In one order everywhere: two replicas that claim hosts of the same domains
		// wait for each other in one direction.
		slices.SortStableFunc(claimed, func(a, b kgl.HostLease) int {
			return cmp.Compare(registrable(a.Host), registrable(b.Host))
		})
		for _, lease := range claimed {
			at, err := take(ctx, tx, registrable(lease.Host), now, rate)
			if err != nil {
				return err
			}
			if !at.After(now) {
				leases = append(leases, lease)
				continue
			}
			postponed++
			if err := tx.ReleaseHost(ctx, lease, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return leases, postponed, nil
}

// isPaced reports whether requests to a host take tokens.
func (w *Worker) isPaced(host string) bool {
	return w.cfg.DomainRate.Interval > 0 && registrable(host) != ""
}

// take takes a token of a domain, and returns now or when to come back.
func take(ctx context.Context, tx kgl.Store, domain string, now time.Time, rate kgl.DomainRate) (time.Time, error) {
	if domain == "" {
		return now, nil
	}
	return tx.TakeToken(ctx, domain, now, rate)
}

// The buckets of domains that were not asked for a day are full, and forgotten.
const (
	staleDomains = 24 * time.Hour
	sweepEvery   = time.Hour
	sweepRows    = 10_000
)

// sweepDomains deletes the buckets that say nothing any more, once an hour. A
// failure only means that they are deleted later.
func (w *Worker) sweepDomains(ctx context.Context, now time.Time) {
	if w.cfg.DomainRate.Interval <= 0 || now.Sub(w.swept) < sweepEvery {
		return
	}
	w.swept = now
	if _, err := w.store.DeleteStaleDomains(ctx, now.Add(-staleDomains), sweepRows); err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "stale buckets of domains could not be deleted", "error", err)
	}
}
