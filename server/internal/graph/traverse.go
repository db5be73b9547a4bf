package graph

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What a query with a filter looks at: of one entity in one direction, and of
// all entities that are asked for together.
const (
	maxScan      = 5_000
	maxScanAtAll = 100_000
)

// maxResolve bounds the merges that one id is followed through.
const maxResolve = 32

// Traversals answers questions about how entities are connected. It is safe for
// concurrent use.
type Traversals struct{ store kgl.GraphStore }

// NewTraversals returns the service.
func NewTraversals(store kgl.GraphStore) *Traversals { return &Traversals{store: store} }

// neighbors reads the edges of entities; among as in kgl.NeighborQuery.
func (s *Traversals) neighbors(ctx context.Context, ids []string, fanout int, f kgl.EdgeFilter, among []string) ([]kgl.EntityEdges, error) {
	scan := max(fanout+1, min(maxScan, maxScanAtAll/(2*len(ids))))
	return s.store.Neighbors(ctx, kgl.NeighborQuery{IDs: ids, PerEntity: fanout, Filter: f, Among: among, Scan: scan})
}

// resolve returns the entities that stand for the ids, each once: an id of a
// merged entity gives the one that it was merged into. CodeNotFound names the
// first id that is unknown.
func (s *Traversals) resolve(ctx context.Context, ids []string) ([]kgl.EntityBrief, error) {
	current := slices.Clone(ids)
	for range maxResolve {
		briefs, err := s.store.EntityBriefs(ctx, current)
		if err != nil {
			return nil, err
		}
		byID := make(map[string]kgl.EntityBrief, len(briefs))
		for _, b := range briefs {
			byID[b.ID] = b
		}
		merged, out := false, make([]kgl.EntityBrief, 0, len(ids))
		seen := make(map[string]bool, len(ids))
		for i, id := range current {
			b, ok := byID[id]
			if !ok {
				return nil, kgl.Errorf(kgl.CodeNotFound, "no entity has the id %s", ids[i])
			}
			if b.Status == kgl.EntityMerged && b.MergedInto != nil {
				current[i], merged = *b.MergedInto, true
			}
			if !seen[id] {
				seen[id] = true
				out = append(out, b)
			}
		}
		if !merged {
			return out, nil
		}
	}
	return nil, kgl.Wrap(fmt.Errorf("more than %d merges in a row", maxResolve), kgl.CodeInternal, "the entity cannot be found")
}

// byWeight orders edges, the heaviest first.
func byWeight(a, b kgl.GraphEdge) int {
	return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.ID, b.ID))
}

// between adds a fault unless n is from least to most.
func (f *faults) between(field string, n, least, most int) {
	if n < least || n > most {
		f.add(field, fmt.Sprintf("must be from %d to %d", least, most))
	}
}

// edgeFilter adds the faults of a filter of edges.
func (f *faults) edgeFilter(e kgl.EdgeFilter) {
	if !(e.MinConfidence >= 0 && e.MinConfidence <= 1) {
		f.add("min_confidence", "must be from 0 to 1")
	}
	if len(e.Types) > maxEdgeTypes {
		f.add("type", fmt.Sprintf("at most %d are allowed", maxEdgeTypes))
	}
	for _, t := range e.Types {
		if !kgl.ValidType(t) {
			*f = append(*f, invalidType("type").Fields...)
			break
		}
	}
}

// maxEdgeTypes bounds the types of a filter.
const maxEdgeTypes = 20

// orDefault returns n, or otherwise when it is 0.
func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
