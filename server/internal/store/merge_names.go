package store

import (
	"context"
	"maps"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// give moves the mentions, the aliases and the external ids that an entity
// holds to another one, whose alias its name becomes, and counts them. What the
// other one has already stays where it is.
func (g *merging) give(ctx context.Context, from, to string, n *kgl.EntityMerge) error {
	mentions, err := g.c.MoveMentions(ctx, sqlitedb.MoveMentionsParams{ToID: to, FromID: from})
	if err != nil {
		return err
	}
	n.Mentions += mentions
	aliases, err := g.giveNames(ctx, from, to)
	n.Aliases += aliases
	return err
}

func (g *merging) giveNames(ctx context.Context, from, to string) (int64, error) {
	moved, err := g.c.MoveAliases(ctx, sqlitedb.MoveAliasesParams{ToID: to, FromID: from})
	if err != nil {
		return 0, err
	}
	named, err := g.c.AddMergeAlias(ctx, sqlitedb.AddMergeAliasParams{ToID: to, FromID: from})
	if err != nil {
		return 0, err
	}
	_, err = g.c.MoveExternalIDs(ctx, sqlitedb.MoveExternalIDsParams{ToID: to, FromID: from})
	return moved + named, err
}

// takeBack returns mentions, aliases and external ids to the losers and their
// members. left are the entities that root goes on to answer for: what one of
// them could not give because a loser had given the same, it gives now.
func (g *merging) takeBack(ctx context.Context, root string, left map[string]string) error {
	list, err := listText(g.members())
	if err != nil {
		return err
	}
	if err := g.c.HomeMentions(ctx, list); err != nil {
		return err
	}
	if err := g.c.HomeAliases(ctx, list); err != nil {
		return err
	}
	if err := g.c.HomeExternalIDs(ctx, list); err != nil {
		return err
	}
	names, err := g.c.DeleteMergeAliases(ctx, list)
	if err != nil {
		return err
	}
	var uncounted kgl.EntityMerge
	for _, id := range g.members() {
		if loser := g.loserOf[id]; loser != id {
			if err := g.give(ctx, id, loser, &uncounted); err != nil {
				return err
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		if id == root {
			continue
		}
		if _, err := g.c.MoveMentions(ctx, sqlitedb.MoveMentionsParams{ToID: root, FromID: id}); err != nil {
			return err
		}
		if _, err := g.c.MoveAliases(ctx, sqlitedb.MoveAliasesParams{ToID: root, FromID: id}); err != nil {
			return err
		}
	}
	return g.nameAgain(ctx, root, left, names)
}

// nameAgain makes aliases of names that were aliases for the sake of a loser
// only because it came first.
func (g *merging) nameAgain(ctx context.Context, root string, left map[string]string, names []string) error {
	if len(names) == 0 || len(left) == 1 {
		return nil
	}
	list, err := listText(slices.Sorted(maps.Keys(left)))
	if err != nil {
		return err
	}
	rows, err := g.c.EntitiesByIDs(ctx, list)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.ID == root || !slices.Contains(names, row.NameKey) {
			continue
		}
		if _, err := g.c.AddMergeAlias(ctx, sqlitedb.AddMergeAliasParams{ToID: root, FromID: row.ID}); err != nil {
			return err
		}
	}
	return nil
}
