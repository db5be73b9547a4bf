package store

import "github.com/peermesh/kgl-backend/server/internal/kgl"

// pending lets DB satisfy kgl.Store while aggregates are still being written:
// a method of DB shadows the one here.
type pending struct {
	kgl.EntityStore
	kgl.RelationshipStore
	kgl.UserStore
	kgl.SessionStore
	kgl.ThrottleStore
	kgl.SigningKeyStore
	kgl.AuditStore
	kgl.IdempotencyStore
	kgl.DashboardStore
}
