package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// gramsRow is the trigrams of names of one length as InsertNameGrams takes them.
type gramsRow struct {
	EntityID string   `json:"entity_id"`
	Size     int      `json:"size"`
	Grams    []string `json:"grams"`
}

// gramSets is the trigrams of the names of entities by their length.
type gramSets map[gramsOf]map[string]bool

type gramsOf struct {
	entityID string
	size     int
}

func gramSetsOf(names map[string][]string) gramSets {
	sets := gramSets{}
	for id, keys := range names {
		for _, key := range keys {
			of := gramsOf{id, kgl.NameSize(key)}
			if sets[of] == nil {
				sets[of] = map[string]bool{}
			}
			for _, gram := range kgl.NameTerms(key) {
				sets[of][gram] = true
			}
		}
	}
	return sets
}

// without returns the trigrams that other does not have, in one order for all
// transactions.
func (s gramSets) without(other gramSets) []gramsRow {
	var rows []gramsRow
	for of, grams := range s {
		row := gramsRow{EntityID: of.entityID, Size: of.size}
		for gram := range grams {
			if !other[of][gram] {
				row.Grams = append(row.Grams, gram)
			}
		}
		if len(row.Grams) > 0 {
			slices.Sort(row.Grams)
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b gramsRow) int {
		return cmp.Or(cmp.Compare(a.EntityID, b.EntityID), cmp.Compare(a.Size, b.Size))
	})
	return rows
}

// nameKeys returns the normalised names and aliases of entities, whatever their
// status, by their ids.
func nameKeys(ctx context.Context, c *conn, ids []string) (map[string][]string, error) {
	names := map[string][]string{}
	if len(ids) == 0 {
		return names, nil
	}
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.NameKeys(ctx, list)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		names[row.EntityID] = append(names[row.EntityID], row.NameKey)
	}
	return names, nil
}

// syncNameGrams keeps the trigrams of entities in step after their names or
// aliases changed; before is what nameKeys returned before the change.
func syncNameGrams(ctx context.Context, c *conn, before map[string][]string, ids []string) error {
	after, err := nameKeys(ctx, c, ids)
	if err != nil {
		return err
	}
	return changeNameGrams(ctx, c, before, after)
}

// changeNameGrams changes the trigrams of entities from those of one set of
// names to those of another.
func changeNameGrams(ctx context.Context, c *conn, before, after map[string][]string) error {
	old, wanted := gramSetsOf(before), gramSetsOf(after)
	for _, row := range old.without(wanted) {
		grams, err := listText(row.Grams)
		if err != nil {
			return err
		}
		err = c.DeleteNameGrams(ctx, sqlitedb.DeleteNameGramsParams{EntityID: row.EntityID, Size: int64(row.Size), Grams: grams})
		if err != nil {
			return err
		}
	}
	added := wanted.without(old)
	if len(added) == 0 {
		return nil
	}
	text, err := jsonText(added)
	if err != nil {
		return err
	}
	return c.InsertNameGrams(ctx, text)
}

// dropNameGrams removes the trigrams of entities that are about to be deleted,
// which no foreign key does.
func dropNameGrams(ctx context.Context, c *conn, ids []string) error {
	names, err := nameKeys(ctx, c, ids)
	if err != nil {
		return err
	}
	return changeNameGrams(ctx, c, names, nil)
}
