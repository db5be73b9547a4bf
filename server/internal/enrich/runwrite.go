package enrich

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// runWriter writes one extraction inside a transaction. It takes locks in one
// order: entities, relationships, requests, events.
type runWriter struct {
	tx      kgl.Store
	ids     kgl.IDSource
	clock   kgl.Clock
	now     time.Time
	content kgl.Content
	run     kgl.ExtractionRun
	events  []kgl.Event
}

func (w *runWriter) write(ctx context.Context, res Result) (kgl.ExtractionRun, error) {
	x := res.Extraction
	w.run = w.newRun(res)
	entities, err := w.entities(ctx, x.Entities)
	if err != nil {
		return w.run, err
	}
	mentions := w.mentions(x, entities)
	wanted, index := w.wantedRelationships(x, entities)
	w.run.Entities, w.run.Mentions, w.run.Relationships = distinct(entities), int64(len(mentions)), int64(len(wanted))
	previous, err := w.replace(ctx, kgl.ExtractorName(x.Extractor))
	if err != nil {
		return w.run, err
	}
	if err := w.tx.CreateRun(ctx, w.run); err != nil {
		return w.run, err
	}
	if _, err := w.tx.InsertMentions(ctx, mentions); err != nil {
		return w.run, err
	}
	if err := w.relationships(ctx, x, entities, wanted, index, previous); err != nil {
		return w.run, err
	}
	w.event(kgl.EventContentProcessed, "content", w.content.ID, map[string]any{
		"source_id": w.content.SourceID, "revision": w.content.Revision, "extractor": x.Extractor, "status": string(kgl.ContentProcessed),
		"run_id": w.run.ID, "mentions": len(mentions), "relationships": len(wanted),
	})
	answer, err := EncodeExtraction(x)
	if err != nil {
		return w.run, err
	}
	if _, err := w.tx.FinishContentRequests(ctx, w.content.ID, w.run.ID, answer, w.now, w.now.Add(resultKept)); err != nil {
		return w.run, err
	}
	return w.run, w.tx.AppendEvents(ctx, w.events)
}

func (w *runWriter) newRun(res Result) kgl.ExtractionRun {
	run := kgl.ExtractionRun{
		ID: w.ids.NewID(), ContentID: w.content.ID, Revision: w.content.Revision, Extractor: res.Extraction.Extractor,
		Model: res.Extraction.Model, ConfigHash: res.Extraction.ConfigHash, Actor: res.Actor, Status: kgl.RunCurrent,
		StartedAt: res.StartedAt, FinishedAt: w.now,
	}
	if res.Task != nil {
		run.TaskID, run.LeaseToken = res.Task.ID, res.Task.LeaseToken
	}
	return run
}

// replace ends the current run of an extractor's name and removes its mentions,
// and returns its id. Its evidence stays until the new one is stored, so that a
// relationship that is found again is not lost in between.
func (w *runWriter) replace(ctx context.Context, name string) (string, error) {
	previous, err := w.tx.SupersedeRun(ctx, w.content.ID, name, w.now)
	if err != nil {
		return "", err
	}
	if previous != "" {
		if _, err := w.tx.DeleteRunMentions(ctx, previous); err != nil {
			return "", err
		}
	}
	_, err = w.tx.DeleteExtractorMentions(ctx, w.content.ID, name)
	return previous, err
}

// empty takes back what the extractors of a lane found in an item that holds no
// text any more.
func (w *runWriter) empty(ctx context.Context, lane string) error {
	runs, err := w.tx.CurrentRuns(ctx, w.content.ID)
	if err != nil {
		return err
	}
	names := []string{lane}
	for _, run := range runs {
		if name := kgl.ExtractorName(run.Extractor); name != lane && laneOf(name) == lane {
			names = append(names, name)
		}
	}
	for _, name := range names {
		previous, err := w.replace(ctx, name)
		if err != nil {
			return err
		}
		if err := w.dropEvidence(ctx, previous, name); err != nil {
			return err
		}
	}
	w.event(kgl.EventContentProcessed, "content", w.content.ID, map[string]any{
		"source_id": w.content.SourceID, "revision": w.content.Revision, "extractor": lane, "status": string(kgl.ContentSkipped),
		"mentions": 0, "relationships": 0,
	})
	return w.tx.AppendEvents(ctx, w.events)
}

// laneOf returns the lane in which an extractor works.
func laneOf(name string) string {
	switch name {
	case kgl.LaneBuiltin, kgl.LaneMock:
		return name
	}
	return kgl.LaneAI
}

