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

func (s entityStates) active(id string) bool { return s[id].status == kgl.EntityActive }

// place returns the ends at which a relationship belongs: those entities that
// answer for the ones that it was stored with.
func (s entityStates) place(e edge) relationshipKey {
	return relationshipKey{From: s.root(e.origin.From), To: s.root(e.origin.To), Type: e.origin.Type}
}

// settlement gives relationships the places and the states that follow from
// which entities are merged. Relationships of one place are one: the first of
// them stands there, the others stand at their own ends and are merged into it.
// A relationship of which both ends became one entity stands at its own ends
// too. The outcome hangs on which merges are in force, not on their order.
//
// edges must hold all relationships of the places in question with all that
// are merged into them.
type settlement struct {
	states entityStates
	edges  map[string]edge
	places map[string]relationshipKey
}

func settleEdges(states entityStates, edges map[string]edge) map[string]edge {
	s := settlement{states: states, edges: make(map[string]edge, len(edges)), places: make(map[string]relationshipKey, len(edges))}
	for id, e := range edges {
		s.places[id] = states.place(e)
		s.edges[id] = e
	}
	s.separate()
	s.join()
	s.decide()
	return s.edges
}

// separate ends what merges had joined that are no longer in force.
func (s *settlement) separate() {
	for id, e := range s.edges {
		place := s.places[id]
		parent, known := s.edges[e.into]
		if e.into != "" && (!known || place.From == place.To || s.places[parent.id] != place) {
			e.into = ""
			s.edges[id] = e
		}
	}
}

// join puts one relationship at each place and merges the others into it.
func (s *settlement) join() {
	tops := map[relationshipKey][]edge{}
	for id, e := range s.edges {
		if place := s.places[id]; e.into == "" && place.From != place.To {
			tops[place] = append(tops[place], e)
		}
	}
	for place, group := range tops {
		first := slices.MinFunc(group, func(a, b edge) int {
			return cmp.Or(order(a.stands != place, b.stands != place), order(a.origin != place, b.origin != place), cmp.Compare(a.id, b.id))
		})
		for _, e := range group {
			if e.id != first.id {
				e.into = first.id
				s.edges[e.id] = e
			}
		}
	}
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// decide sets the ends, the state and the confidence of each relationship.
func (s *settlement) decide() {
	children := map[string][]string{}
	for id, e := range s.edges {
		if e.into != "" {
			children[e.into] = append(children[e.into], id)
		}
	}
	var raise func(id string) float64
	raise = func(id string) float64 {
		e := s.edges[id]
		e.confidence = e.own
		for _, child := range children[id] {
			if c := raise(child); !s.edges[child].rejected {
				e.confidence = max(e.confidence, c)
			}
		}
		s.edges[id] = e
		return e.confidence
	}
	for id, e := range s.edges {
		place := s.places[id]
		e.stands = e.origin
		if e.into == "" && place.From != place.To {
			e.stands = place
		}
		e.status = s.status(e)
		s.edges[id] = e
		if e.into == "" {
			raise(id)
		}
	}
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
	for e := edges[id]; e.into != "" && !e.rejected; e = edges[id] {
		id = e.into
	}
	return id
}
