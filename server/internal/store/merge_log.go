package store

import (
	"context"
	"math"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func createMerge(ctx context.Context, c *conn, m kgl.EntityMerge, losers []string, n kgl.EntityMerge) error {
	if err := c.CreateMerge(ctx, sqlitedb.CreateMergeParams{
		ID: m.ID, WinnerID: m.Winner.ID, Reason: m.Reason, Actor: m.Actor, Mentions: n.Mentions, Relationships: n.Relationships,
		Evidence: n.Evidence, Aliases: n.Aliases, CreatedAt: micros(m.CreatedAt),
	}); err != nil {
		return err
	}
	list, err := listText(losers)
	if err != nil {
		return err
	}
	return c.AddMergeLosers(ctx, sqlitedb.AddMergeLosersParams{MergeID: m.ID, Ids: list})
}

// EntityMerge implements kgl.MergeStore.
func (db *DB) EntityMerge(ctx context.Context, id string) (kgl.EntityMerge, error) {
	var out kgl.EntityMerge
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) (err error) {
		out, err = readMerge(ctx, c, id)
		return err
	})
	return out, err
}

func readMerge(ctx context.Context, c *conn, id string) (kgl.EntityMerge, error) {
	row, err := c.EntityMerge(ctx, id)
	if isNoRows(err) {
		return kgl.EntityMerge{}, kgl.NotFound("merge")
	}
	if err != nil {
		return kgl.EntityMerge{}, err
	}
	ms := []kgl.EntityMerge{mergeOf(sqlitedb.EntityMergesRow(row))}
	err = withLosers(ctx, c, ms)
	return ms[0], err
}

// EntityMerges implements kgl.MergeStore.
func (db *DB) EntityMerges(ctx context.Context, entityID string, p kgl.Page) (kgl.List[kgl.EntityMerge], error) {
	p.Limit = pageLimit(p)
	after := kgl.Position{Int: math.MaxInt64}
	if p.After != nil {
		after = *p.After
	}
	var out []kgl.EntityMerge
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		rows, err := c.EntityMerges(ctx, sqlitedb.EntityMergesParams{
			EntityID: entityID, AfterAt: after.Int, AfterID: after.ID, RowLimit: int64(p.Limit) + 1,
		})
		if err != nil {
			return err
		}
		out = make([]kgl.EntityMerge, len(rows))
		for i, row := range rows {
			out[i] = mergeOf(row)
		}
		return withLosers(ctx, c, out)
	})
	if err != nil {
		return kgl.List[kgl.EntityMerge]{}, err
	}
	return pageOf(out, p, func(m kgl.EntityMerge) kgl.Position {
		return kgl.Position{Int: micros(m.CreatedAt), ID: m.ID}
	}), nil
}

func mergeOf(row sqlitedb.EntityMergesRow) kgl.EntityMerge {
	return kgl.EntityMerge{
		ID: row.ID, Winner: kgl.EntityRef{ID: row.WinnerID, Name: row.WinnerName, Type: row.WinnerType}, Losers: []kgl.EntityRef{},
		Reason: row.Reason, Actor: row.Actor, Mentions: row.Mentions, Relationships: row.Relationships, Evidence: row.Evidence,
		Aliases: row.Aliases, CreatedAt: timeOf(row.CreatedAt), UndoneAt: timePtr(row.UndoneAt), UndoneBy: row.UndoneBy,
	}
}

// withLosers reads the losers of all the merges in one query.
func withLosers(ctx context.Context, c *conn, ms []kgl.EntityMerge) error {
	ids := make([]string, len(ms))
	at := map[string]int{}
	for i, m := range ms {
		ids[i], at[m.ID] = m.ID, i
	}
	list, err := listText(ids)
	if err != nil {
		return err
	}
	rows, err := c.MergeLosers(ctx, list)
	for _, row := range rows {
		m := &ms[at[row.MergeID]]
		m.Losers = append(m.Losers, kgl.EntityRef{ID: row.ID, Name: row.Name, Type: row.Type})
	}
	return err
}
