package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// MergeEntities implements kgl.MergeStore.
func (db *DB) MergeEntities(ctx context.Context, m kgl.EntityMerge) (kgl.EntityMerge, error) {
	losers := make([]string, len(m.Losers))
	for i, l := range m.Losers {
		losers[i] = l.ID
	}
	slices.Sort(losers)
	if len(losers) == 0 || slices.Contains(losers, m.Winner.ID) || len(slices.Compact(losers)) != len(m.Losers) {
		return kgl.EntityMerge{}, kgl.Invalid("entity_ids", "must name other entities, each once")
	}
	var out kgl.EntityMerge
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := ownGraph(ctx, c); err != nil {
			return err
		}
		g, err := lockMerge(ctx, c, m.Winner.ID, losers)
		if err != nil {
			return err
		}
		for _, id := range append([]string{m.Winner.ID}, losers...) {
			switch state, known := g.states[id]; {
			case !known:
				return kgl.NotFound("entity")
			case state.status != kgl.EntityActive:
				return kgl.Errorf(kgl.CodeConflict, "the entity %s is not active: it is %s", id, state.status)
			}
		}
		n, err := g.merge(ctx, micros(m.CreatedAt))
		if err != nil {
			return err
		}
		if err := createMerge(ctx, c, m, losers, n); err != nil {
			return err
		}
		out, err = readMerge(ctx, c, m.ID)
		return err
	})
	return out, err
}

// UndoMerge implements kgl.MergeStore.
func (db *DB) UndoMerge(ctx context.Context, id, actor string, now time.Time) (kgl.EntityMerge, error) {
	var out kgl.EntityMerge
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := ownGraph(ctx, c); err != nil {
			return err
		}
		m, err := readMerge(ctx, c, id)
		if err != nil {
			return err
		}
		at := micros(now)
		n, err := c.EndMerge(ctx, sqlitedb.EndMergeParams{ID: id, UndoneAt: &at, UndoneBy: actor})
		if err != nil {
			return err
		}
		if n == 0 {
			return kgl.Errorf(kgl.CodeConflict, "the merge was undone already")
		}
		losers := make([]string, len(m.Losers))
		for i, l := range m.Losers {
			losers[i] = l.ID
		}
		g, err := lockMerge(ctx, c, m.Winner.ID, losers)
		if err != nil {
			return err
		}
		if err := g.undo(ctx, at); err != nil {
			return err
		}
		out, err = readMerge(ctx, c, id)
		return err
	})
	return out, err
}

// merging is a merge, or its end, inside a transaction that has the graph for
// itself.
type merging struct {
	c       *conn
	winner  string
	losers  []string
	loserOf map[string]string // the loser, for it and for each entity that was merged into it before
	states  entityStates
}

// lockMerge locks the winner, what answers for it, and the losers with all that
// was merged into them. Their neighbors need no lock: nobody else changes what
// hangs on them before ownGraph ends.
func lockMerge(ctx context.Context, c *conn, winner string, losers []string) (*merging, error) {
	g := &merging{c: c, winner: winner, losers: losers, states: entityStates{}}
	var err error
	if g.loserOf, err = mergeGroups(ctx, c, losers); err != nil {
		return nil, err
	}
	return g, lockStates(ctx, c, g.states, unique(append(g.members(), winner)))
}

// lockStates is lockEntities that says what the entities are. It locks what
// they are merged into too.
func lockStates(ctx context.Context, c *conn, states entityStates, ids []string) error {
	for len(ids) > 0 {
		list, err := listText(ids)
		if err != nil {
			return err
		}
		locked, err := c.LockStates(ctx, list)
		if err != nil {
			return err
		}
		rows := make([]sqlitedb.EntityStatesRow, len(locked))
		for i, row := range locked {
			rows[i] = sqlitedb.EntityStatesRow(row)
		}
		ids = states.take(rows)
	}
	return nil
}

// members returns the losers and all that was merged into them before, in order.
func (g *merging) members() []string { return slices.Sorted(maps.Keys(g.loserOf)) }