// dropEvidence removes the evidence of the previous run, and tells of the
// relationships that went with it.
func (w *runWriter) dropEvidence(ctx context.Context, previous, name string) error {
	removed, err := w.tx.DeleteRunEvidence(ctx, w.content.ID, previous, name)
	for _, id := range removed {
		w.event(kgl.EventRelationshipDeleted, "relationship", id, map[string]any{"reason": "evidence_gone"})
	}
	return err
}

func (w *runWriter) event(typ kgl.EventType, subject, id string, data map[string]any) {
	w.events = append(w.events, kgl.NewEvent(w.ids, w.clock, typ, subject, id, data))
}

// entities stores the entities and returns, for each extracted one, the stored
// one. They are written in the order of their keys, so that workers wait for
// each other in one direction.
func (w *runWriter) entities(ctx context.Context, found []kgl.ExtractedEntity) ([]kgl.Entity, error) {
	if len(found) == 0 {
		return nil, nil
	}
	wanted := make([]kgl.Entity, 0, len(found))
	index := map[[2]string]int{}
	for _, f := range found {
		key := [2]string{f.Type, kgl.NormalizeName(f.Name)}
		i, ok := index[key]
		if !ok {
			i = len(wanted)
			index[key] = i
			wanted = append(wanted, w.entity(f, key[1]))
		}
		e := &wanted[i]
		e.Confidence = max(e.Confidence, f.Confidence)
		e.Aliases = append(e.Aliases, f.Aliases...)
		e.ExternalIDs = append(e.ExternalIDs, f.ExternalIDs...)
	}
	slices.SortFunc(wanted, func(a, b kgl.Entity) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.NameKey, b.NameKey))
	})
	stored, created, err := w.tx.UpsertEntities(ctx, wanted)
	if err != nil {
		return nil, err
	}
	for i, e := range wanted {
		index[[2]string{e.Type, e.NameKey}] = i
	}
	w.entityEvents(stored, created)
	result := make([]kgl.Entity, len(found))
	for i, f := range found {
		result[i] = stored[index[[2]string{f.Type, kgl.NormalizeName(f.Name)}]]
	}
	return result, nil
}

func (w *runWriter) entity(f kgl.ExtractedEntity, key string) kgl.Entity {
	return kgl.Entity{
		ID: w.ids.NewID(), Name: f.Name, NameKey: key, Type: f.Type,
		Aliases: []string{}, Attributes: []byte(`{}`),
		Extractor: w.run.Extractor, Status: kgl.EntityActive,
		Version: 1, CreatedAt: w.now, UpdatedAt: w.now,
	}
}

// entityEvents tells of entities that are new, and of those whose confidence
// was raised: the store gives these a new version and the time of this write.
func (w *runWriter) entityEvents(stored []kgl.Entity, created []bool) {
	told := map[string]bool{}
	for i, e := range stored {
		typ := kgl.EventEntityUpdated
		if created[i] {
			typ = kgl.EventEntityCreated
		} else if e.Version == 1 || !e.UpdatedAt.Equal(w.now) || told[e.ID] {
			continue
		}
		told[e.ID] = true
		w.event(typ, "entity", e.ID, map[string]any{"name": e.Name, "type": e.Type, "extractor": w.run.Extractor})
	}
}

func distinct(entities []kgl.Entity) int64 {
	ids := map[string]bool{}
	for _, e := range entities {
		ids[e.ID] = true
	}
	return int64(len(ids))
}

// mentions returns one row for each place; two extracted names may be the same
// stored entity, by an alias.
func (w *runWriter) mentions(x kgl.Extraction, entities []kgl.Entity) []kgl.Mention {
	type place struct {
		entity     string
		start, end int64
	}
	seen := map[place]bool{}
	mentions := []kgl.Mention{}
	for i, e := range x.Entities {
		for _, s := range e.Spans {
			p := place{entities[i].ID, s.Start, s.End}
			if seen[p] {
				continue
			}
			seen[p] = true
			mentions = append(mentions, kgl.Mention{
				ID: w.ids.NewID(), ContentID: w.content.ID, Revision: w.content.Revision, EntityID: p.entity,
				Start: s.Start, End: s.End, Quote: s.Quote, Type: e.Type, Salience: e.Salience,
				Confidence: e.Confidence, Extractor: x.Extractor, RunID: &w.run.ID, CreatedAt: w.now, PublishedAt: w.content.PublishedAt,
			})
		}
	}
	return mentions
}
