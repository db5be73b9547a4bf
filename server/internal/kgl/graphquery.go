package kgl

// NeighborQuery asks for the relationships around entities.
type NeighborQuery struct {
	EntityIDs     []string
	PerEntity     int      // at most so many of each, heaviest first
	Types         []string // of relationships; empty: all
	MinConfidence float64
}

// NeighborEdge is a relationship as one of its ends sees it.
type NeighborEdge struct {
	EntityID   string // the entity that was asked for
	NeighborID string // the other end
	Out        bool   // EntityID is where the relationship starts
	ID         string // of the relationship
	Type       string
	Weight     float64
	Confidence float64
}

// EntityBrief is what the graph shows of an entity.
type EntityBrief struct {
	ID         string
	Name       string
	Type       string
	Confidence float64
	Degree     int64
	Status     EntityStatus
	MergedInto *string
}
