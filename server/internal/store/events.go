package store

import (
	"context"
	"encoding/json"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// eventRow is an event as AppendEvents takes it. N keeps the order of the list.
type eventRow struct {
	N           int    `json:"n"`
	ID          string `json:"id"`
	Type        string `json:"type"`
	SubjectType string `json:"subject_type"`
	SubjectID   string `json:"subject_id"`
	Data        string `json:"data"`
	OccurredAt  int64  `json:"occurred_at"`
}

// AppendEvents implements kgl.EventStore.
func (db *DB) AppendEvents(ctx context.Context, es []kgl.Event) error {
	if len(es) == 0 {
		return nil
	}
	in := make([]eventRow, len(es))
	for i, e := range es {
		data := string(e.Data)
		if data == "" {
			data = "{}"
		}
		in[i] = eventRow{N: i, ID: e.ID, Type: string(e.Type), SubjectType: e.SubjectType, SubjectID: e.SubjectID, Data: data, OccurredAt: micros(e.OccurredAt)}
	}
	text, err := jsonText(in)
	if err != nil {
		return failure(err)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error { return c.AppendEvents(ctx, text) })
}

// EventsAfter implements kgl.EventStore: see docs/decisions/0003-event-order.md.
func (db *DB) EventsAfter(ctx context.Context, after kgl.EventPosition, limit int) ([]kgl.Event, error) {
	var events []kgl.Event
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		if err := checkNotCut(ctx, c, after); err != nil {
			return err
		}
		rows, err := c.EventsAfter(ctx, sqlitedb.EventsAfterParams{TxID: after.Tx, Seq: after.Seq, RowLimit: int64(max(limit, 0))})
		if err != nil {
			return err
		}
		events, err = convert(rows, eventOf)
		return err
	})
	return events, err
}

func eventOf(r sqlitedb.Event) (kgl.Event, error) {
	return kgl.Event{
		ID: r.ID, Position: kgl.EventPosition{Tx: r.TxID, Seq: r.Seq}, Type: kgl.EventType(r.Type),
		SubjectType: r.SubjectType, SubjectID: r.SubjectID, Data: json.RawMessage(r.Data), OccurredAt: timeOf(r.OccurredAt),
	}, nil
}
