package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// PurgeDerived implements kgl.RunStore.
func (db *DB) PurgeDerived(ctx context.Context, sourceID, after string, limit int, now time.Time) (kgl.Purged, error) {
	var out kgl.Purged
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		out = kgl.Purged{}
		ids, err := c.DerivedPage(ctx, sqlitedb.DerivedPageParams{SourceID: sourceID, AfterID: after, RowLimit: int64(max(limit, 0))})
		if err != nil || len(ids) == 0 {
			return err
		}
		out.Last = ids[len(ids)-1]
		p := purge{c: c, now: micros(now), out: &out}
		return p.run(ctx, ids)
	})
	return out, err
}

// purge is one step of a purge inside a transaction.
type purge struct {
	c        *conn
	now      int64
	contents []string // of each row that was removed
	out      *kgl.Purged
}

// run removes entities last, when it is known what still speaks for them.
func (p *purge) run(ctx context.Context, ids []string) error {
	items, err := listText(ids)
	if err != nil {
		return err
	}
	entities, err := p.mentions(ctx, items)
	if err != nil {
		return err
	}
	ends, err := p.evidence(ctx, items)
	if err != nil {
		return err
	}
	if err := p.c.PurgeRequests(ctx, items); err != nil {
		return err
	}
	runs, err := p.c.PurgeRuns(ctx, items)
	if err != nil {
		return err
	}
	p.out.Runs = int64(len(runs))
	p.contents = append(p.contents, runs...)
	if err := p.entities(ctx, unique(append(entities, ends...))); err != nil {
		return err
	}
	return p.reopen(ctx)
}

// mentions removes mentions and returns the entity of each.
func (p *purge) mentions(ctx context.Context, items string) ([]string, error) {
	rows, err := p.c.PurgeMentions(ctx, sqlitedb.PurgeMentionsParams{ContentIds: items, Manual: kgl.ExtractorManual})
	if err != nil {
		return nil, err
	}
	entities := make([]string, len(rows))
	for i, r := range rows {
		entities[i] = r.EntityID
		p.contents = append(p.contents, r.ContentID)
	}
	p.out.Mentions = int64(len(rows))
	return entities, countMentions(ctx, p.c, entities, nil)
}

// evidence removes evidence and the relationships that lose their last piece,
// with those that were merged into them, and returns the ends of all that lost
// one.
func (p *purge) evidence(ctx context.Context, items string) ([]string, error) {
	rows, err := p.c.PurgeEvidence(ctx, sqlitedb.PurgeEvidenceParams{ContentIds: items, Manual: kgl.ExtractorManual})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var removed removedEvidence
	for _, r := range rows {
		removed.add(r.RelationshipID, r.OriginID)
		p.contents = append(p.contents, r.ContentID)
	}
	ends, err := relationshipEnds(ctx, p.c, unique(append(slices.Clone(removed.held), removed.found...)))
	if err != nil {
		return nil, err
	}
	p.out.Relationships, err = settleRemoved(ctx, p.c, removed, nil)
	return ends, err
}

// mergedRelationships returns the relationships that were merged into the given
// ones, at any distance.
func mergedRelationships(ctx context.Context, c *conn, ids []string) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	for len(ids) > 0 {
		list, err := listText(ids)
		if err != nil {
			return nil, err
		}
		rows, err := c.RelationshipsMergedInto(ctx, list)
		if err != nil {
			return nil, err
		}
		ids = ids[:0:0]
		for _, r := range rows {
			if !seen[r.ID] {
				seen[r.ID] = true
				ids = append(ids, r.ID)
			}
		}
		all = append(all, ids...)
	}
	return all, nil
}

func relationshipEnds(ctx context.Context, c *conn, ids []string) ([]string, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.RelationshipEnds(ctx, list)
	if err != nil {
		return nil, err
	}
	ends := make([]string, 0, 2*len(rows))
	for _, r := range rows {
		ends = append(ends, r.FromEntityID, r.ToEntityID)
	}
	return unique(ends), nil
}

