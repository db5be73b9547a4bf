package store

import (
	"context"
	"encoding/json"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// AppendAudit implements kgl.AuditStore. The hash is taken of the row as it
// will be read again: times in microseconds, absent details as an empty object.
func (db *DB) AppendAudit(ctx context.Context, e kgl.AuditEvent) (kgl.AuditEvent, error) {
	e.At = timeOf(micros(e.At))
	if len(e.Details) == 0 {
		e.Details = json.RawMessage("{}")
	}
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		head, err := c.LockAuditHead(ctx)
		if err != nil {
			return err
		}
		e.Seq, e.PrevHash = head.Seq+1, head.Hash
		e.Hash = e.ChainHash()
		if err := c.AppendAudit(ctx, auditParams(e)); err != nil {
			return err
		}
		return c.MoveAuditHead(ctx, sqlitedb.MoveAuditHeadParams{Seq: e.Seq, Hash: e.Hash})
	})
	if err != nil {
		return kgl.AuditEvent{}, err
	}
	return e, nil
}

func auditParams(e kgl.AuditEvent) sqlitedb.AppendAuditParams {
	return sqlitedb.AppendAuditParams{
		Seq: e.Seq, ID: e.ID, At: micros(e.At), ActorType: string(e.ActorType), ActorID: e.ActorID,
		Action: e.Action, SubjectType: e.SubjectType, SubjectID: e.SubjectID, Outcome: string(e.Outcome),
		RequestID: e.RequestID, Address: e.Address, Details: string(e.Details), PrevHash: e.PrevHash, Hash: e.Hash,
	}
}

func auditOf(row sqlitedb.AuditEvent) kgl.AuditEvent {
	return kgl.AuditEvent{
		Seq: row.Seq, ID: row.ID, At: timeOf(row.At), ActorType: kgl.PrincipalType(row.ActorType), ActorID: row.ActorID,
		Action: row.Action, SubjectType: row.SubjectType, SubjectID: row.SubjectID, Outcome: kgl.AuditOutcome(row.Outcome),
		RequestID: row.RequestID, Address: row.Address, Details: json.RawMessage(row.Details),
		PrevHash: row.PrevHash, Hash: row.Hash,
	}
}

// AuditEventsFrom implements kgl.AuditStore.
func (db *DB) AuditEventsFrom(ctx context.Context, seq int64, limit int) ([]kgl.AuditEvent, error) {
	var rows []sqlitedb.AuditEvent
	err := db.read(ctx, func(c *conn) (err error) {
		rows, err = c.AuditEventsFrom(ctx, sqlitedb.AuditEventsFromParams{Seq: seq, RowLimit: int64(limit)})
		return err
	})
	out := make([]kgl.AuditEvent, len(rows))
	for i, row := range rows {
		out[i] = auditOf(row)
	}
	return out, err
}

// AuditHead implements kgl.AuditStore.
func (db *DB) AuditHead(ctx context.Context) (seq int64, hash string, err error) {
	head, err := one(ctx, db, "audit head", func(c *conn) (sqlitedb.AuditHeadRow, error) { return c.AuditHead(ctx) })
	return head.Seq, head.Hash, err
}

const auditColumns sqlText = `SELECT seq, id, at, actor_type, actor_id, action, subject_type, subject_id, outcome,
  request_id, address, details, prev_hash, hash FROM audit_events`

// AuditEvents implements kgl.AuditStore.
func (db *DB) AuditEvents(ctx context.Context, f kgl.AuditFilter, p kgl.Page) (kgl.List[kgl.AuditEvent], error) {
	var out kgl.List[kgl.AuditEvent]
	err := db.read(ctx, func(c *conn) (err error) {
		out, err = readList(ctx, c, auditQuery(c.engine, f, p), p, scanAudit, func(e kgl.AuditEvent) kgl.Position {
			return kgl.Position{Int: e.Seq}
		})
		return err
	})
	return out, err
}

func auditQuery(e Engine, f kgl.AuditFilter, p kgl.Page) *listQuery {
	q := newList(e, auditColumns)
	for _, c := range []struct {
		column sqlText
		value  string
	}{
		{"actor_id", f.ActorID}, {"action", f.Action}, {"subject_type", f.SubjectType}, {"subject_id", f.SubjectID},
		{"outcome", string(f.Outcome)},
	} {
		if c.value != "" {
			q.compare(c.column, "=", c.value)
		}
	}
	q.within("at", f.At)
	var after []any
	if p.After != nil {
		after = []any{p.After.Int}
	}
	q.orderBy(descending, []sqlText{"seq"}, after)
	return q
}

func scanAudit(rs rows) (kgl.AuditEvent, error) {
	var row sqlitedb.AuditEvent
	err := rs.Scan(&row.Seq, &row.ID, &row.At, &row.ActorType, &row.ActorID, &row.Action, &row.SubjectType, &row.SubjectID,
		&row.Outcome, &row.RequestID, &row.Address, &row.Details, &row.PrevHash, &row.Hash)
	return auditOf(row), err
}
