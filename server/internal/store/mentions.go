package store

import (
	"context"
	"maps"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// mentionRow is a mention as InsertMentions takes it.
type mentionRow struct {
	ID          string  `json:"id"`
	ContentID   string  `json:"content_id"`
	Revision    int64   `json:"revision"`
	EntityID    string  `json:"entity_id"`
	StartOffset int64   `json:"start_offset"`
	EndOffset   int64   `json:"end_offset"`
	Quote       string  `json:"quote"`
	Confidence  float64 `json:"confidence"`
	Extractor   string  `json:"extractor"`
	CreatedAt   int64   `json:"created_at"`
	Type        string  `json:"type"`
	Salience    float64 `json:"salience"`
	RunID       *string `json:"run_id"`
}

// InsertMentions implements kgl.EntityStore.
func (db *DB) InsertMentions(ctx context.Context, ms []kgl.Mention) (int64, error) {
	var stored int64
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		added, err := insertMentions(ctx, c, ms)
		if err != nil {
			return err
		}
		stored = int64(len(added))
		moved, err := alignMentions(ctx, c, ms)
		if err != nil {
			return err
		}
		return countMentions(ctx, c, nil, added, moved...)
	})
	return stored, err
}

// insertMentions returns the entity of each mention that it stored.
func insertMentions(ctx context.Context, c *conn, ms []kgl.Mention) ([]string, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	in := make([]mentionRow, len(ms))
	for i, m := range ms {
		in[i] = mentionRow{
			ID: m.ID, ContentID: m.ContentID, Revision: m.Revision, EntityID: m.EntityID, StartOffset: m.Start,
			EndOffset: m.End, Quote: m.Quote, Confidence: m.Confidence, Extractor: m.Extractor, CreatedAt: micros(m.CreatedAt),
			Type: m.Type, Salience: m.Salience, RunID: m.RunID,
		}
	}
	text, err := jsonText(in)
	if err != nil {
		return nil, err
	}
	return c.InsertMentions(ctx, text)
}

// alignMentions gives all mentions of items the time of publication that the
// items have now, and returns the entities whose mentions changed.
func alignMentions(ctx context.Context, c *conn, ms []kgl.Mention) ([]string, error) {
	contents := make([]string, len(ms))
	for i, m := range ms {
		contents[i] = m.ContentID
	}
	list, err := listText(unique(contents))
	if err != nil || len(ms) == 0 {
		return nil, err
	}
	return c.AlignMentions(ctx, list)
}

// DeleteRunMentions implements kgl.EntityStore.
func (db *DB) DeleteRunMentions(ctx context.Context, runID string) (int64, error) {
	return db.removeMentions(ctx, func(c *conn) ([]string, error) { return c.DeleteRunMentions(ctx, &runID) })
}

// DeleteExtractorMentions implements kgl.EntityStore.
func (db *DB) DeleteExtractorMentions(ctx context.Context, contentID, name string) (int64, error) {
	return db.removeMentions(ctx, func(c *conn) ([]string, error) {
		return c.DeleteExtractorMentions(ctx, sqlitedb.DeleteExtractorMentionsParams{ContentID: contentID, Name: name})
	})
}

// removeMentions counts the mentions that remove removes, which returns the
// entity of each.
func (db *DB) removeMentions(ctx context.Context, remove func(*conn) ([]string, error)) (int64, error) {
	var gone int64
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		removed, err := remove(c)
		if err != nil {
			return err
		}
		gone = int64(len(removed))
		return countMentions(ctx, c, removed, nil)
	})
	return gone, err
}

// ReplaceMentions implements kgl.EntityStore. A place that is given twice for an
// entity counts once.
func (db *DB) ReplaceMentions(ctx context.Context, contentID, extractor string, ms []kgl.Mention) error {
	ms = slices.Clone(ms)
	for i := range ms {
		ms[i].ContentID, ms[i].Extractor = contentID, extractor
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		removed, err := c.DeleteMentions(ctx, sqlitedb.DeleteMentionsParams{ContentID: contentID, Extractor: extractor})
		if err != nil {
			return err
		}
		added, err := insertMentions(ctx, c, ms)
		if err != nil {
			return err
		}
		moved, err := alignMentions(ctx, c, ms)
		if err != nil {
			return err
		}
		return countMentions(ctx, c, removed, added, moved...)
	})
}

// countMentions adjusts what entities know of their mentions after some were
// removed, added and moved in time, given the entity of each.
func countMentions(ctx context.Context, c *conn, removed, added []string, moved ...string) error {
	touched := unique(slices.Concat(removed, added, moved))
	if len(touched) == 0 {
		return nil
	}
	if _, err := lockEntities(ctx, c, touched); err != nil {
		return err
	}
	deltas := changes(removed, added)
	err := eachDelta(deltas, func(delta int64, ids string) error {
		return c.AddMentionCount(ctx, sqlitedb.AddMentionCountParams{Delta: delta, Ids: ids})
	})
	if err != nil || len(deltas) == len(touched) {
		return err
	}
	evened := slices.DeleteFunc(touched, func(id string) bool { return deltas[id] != 0 })
	list, err := listText(evened)
	if err != nil {
		return err
	}
	return c.RefreshSeenTimes(ctx, list)
}

