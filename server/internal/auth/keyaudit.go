package auth

import (
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// keyAudit writes the audit rows of signing keys.
type keyAudit struct {
	store kgl.Store
	clock kgl.Clock
	ids   kgl.IDSource
}

// changes returns the rows of a change from old to keys: one for each key that
// was made, retired, or taken away before its end. That a key which has ended
// is removed is no news.
func (a keyAudit) changes(ctx context.Context, old, keys []kgl.SigningKey) []kgl.AuditEvent {
	var events []kgl.AuditEvent
	add := func(action, kid string, details map[string]any) {
		events = append(events, kgl.NewAuditEvent(ctx, a.ids, a.clock, action, "signing_key", kid, kgl.AuditSuccess, details))
	}
	for _, k := range old {
		if findKey(keys, k.ID) == nil && (k.ExpiresAt == nil || a.clock.Now().Before(*k.ExpiresAt)) {
			add("signing_key.revoke", k.ID, nil)
		}
	}
	for _, k := range keys {
		before := findKey(old, k.ID)
		switch {
		case before == nil:
			add("signing_key.create", k.ID, map[string]any{"active_at": timeText(k.ActiveAt)})
		case k.ExpiresAt != nil && !sameTime(before.ExpiresAt, k.ExpiresAt):
			add("signing_key.retire", k.ID, map[string]any{"expires_at": timeText(*k.ExpiresAt)})
		}
	}
	return events
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func findKey(keys []kgl.SigningKey, id string) *kgl.SigningKey {
	i := slices.IndexFunc(keys, func(k kgl.SigningKey) bool { return k.ID == id })
	if i < 0 {
		return nil
	}
	return &keys[i]
}

// record appends rows in one transaction.
func (a keyAudit) record(ctx context.Context, events []kgl.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	return a.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error { return appendAll(ctx, tx, events) })
}

func appendAll(ctx context.Context, tx kgl.Store, events []kgl.AuditEvent) error {
	for _, e := range events {
		if _, err := tx.AppendAudit(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// recordFailure appends that changes which were announced did not happen.
func (a keyAudit) recordFailure(ctx context.Context, events []kgl.AuditEvent) error {
	failed := slices.Clone(events)
	for i := range failed {
		failed[i].ID, failed[i].At, failed[i].Outcome = a.ids.NewID(), a.clock.Now(), kgl.AuditFailure
	}
	return a.record(ctx, failed)
}