// entities removes those of the entities that nothing speaks for. An entity and
// those that were merged into it stand and fall together: while one of them has
// support, the merge can be undone.
func (p *purge) entities(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	roots, err := mergeRoots(ctx, p.c, ids)
	if err != nil {
		return err
	}
	rootOf, err := mergeGroups(ctx, p.c, roots)
	if err != nil {
		return err
	}
	members := make([]string, 0, len(rootOf))
	for id := range rootOf {
		members = append(members, id)
	}
	if _, err := lockEntities(ctx, p.c, members); err != nil {
		return err
	}
	list, err := listText(members)
	if err != nil {
		return err
	}
	supported, err := p.c.SupportedEntities(ctx, sqlitedb.SupportedEntitiesParams{Ids: list, Manual: kgl.ExtractorManual})
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, id := range supported {
		kept[rootOf[id]] = true
	}
	gone := slices.DeleteFunc(members, func(id string) bool { return kept[rootOf[id]] })
	return p.deleteEntities(ctx, gone)
}

func (p *purge) deleteEntities(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := listText(ids)
	if err != nil {
		return err
	}
	rows, err := p.c.EntitiesByIDs(ctx, list)
	if err != nil {
		return err
	}
	for _, r := range rows {
		p.out.Entities = append(p.out.Entities, kgl.EntityRef{ID: r.ID, Name: r.Name, Type: r.Type})
	}
	slices.SortFunc(p.out.Entities, func(a, b kgl.EntityRef) int { return cmp.Compare(a.ID, b.ID) })
	if err := dropNameGrams(ctx, p.c, ids); err != nil {
		return err
	}
	return p.c.DeleteEntities(ctx, list)
}

// mergeRoots returns the entities, and in place of merged ones those that they
// were merged into in the end.
func mergeRoots(ctx context.Context, c *conn, ids []string) ([]string, error) {
	seen, roots := map[string]bool{}, []string{}
	for len(ids) > 0 {
		list, err := listText(ids)
		if err != nil {
			return nil, err
		}
		rows, err := c.MergeTargets(ctx, list)
		if err != nil {
			return nil, err
		}
		ids = ids[:0:0]
		for _, r := range rows {
			if seen[r.ID] {
				continue
			}
			seen[r.ID] = true
			if r.MergedInto == nil {
				roots = append(roots, r.ID)
			} else {
				ids = append(ids, *r.MergedInto)
			}
		}
	}
	return roots, nil
}

// mergeGroups returns the roots and all that were merged into them, each with
// its root.
func mergeGroups(ctx context.Context, c *conn, roots []string) (map[string]string, error) {
	rootOf := make(map[string]string, len(roots))
	for _, id := range roots {
		rootOf[id] = id
	}
	for ids := roots; len(ids) > 0; {
		list, err := listText(ids)
		if err != nil {
			return nil, err
		}
		rows, err := c.EntitiesMergedInto(ctx, list)
		if err != nil {
			return nil, err
		}
		ids = ids[:0:0]
		for _, r := range rows {
			if r.MergedInto == nil || rootOf[r.ID] != "" {
				continue
			}
			rootOf[r.ID] = rootOf[*r.MergedInto]
			ids = append(ids, r.ID)
		}
	}
	return rootOf, nil
}

// reopen makes the items new again, to be extracted when their source allows it.
func (p *purge) reopen(ctx context.Context) error {
	ids := unique(p.contents)
	p.out.Contents = int64(len(ids))
	if len(ids) == 0 {
		return nil
	}
	list, err := listText(ids)
	if err != nil {
		return err
	}
	if err := p.c.ReopenPurged(ctx, sqlitedb.ReopenPurgedParams{UpdatedAt: p.now, ContentIds: list}); err != nil {
		return err
	}
	return p.c.WithholdPurged(ctx, sqlitedb.WithholdPurgedParams{UpdatedAt: p.now, ContentIds: list})
}