// changes returns by how much each counter changes, leaving out those that
// stay as they are.
func changes(removed, added []string) map[string]int64 {
	deltas := map[string]int64{}
	for _, id := range removed {
		deltas[id]--
	}
	for _, id := range added {
		deltas[id]++
	}
	maps.DeleteFunc(deltas, func(_ string, n int64) bool { return n == 0 })
	return deltas
}

// eachDelta calls add for each amount with the JSON list of the ids whose
// counters change by it: few calls, because most amounts are small.
func eachDelta(deltas map[string]int64, add func(delta int64, ids string) error) error {
	byDelta := map[int64][]string{}
	for id, n := range deltas {
		byDelta[n] = append(byDelta[n], id)
	}
	for _, n := range slices.Sorted(maps.Keys(byDelta)) {
		list, err := listText(byDelta[n])
		if err != nil {
			return err
		}
		if err := add(n, list); err != nil {
			return err
		}
	}
	return nil
}

// forgetContent removes the mentions of an item and the evidence from it,
// whoever made them, keeps the counters right, and removes the relationships
// that are left without evidence. It is called before the item is deleted,
// which would remove the rows but not count them.
func forgetContent(ctx context.Context, c *conn, contentID string) error {
	if err := shareGraph(ctx, c); err != nil {
		return err
	}
	mentions, err := c.DeleteContentMentions(ctx, contentID)
	if err != nil {
		return err
	}
	if err := countMentions(ctx, c, mentions, nil); err != nil {
		return err
	}
	evidence, err := c.DeleteContentEvidence(ctx, contentID)
	if err != nil {
		return err
	}
	var removed removedEvidence
	for _, row := range evidence {
		removed.add(row.RelationshipID, row.OriginID)
	}
	return forgetEvidence(ctx, c, removed)
}

// forgetSource is forgetContent for all items of a source.
func forgetSource(ctx context.Context, c *conn, sourceID string) error {
	if err := shareGraph(ctx, c); err != nil {
		return err
	}
	mentions, err := c.DeleteSourceMentions(ctx, sourceID)
	if err != nil {
		return err
	}
	if err := countMentions(ctx, c, mentions, nil); err != nil {
		return err
	}
	evidence, err := c.DeleteSourceEvidence(ctx, sourceID)
	if err != nil {
		return err
	}
	var removed removedEvidence
	for _, row := range evidence {
		removed.add(row.RelationshipID, row.OriginID)
	}
	return forgetEvidence(ctx, c, removed)
}

// ContentEntities implements kgl.EntityStore. Mentions are in the order of the
// text.
func (db *DB) ContentEntities(ctx context.Context, contentID string, p kgl.Page) (kgl.List[kgl.EntityMentions], error) {
	p.Limit = pageLimit(p)
	var after kgl.Position
	if p.After != nil {
		after = *p.After
	}
	var out []kgl.EntityMentions
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		rows, err := c.ContentEntities(ctx, sqlitedb.ContentEntitiesParams{
			ContentID: contentID, AfterKey: after.Text, AfterID: after.ID, RowLimit: int64(p.Limit) + 1,
		})
		if err != nil {
			return err
		}
		es, err := withNames(ctx, c, rows)
		if err != nil {
			return err
		}
		out, err = withMentions(ctx, c, contentID, es)
		return err
	})
	if err != nil {
		return kgl.List[kgl.EntityMentions]{}, err
	}
	return pageOf(out, p, func(em kgl.EntityMentions) kgl.Position {
		return kgl.Position{Text: em.Entity.NameKey, ID: em.Entity.ID}
	}), nil
}

// withMentions reads the mentions of all the entities in one query.
func withMentions(ctx context.Context, c *conn, contentID string, es []kgl.Entity) ([]kgl.EntityMentions, error) {
	out := make([]kgl.EntityMentions, len(es))
	if len(es) == 0 {
		return out, nil
	}
	ids := make([]string, len(es))
	for i, e := range es {
		ids[i] = e.ID
	}
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.MentionsOfEntities(ctx, sqlitedb.MentionsOfEntitiesParams{ContentID: contentID, EntityIds: list})
	if err != nil {
		return nil, err
	}
	byEntity := map[string][]kgl.Mention{}
	for _, row := range rows {
		byEntity[row.EntityID] = append(byEntity[row.EntityID], kgl.Mention{
			ID: row.ID, ContentID: row.ContentID, Revision: row.Revision, EntityID: row.EntityID,
			Start: row.StartOffset, End: row.EndOffset, Quote: row.Quote, Confidence: row.Confidence,
			Extractor: row.Extractor, CreatedAt: timeOf(row.CreatedAt),
			Type: row.Type, Salience: row.Salience, RunID: row.RunID, PublishedAt: timeOf(row.PublishedAt),
		})
	}
	for i, e := range es {
		out[i] = kgl.EntityMentions{Entity: e, Mentions: byEntity[e.ID]}
	}
	return out, nil
}
