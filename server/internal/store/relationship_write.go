package store

import (
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// relationshipKey is by what a relationship is recognised.
type relationshipKey struct {
	From string `json:"from"`
	To   string `json:"to"`
	Type string `json:"type"`
}

func keyOfRelationship(r kgl.Relationship) relationshipKey {
	return relationshipKey{From: r.From.ID, To: r.To.ID, Type: r.Type}
}

// relationshipRow is a relationship as InsertRelationships takes it.
type relationshipRow struct {
	relationshipKey
	ID         string  `json:"id"`
	Confidence float64 `json:"confidence"`
	Extractor  string  `json:"extractor"`
	Status     string  `json:"status"`
	Fact       string  `json:"fact"`
	ValidFrom  string  `json:"valid_from"`
	ValidTo    string  `json:"valid_to"`
	Version    int64   `json:"version"`
	CreatedAt  int64   `json:"created_at"`
	UpdatedAt  int64   `json:"updated_at"`
}

// UpsertRelationships implements kgl.RelationshipStore. Of the ends only the
// ids count. CodeConflict: an end does not exist; CodeInvalid: both ends are the
// same entity.
func (db *DB) UpsertRelationships(ctx context.Context, rs []kgl.Relationship) ([]kgl.Relationship, []bool, error) {
	var out []kgl.Relationship
	var created []bool
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		rs, err := lockEnds(ctx, c, rs)
		if err != nil {
			return err
		}
		ids, made, err := relationshipUpsert(ctx, c, rs).run()
		if err != nil {
			return err
		}
		created = made
		if out, err = relationshipsInOrder(ctx, c, ids); err != nil {
			return err
		}
		if err := describe(ctx, c, rs, out); err != nil {
			return err
		}
		var ends []string
		for i, r := range out {
			if made[i] && r.Status == kgl.RelationshipActive {
				ends = append(ends, r.From.ID, r.To.ID)
			}
		}
		return countDegrees(ctx, c, nil, ends)
	})
	if err != nil {
		return nil, nil, err
	}
	return out, created, nil
}

// lockEnds locks the ends of relationships, puts what they were merged into in
// the place of merged ones, and sets the state that follows from the ends.
func lockEnds(ctx context.Context, c *conn, rs []kgl.Relationship) ([]kgl.Relationship, error) {
	ids := make([]string, 0, 2*len(rs))
	for _, r := range rs {
		ids = append(ids, r.From.ID, r.To.ID)
	}
	states := entityStates{}
	if err := lockStates(ctx, c, states, unique(ids)); err != nil {
		return nil, err
	}
	out := slices.Clone(rs)
	for i := range out {
		r := &out[i]
		r.From.ID, r.To.ID = states.root(r.From.ID), states.root(r.To.ID)
		if r.From.ID == r.To.ID {
			return nil, kgl.Invalid("to", "a relationship needs two different entities")
		}
		r.Status = kgl.RelationshipSuppressed
		if states.active(r.From.ID) && states.active(r.To.ID) {
			r.Status = kgl.RelationshipActive
		}
	}
	return out, nil
}

// describe stores the facts and the times of relationships that had none.
// stored is what each is stored as, and is brought up to date.
func describe(ctx context.Context, c *conn, rs, stored []kgl.Relationship) error {
	latest := map[string]kgl.Relationship{}
	for i, r := range rs {
		s, told := latest[stored[i].ID]
		if !told {
			s = stored[i]
		}
		was := s
		if s.Fact == "" {
			s.Fact = r.Fact
		}
		if s.ValidFrom == "" && s.ValidTo == "" {
			s.ValidFrom, s.ValidTo = r.ValidFrom, r.ValidTo
		}
		latest[s.ID] = s
		if s == was {
			continue
		}
		if !s.UpdatedAt.Equal(r.UpdatedAt) {
			s.Version, s.UpdatedAt = s.Version+1, r.UpdatedAt
			latest[s.ID] = s
		}
		if err := c.DescribeRelationship(ctx, sqlitedb.DescribeRelationshipParams{
			ID: s.ID, Fact: s.Fact, ValidFrom: s.ValidFrom, ValidTo: s.ValidTo, Version: s.Version, UpdatedAt: micros(r.UpdatedAt),
		}); err != nil {
			return err
		}
	}
	for i := range stored {
		stored[i] = latest[stored[i].ID]
	}
	return nil
}

func relationshipUpsert(ctx context.Context, c *conn, rs []kgl.Relationship) *upsert[relationshipKey] {
	u := &upsert[relationshipKey]{
		keys:       make([]relationshipKey, len(rs)),
		ids:        make([]string, len(rs)),
		confidence: make([]float64, len(rs)),
	}
	for i, r := range rs {
		u.keys[i], u.ids[i], u.confidence[i] = keyOfRelationship(r), r.ID, r.Confidence
	}
	u.also = func(int) []relationshipKey { return nil }
	u.find = func(keys []relationshipKey) (map[relationshipKey]string, error) {
		return findRelationships(ctx, c, keys)
	}
	u.lock = func(ids []string) (map[string]float64, error) { return lockRelationships(ctx, c, ids) }
	u.insert = func(indexes []int) ([]string, error) {
		in := make([]relationshipRow, len(indexes))
		for n, i := range indexes {
			in[n] = relationshipRow{
				relationshipKey: u.keys[i], ID: rs[i].ID, Confidence: u.confidence[i], Extractor: rs[i].Extractor,
				Status: string(rs[i].Status), Fact: rs[i].Fact, ValidFrom: rs[i].ValidFrom, ValidTo: rs[i].ValidTo,
				Version: rs[i].Version, CreatedAt: micros(rs[i].CreatedAt), UpdatedAt: micros(rs[i].UpdatedAt),
			}
		}
		text, err := jsonText(in)
		if err != nil {
			return nil, err
		}
		return c.InsertRelationships(ctx, text)
	}
	u.raise = func(id string, i int) error {
		return c.RaiseRelationshipConfidence(ctx, sqlitedb.RaiseRelationshipConfidenceParams{
			ID: id, Confidence: rs[i].Confidence, UpdatedAt: micros(rs[i].UpdatedAt),
		})
	}
	return u
}