// merge gives the winner what the losers have.
func (g *merging) merge(ctx context.Context, now int64) (kgl.EntityMerge, error) {
	var n kgl.EntityMerge
	list, err := listText(g.losers)
	if err != nil {
		return n, err
	}
	if err := g.c.SetMerged(ctx, sqlitedb.SetMergedParams{WinnerID: &g.winner, UpdatedAt: now, Ids: list}); err != nil {
		return n, err
	}
	for _, id := range g.losers {
		g.states[id] = entityState{status: kgl.EntityMerged, into: g.winner}
	}
	if err := g.c.TouchEntity(ctx, sqlitedb.TouchEntityParams{ID: g.winner, UpdatedAt: now}); err != nil {
		return n, err
	}
	group, err := mergeGroups(ctx, g.c, []string{g.winner})
	if err != nil {
		return n, err
	}
	if n.Mentions, err = g.settleMentions(ctx, g.winner, nil); err != nil {
		return n, err
	}
	if n.Aliases, err = g.settleNames(ctx, map[string]map[string]string{g.winner: group}); err != nil {
		return n, err
	}
	if n.Relationships, n.Evidence, err = g.settleRelationships(ctx, now); err != nil {
		return n, err
	}
	return n, g.recount(ctx, slices.Collect(maps.Keys(group)))
}

// undo gives each loser back what is its own and of those that were merged into
// it before.
func (g *merging) undo(ctx context.Context, now int64) error {
	list, err := listText(g.losers)
	if err != nil {
		return err
	}
	if err := g.c.SetUnmerged(ctx, sqlitedb.SetUnmergedParams{UpdatedAt: now, Ids: list}); err != nil {
		return err
	}
	for _, id := range g.losers {
		g.states[id] = entityState{status: kgl.EntityActive}
	}
	root := g.states.root(g.winner)
	for _, id := range unique([]string{g.winner, root}) {
		if err := g.c.TouchEntity(ctx, sqlitedb.TouchEntityParams{ID: id, UpdatedAt: now}); err != nil {
			return err
		}
	}
	left, err := mergeGroups(ctx, g.c, []string{root})
	if err != nil {
		return err
	}
	groups := map[string]map[string]string{root: left}
	for id, loser := range g.loserOf {
		if groups[loser] == nil {
			groups[loser] = map[string]string{}
		}
		groups[loser][id] = loser
	}
	if _, err := g.settleMentions(ctx, root, left); err != nil {
		return err
	}
	if _, err := g.settleNames(ctx, groups); err != nil {
		return err
	}
	if _, _, err := g.settleRelationships(ctx, now); err != nil {
		return err
	}
	return g.recount(ctx, append(slices.Collect(maps.Keys(left)), g.members()...))
}

// settleRelationships brings the relationships of the losers and their evidence
// to where they belong now, and returns how many relationships changed their
// ends or became the same as another one, and how many pieces of evidence moved.
func (g *merging) settleRelationships(ctx context.Context, now int64) (relationships, evidence int64, err error) {
	before, err := loadEdges(ctx, g.c, g.members(), g.states)
	if err != nil {
		return 0, 0, err
	}
	after := settleEdges(g.states, before)
	if err := saveEdges(ctx, g.c, before, after, now); err != nil {
		return 0, 0, err
	}
	if evidence, err = settleEvidence(ctx, g.c, before, after); err != nil {
		return 0, 0, err
	}
	var lost, got []string
	for id, e := range after {
		b := before[id]
		if b.stands != e.stands || b.into != e.into {
			relationships++
		}
		if b.status == kgl.RelationshipActive {
			lost = append(lost, b.stands.From, b.stands.To)
		}
		if e.status == kgl.RelationshipActive {
			got = append(got, e.stands.From, e.stands.To)
		}
	}
	if err := countDegrees(ctx, g.c, lost, got); err != nil {
		return 0, 0, err
	}
	_, err = deleteUnsupported(ctx, g.c, parted(before, after))
	return relationships, evidence, err
}

// parted returns the relationships that were the same as others and stand for
// themselves now. Those of extractors whose own evidence is gone have nothing
// left to stand for.
func parted(before, after map[string]edge) []string {
	var ids []string
	for id, e := range before {
		switch {
		case e.into == "" || e.into == after[id].into:
		case after[id].into == "":
			ids = append(ids, id, e.into)
		default:
			ids = append(ids, e.into)
		}
	}
	return unique(ids)
}

// countDegrees adjusts the degrees of entities for active relationships that
// were removed and added, given the ends of each. The caller has locked them.
func countDegrees(ctx context.Context, c *conn, removed, added []string) error {
	return eachDelta(changes(removed, added), func(delta int64, ids string) error {
		return c.AddDegree(ctx, sqlitedb.AddDegreeParams{Delta: delta, Ids: ids})
	})
}

func (g *merging) recount(ctx context.Context, ids []string) error {
	list, err := listText(ids)
	if err != nil {
		return err
	}
	return g.c.RecountMentions(ctx, list)
}
