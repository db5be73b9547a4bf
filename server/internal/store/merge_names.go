package store

import (
	"context"
	"maps"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
)

// settleMentions brings the mentions of the losers and their members to the
// entities that answer for them, and those of left to root: a loser that is gone
// may have given what one of them has too. It returns how many of the losers'
// came to another entity.
func (g *merging) settleMentions(ctx context.Context, root string, left map[string]string) (int64, error) {
	list, err := listText(g.members())
	if err != nil {
		return 0, err
	}
	if err := g.c.HomeMentions(ctx, list); err != nil {
		return 0, err
	}
	var moved int64
	for _, id := range g.members() {
		n, err := g.giveMentions(ctx, id, g.states.root(id))
		if err != nil {
			return 0, err
		}
		moved += n
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		if _, err := g.giveMentions(ctx, id, root); err != nil {
			return 0, err
		}
	}
	return moved, nil
}

// giveMentions moves the mentions of an entity to the one that answers for it.
// Of those of one place and extractor its own goes before all, and then that of
// the older entity; the others stay where they were found.
func (g *merging) giveMentions(ctx context.Context, from, to string) (int64, error) {
	if from == to {
		return 0, nil
	}
	if err := g.c.DisplaceMentions(ctx, sqlitedb.DisplaceMentionsParams{FromID: &from, ToID: to}); err != nil {
		return 0, err
	}
	return g.c.MoveMentions(ctx, sqlitedb.MoveMentionsParams{FromID: from, ToID: to})
}

// settleNames brings the aliases and the external ids of groups, which are the
// entities that each root answers for, to the roots, whose aliases the names of
// the others become. It returns how many aliases came from the losers and their
// members.
func (g *merging) settleNames(ctx context.Context, groups map[string]map[string]string) (int64, error) {
	var all []string
	for _, group := range groups {
		all = slices.AppendSeq(all, maps.Keys(group))
	}
	list, err := listText(all)
	if err != nil {
		return 0, err
	}
	before, err := nameKeys(ctx, g.c, all)
	if err != nil {
		return 0, err
	}
	if err := g.c.HomeAliases(ctx, list); err != nil {
		return 0, err
	}
	if err := g.c.DeleteMergeAliases(ctx, list); err != nil {
		return 0, err
	}
	if err := g.c.HomeExternalIDs(ctx, list); err != nil {
		return 0, err
	}
	var moved int64
	for _, root := range slices.Sorted(maps.Keys(groups)) {
		for _, id := range slices.Sorted(maps.Keys(groups[root])) {
			if id == root {
				continue
			}
			n, err := g.giveNames(ctx, id, root)
			if err != nil {
				return 0, err
			}
			if g.loserOf[id] != "" {
				moved += n
			}
		}
	}
	return moved, syncNameGrams(ctx, g.c, before, all)
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
	return moved + named, g.c.MoveExternalIDs(ctx, sqlitedb.MoveExternalIDsParams{ToID: to, FromID: from})
}
