package store

import (
	"cmp"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// edge is what merges change of a relationship.
type edge struct {
	id         string
	stands     relationshipKey // the ends that it is found at
	origin     relationshipKey // the ends that it was stored with
	status     kgl.RelationshipStatus
	into       string  // the relationship that it is merged into; empty for none
	confidence float64 // with that of those merged into it
	own        float64 // without
	rejected   bool    // by a person
}

// ends returns the entities that the edge is or was at.
func (e edge) ends() []string {
	return []string{e.stands.From, e.stands.To, e.origin.From, e.origin.To}
}

// entityState is what merges need to know of an entity.
type entityState struct {
	status kgl.EntityStatus
	into   string // the entity that it was merged into; empty for none
}

type entityStates map[string]entityState

// root returns the entity that answers for the id.
func (s entityStates) root(id string) string {
	for s[id].into != "" {
		id = s[id].into
	}
	return id
}

// depth returns how many merges lie between an entity and its root.
func (s entityStates) depth(id string) int {
	n := 0
	for ; s[id].into != ""; n++ {
		id = s[id].into
	}
	return n
}

func (s entityStates) active(id string) bool { return s[id].status == kgl.EntityActive }

// place returns the ends at which a relationship belongs: those entities that
// answer for the ones that it was stored with.
func (s entityStates) place(e edge) relationshipKey {
	return relationshipKey{From: s.root(e.origin.From), To: s.root(e.origin.To), Type: e.origin.Type}
}

// settlement gives relationships the places and the states that follow from
// which entities are merged. Relationships of one place are one: that which the
// fewest merges brought there stands for all, the oldest of several, and the
// others stand at their own ends and are merged into it. A relationship of which
// both ends became one entity stands at its own ends too. The outcome hangs on
// which merges are in force, not on their order.
type settlement struct {
	states entityStates
	edges  map[string]edge
	groups map[relationshipKey][]string
}

// settleEdges returns the relationships as they are when states are in force.
// edges must hold all relationships of the places in question.
func settleEdges(states entityStates, edges map[string]edge) map[string]edge {
	s := settlement{states: states, edges: make(map[string]edge, len(edges)), groups: map[relationshipKey][]string{}}
	for id, e := range edges {
		e.stands, e.into, e.confidence = e.origin, "", e.own
		s.edges[id] = e
		if place := states.place(e); place.From != place.To {
			s.groups[place] = append(s.groups[place], id)
		}
	}
	for place, ids := range s.groups {
		s.join(place, ids)
	}
	for id, e := range s.edges {
		e.status = s.status(e)
		s.edges[id] = e
	}
	return s.edges
}

// join puts one relationship at a place and merges the others into it. It is as
// sure as the surest of them that nobody rejected.
func (s *settlement) join(place relationshipKey, ids []string) {
	first := s.edges[slices.MinFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.distance(a), s.distance(b)), cmp.Compare(a, b))
	})]
	first.stands = place
	for _, id := range ids {
		if e := s.edges[id]; id != first.id {
			e.into = first.id
			s.edges[id] = e
			if !e.rejected {
				first.confidence = max(first.confidence, e.own)
			}
		}
	}
	s.edges[first.id] = first
}

// distance returns how many merges lie between the ends that a relationship was
// stored with and those that answer for them.
func (s *settlement) distance(id string) int {
	e := s.edges[id]
	return s.states.depth(e.origin.From) + s.states.depth(e.origin.To)
}

func (s *settlement) status(e edge) kgl.RelationshipStatus {
	switch {
	case e.into != "":
		return kgl.RelationshipMerged
	case e.rejected:
		return kgl.RelationshipRejected
	case s.states.active(e.stands.From) && s.states.active(e.stands.To):
		return kgl.RelationshipActive
	}
	return kgl.RelationshipSuppressed
}

// holder returns the relationship that holds the evidence found for another
// one: that which it is merged into, unless a person rejected it before.
func holder(edges map[string]edge, id string) string {
	if e := edges[id]; e.into != "" && !e.rejected {
		return e.into
	}
	return id
}
