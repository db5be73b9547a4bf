package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runExtractions(t *testing.T, open Open) {
	runEach(t, open, []test{{"whole extractions are stored at once", extractionRace}})
}

// extractionRace stores the results of one extractor on several items at once,
// each in one transaction as enrichment does: they name the same entities and
// relationships, in different orders, and do it twice.
func extractionRace(t *testing.T, db *store.DB) {
	const items, kinds, rounds = 10, 8, 2
	cs := graphContents(t, db, items)
	for _, err := range parallel(items, func(i int) error {
		for round := range rounds {
			err := db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
				return storeExtraction(ctx, tx, cs[i], 10_000*(i+1)+1000*round, kinds, i)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}) {
		must(t, err)
	}
	all := got(db.Entities(ctx(t), kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 100}))(t).Rows
	for _, e := range all {
		if e.MentionCount != items || e.Confidence != 1 {
			t.Errorf("%s has %d mentions and the confidence %v", e.Name, e.MentionCount, e.Confidence)
		}
	}
	edges := got(db.Relationships(ctx(t), kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, kgl.Page{Limit: 100}))(t).Rows
	for _, r := range edges {
		if r.EvidenceCount != items {
			t.Errorf("%s -> %s has %d pieces of evidence", r.From.Name, r.To.Name, r.EvidenceCount)
		}
	}
	if len(all) != kinds || len(edges) != kinds {
		t.Errorf("%d entities and %d relationships", len(all), len(edges))
	}
}

// storeExtraction stores kinds entities and a ring of relationships among them;
// ids count from first, and shift changes the order.
func storeExtraction(ctx context.Context, tx kgl.Store, contentID string, first, kinds, shift int) error {
	es := make([]kgl.Entity, kinds)
	for k := range es {
		name := (k*3 + shift) % kinds
		es[k] = newEntity(first+k, "person", fmt.Sprint("Person ", name))
		if name == shift%kinds { // one caller at least is sure of each
			es[k].Confidence = 1
		}
	}
	es, _, err := tx.UpsertEntities(ctx, es)
	if err != nil {
		return err
	}
	byName := map[string]kgl.Entity{}
	var ms []kgl.Mention
	for k, e := range es {
		byName[e.Name] = e
		ms = append(ms, newMention(first+100+k, contentID, e.ID))
	}
	if err := tx.ReplaceMentions(ctx, contentID, kgl.ExtractorMock, ms); err != nil {
		return err
	}
	var rs []kgl.Relationship
	for k := range kinds {
		from := (k*3 + shift) % kinds
		a, b := byName[fmt.Sprint("Person ", from)], byName[fmt.Sprint("Person ", (from+1)%kinds)]
		rs = append(rs, newRelationship(first+200+k, a, b, "knows"))
	}
	if rs, _, err = tx.UpsertRelationships(ctx, rs); err != nil {
		return err
	}
	var evidence []kgl.Evidence
	for k, r := range rs {
		evidence = append(evidence, newEvidence(first+300+k, r.ID, contentID))
	}
	_, err = tx.ReplaceEvidence(ctx, contentID, kgl.ExtractorMock, evidence)
	return err
}
