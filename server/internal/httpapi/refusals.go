package httpapi

import (
	"context"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// AuditAppender writes one row of the audit log. CodeUnavailable and the like
// when it cannot.
type AuditAppender interface {
	AppendAudit(ctx context.Context, e kgl.AuditEvent) (kgl.AuditEvent, error)
}

const (
	refusalWindow     = time.Minute
	refusalsPerWindow = 10    // rows per address and window; the metric counts all
	refusalAddresses  = 4_096 // addresses that are remembered
	refusalsTotal     = 600   // rows per window, over all addresses
)

// refusalBudget bounds the audit rows that refusals write, so that nobody fills
// the disk or holds the end of the audit chain by being refused.
type refusalBudget struct {
	mu      sync.Mutex
	counts  *lru.Cache[string, *refusalCount]
	overall refusalCount
}

type refusalCount struct {
	since time.Time
	n     int
}

func newRefusalBudget() (*refusalBudget, error) {
	counts, err := lru.New[string, *refusalCount](refusalAddresses)
	if err != nil {
		return nil, err
	}
	return &refusalBudget{counts: counts}, nil
}

// take reports whether one more row may be written for address at now.
func (b *refusalBudget) take(address string, now time.Time) bool {
	key := addressKey(address)
	b.mu.Lock()
	defer b.mu.Unlock()
	count, ok := b.counts.Get(key)
	if !ok {
		count = &refusalCount{}
		b.counts.Add(key, count)
	}
	return count.take(now, refusalsPerWindow) && b.overall.take(now, refusalsTotal)
}

func (c *refusalCount) take(now time.Time, limit int) bool {
	if now.Sub(c.since) >= refusalWindow || now.Before(c.since) {
		c.since, c.n = now, 0
	}
	if c.n >= limit {
		return false
	}
	c.n++
	return true
}

// addressKey returns what is counted as one address: a /64 of IPv6, because one
// caller owns all of it.
func addressKey(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is4() {
		return address
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// refused writes an audit row about a request that was refused, within the
// budget of its address. The request is refused whether or not that succeeds.
func (s *server) refused(ctx context.Context, op *operation, code kgl.Code) {
	if code != kgl.CodeUnauthenticated && code != kgl.CodeInsufficientScope && code != kgl.CodeForbidden {
		return
	}
	request := kgl.RequestFrom(ctx)
	if s.audit == nil || !s.refusals.take(request.Address, s.clock.Now()) {
		s.metrics.refusals.WithLabelValues("false").Inc()
		return
	}
	_, err := s.audit.AppendAudit(ctx, kgl.NewAuditEvent(
		ctx, s.ids, s.clock, "request.refuse", "operation", op.id, kgl.AuditRefused, map[string]any{"code": string(code)}))
	s.metrics.refusals.WithLabelValues("true").Inc()
	if err != nil {
		s.log.ErrorContext(ctx, "audit a refusal", "error", err.Error(), "request_id", request.ID)
	}
}
