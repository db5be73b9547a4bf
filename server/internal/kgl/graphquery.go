package kgl

import "context"

// EntityBrief is what a drawing of the graph shows of an entity.
type EntityBrief struct {
	ID         string
	Name       string
	Type       string
	Confidence float64
	Degree     int64 // number of its active relationships
	Status     EntityStatus
	MergedInto *string // the entity that stands for it, when it is merged
}

// GraphEdge is an active relationship as a step through the graph meets it.
type GraphEdge struct {
	ID         string
	FromID     string
	ToID       string
	Type       string
	Weight     float64 // confidence times pieces of evidence, at least one
	Confidence float64
}

// Other returns the end of the edge that is not id.
func (e GraphEdge) Other(id string) string {
	if e.FromID == id {
		return e.ToID
	}
	return e.FromID
}

// EdgeFilter selects edges; a zero field does not filter.
type EdgeFilter struct {
	Types         []string
	MinConfidence float64
}

// Empty reports whether the filter selects every edge.
func (f EdgeFilter) Empty() bool { return len(f.Types) == 0 && f.MinConfidence <= 0 }

// NeighborQuery asks for the heaviest edges of entities.
type NeighborQuery struct {
	IDs       []string
	PerEntity int // edges returned of each entity, at most
	Filter    EdgeFilter
	// Among, if not nil, leaves out those of the PerEntity edges that lead to
	// other entities than these; EntityEdges.Cut is not told then.
	Among []string
	// Scan bounds the edges that are looked at in each direction of an entity
	// for those that a filter selects, so that a hub with few of them costs no
	// more. It does not count without a filter.
	Scan int
}

// EntityEdges are the heaviest edges of an entity.
type EntityEdges struct {
	Edges []GraphEdge
	// Cut says that there are, or with Scan may be, more edges that the filter
	// selects.
	Cut bool
}

// GraphStore walks through the graph of the active relationships. The ends of
// these are active entities.
type GraphStore interface {
	// Neighbors returns the edges of each entity of q.IDs in that order, of both
	// directions, the heaviest first and those of one weight by the id of the
	// other end and their own. An unknown entity has none.
	Neighbors(ctx context.Context, q NeighborQuery) ([]EntityEdges, error)

	// EdgesBetween returns the edges between two entities, in both directions,
	// the heaviest first and those of one weight by id; at most limit.
	EdgesBetween(ctx context.Context, a, b string, f EdgeFilter, limit int) ([]GraphEdge, error)

	// EntityBriefs returns the entities with the ids in the order given, without
	// those that do not exist.
	EntityBriefs(ctx context.Context, ids []string) ([]EntityBrief, error)
}