func findRelationships(ctx context.Context, c *conn, keys []relationshipKey) (map[relationshipKey]string, error) {
	text, err := jsonText(keys)
	if err != nil {
		return nil, err
	}
	rows, err := c.RelationshipsByKeys(ctx, text)
	if err != nil {
		return nil, err
	}
	found := map[relationshipKey]string{}
	for _, row := range rows {
		found[relationshipKey{From: row.FromEntityID, To: row.ToEntityID, Type: row.Type}] = row.ID
	}
	return found, nil
}

// lockRelationships is lockEntities for relationships.
func lockRelationships(ctx context.Context, c *conn, ids []string) (map[string]float64, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.LockRelationships(ctx, list)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for _, row := range rows {
		out[row.ID] = row.Confidence
	}
	return out, nil
}

// relationshipsInOrder reads relationships, which may repeat, in the order of
// ids.
func relationshipsInOrder(ctx context.Context, c *conn, ids []string) ([]kgl.Relationship, error) {
	list, err := listText(ids)
	if err != nil {
		return nil, err
	}
	rows, err := c.RelationshipsByIDs(ctx, list)
	if err != nil {
		return nil, err
	}
	byID := map[string]kgl.Relationship{}
	for _, row := range rows {
		byID[row.ID] = relationshipOf(sqlitedb.RelationshipRow(row))
	}
	out := make([]kgl.Relationship, len(ids))
	for i, id := range ids {
		out[i] = byID[id]
	}
	return out, nil
}

// UpdateRelationship implements kgl.RelationshipStore.
func (db *DB) UpdateRelationship(ctx context.Context, r kgl.Relationship) (kgl.Relationship, error) {
	var out kgl.Relationship
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		stored, states, err := lockRelationship(ctx, c, r.ID)
		if err != nil {
			return err
		}
		if stored.Status == kgl.RelationshipMerged {
			return kgl.Errorf(kgl.CodeConflict, "the relationship was merged into another one")
		}
		if stored.Version != r.Version {
			return kgl.Errorf(kgl.CodePreconditionFailed, "the relationship was changed meanwhile")
		}
		status := kgl.RelationshipActive
		switch {
		case r.Status == kgl.RelationshipRejected:
			status = kgl.RelationshipRejected
		case !states.active(stored.From.ID) || !states.active(stored.To.ID):
			status = kgl.RelationshipSuppressed
		}
		n, err := c.UpdateRelationship(ctx, sqlitedb.UpdateRelationshipParams{
			ID: r.ID, Version: r.Version, Fact: r.Fact, Confidence: r.Confidence, ValidFrom: r.ValidFrom, ValidTo: r.ValidTo,
			Status: string(status), Rejected: status == kgl.RelationshipRejected, UpdatedAt: micros(r.UpdatedAt),
		})
		if err := affected(n, err, "relationship"); err != nil {
			return err
		}
		var lost, got []string
		if stored.Status == kgl.RelationshipActive {
			lost = []string{stored.From.ID, stored.To.ID}
		}
		if status == kgl.RelationshipActive {
			got = []string{stored.From.ID, stored.To.ID}
		}
		if err := countDegrees(ctx, c, lost, got); err != nil {
			return err
		}
		row, err := c.Relationship(ctx, r.ID)
		out = relationshipOf(row)
		return err
	})
	return out, err
}

// lockRelationship locks the ends of a relationship, then the relationship
// itself, and returns it with the states of its ends. CodeNotFound.
func lockRelationship(ctx context.Context, c *conn, id string) (kgl.Relationship, entityStates, error) {
	states := entityStates{}
	for {
		row, err := c.Relationship(ctx, id)
		if isNoRows(err) {
			return kgl.Relationship{}, nil, kgl.NotFound("relationship")
		}
		if err != nil {
			return kgl.Relationship{}, nil, err
		}
		r := relationshipOf(row)
		_, from := states[r.From.ID]
		_, to := states[r.To.ID]
		if from && to { // no merge moved it before the ends were locked
			_, err := lockRelationships(ctx, c, []string{id})
			return r, states, err
		}
		if err := lockStates(ctx, c, states, []string{r.From.ID, r.To.ID}); err != nil {
			return kgl.Relationship{}, nil, err
		}
	}
}

// DeleteRelationship implements kgl.RelationshipStore.
func (db *DB) DeleteRelationship(ctx context.Context, id string) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if err := shareGraph(ctx, c); err != nil {
			return err
		}
		if _, _, err := lockRelationship(ctx, c, id); err != nil {
			return err
		}
		merged, err := mergedRelationships(ctx, c, []string{id})
		if err != nil {
			return err
		}
		list, err := listText(append(merged, id))
		if err != nil {
			return err
		}
		rows, err := c.DeleteRelationships(ctx, list)
		if err != nil {
			return err
		}
		return countDegrees(ctx, c, endsOf(rows), nil)
	})
}

// endsOf returns the ends of those of the deleted relationships that were
// active, once for each.
func endsOf(rows []sqlitedb.DeleteRelationshipsRow) []string {
	var ends []string
	for _, row := range rows {
		if row.Status == string(kgl.RelationshipActive) {
			ends = append(ends, row.FromEntityID, row.ToEntityID)
		}
	}
	return ends
}
