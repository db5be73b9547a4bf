package graph

import (
	"cmp"
	"context"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Bounds and defaults of a path.
const (
	DefaultMaxLength = 6
	MaxLength        = 8

	DefaultPathFanout = 50

	DefaultBudget = 1_000
	MaxBudget     = 5_000
)

// pathBatch is how many entities are asked for together: a path that is found
// early leaves the rest of a level alone.
const pathBatch = 64

// pathTries bounds how often a search begins anew because an entity of its path
// was deleted meanwhile.
const pathTries = 3

// PathQuery asks how two entities are connected. A number of 0 means its
// default.
type PathQuery struct {
	From, To  string
	MaxLength int // relationships, at most
	Fanout    int // relationships of each entity that are followed, the heaviest
	Budget    int // entities whose relationships are read, at most
	Filter    kgl.EdgeFilter
}

// PathStatus says how a search for a path ended.
type PathStatus string

// The ends of a search.
const (
	PathFound           PathStatus = "found"
	PathNone            PathStatus = "none"             // there is none of at most MaxLength, for certain
	PathBudgetExhausted PathStatus = "budget_exhausted" // none was found, but not everything was looked at
)

// Path is how two entities are connected: Edges[i] joins Nodes[i] and
// Nodes[i+1], whatever its direction.
type Path struct {
	Status PathStatus
	// Exact says that the answer is certain: that no shorter path exists, or none
	// at all.
	Exact    bool
	Nodes    []kgl.EntityBrief
	Edges    []kgl.GraphEdge
	Expanded int // entities whose relationships were read
}

// Steps returns the entities of the path, from its beginning on.
func (p Path) Steps() []Node {
	out := make([]Node, len(p.Nodes))
	for i, b := range p.Nodes {
		shown := int64(2)
		if i == 0 {
			shown--
		}
		if i == len(p.Edges) {
			shown--
		}
		out[i] = Node{EntityBrief: b, Depth: i, HiddenDegree: max(b.Degree-shown, 0)}
	}
	return out
}

func (q *PathQuery) normalize() error {
	var f faults
	q.MaxLength, q.Fanout = orDefault(q.MaxLength, DefaultMaxLength), orDefault(q.Fanout, DefaultPathFanout)
	q.Budget = orDefault(q.Budget, DefaultBudget)
	f.between("max_length", q.MaxLength, 1, MaxLength)
	f.between("fanout", q.Fanout, 1, MaxFanout)
	f.between("budget", q.Budget, 1, MaxBudget)
	f.edgeFilter(q.Filter)
	return f.err()
}

// Path looks for a short way between two entities, along relationships of either
// direction. It searches from both ends, always from the side with fewer
// entities at its border. CodeInvalid; CodeNotFound names an end that does not
// exist; CodeTimeout; CodeUnavailable: the graph changes too fast.
func (s *Traversals) Path(ctx context.Context, q PathQuery) (Path, error) {
	if err := q.normalize(); err != nil {
		return Path{}, err
	}
	for range pathTries {
		ends, err := s.resolve(ctx, []string{q.From, q.To})
		if err != nil {
			return Path{}, err
		}
		if len(ends) == 1 {
			return Path{Status: PathFound, Exact: true, Nodes: ends, Edges: []kgl.GraphEdge{}}, nil
		}
		p, ids, err := s.search(ctx, ends[0].ID, ends[1].ID, q)
		if err != nil || p.Status != PathFound {
			return p, err
		}
		if p.Nodes, err = s.store.EntityBriefs(ctx, ids); err != nil || len(p.Nodes) == len(ids) {
			return p, err
		}
	}
	return Path{}, kgl.Errorf(kgl.CodeUnavailable, "the graph changes too fast; try again")
}

// search returns what it found, and the ids of the entities along the path.
func (s *Traversals) search(ctx context.Context, from, to string, q PathQuery) (Path, []string, error) {
	direct, err := s.store.EdgesBetween(ctx, from, to, q.Filter, 1)
	if err != nil {
		return Path{}, nil, err
	}
	if len(direct) > 0 {
		return Path{Status: PathFound, Exact: true, Edges: direct}, []string{from, to}, nil
	}
	x := &pathSearch{q: q, sides: [2]*pathSide{newPathSide(from), newPathSide(to)}}
	for !x.ended() {
		meeting, err := x.widen(ctx, s)
		if err != nil {
			return Path{}, nil, err
		}
		if meeting != "" {
			p, ids := x.found(meeting)
			return p, ids, nil
		}
	}
	p := Path{Status: PathBudgetExhausted, Expanded: x.expanded, Nodes: []kgl.EntityBrief{}, Edges: []kgl.GraphEdge{}}
	if x.certain() {
		p.Status, p.Exact = PathNone, true
	}
	return p, nil, nil
}

// pathSide is what is known from one end.
type pathSide struct {
	start    string
	depth    map[string]int
	back     map[string]kgl.GraphEdge // the edge towards the start
	frontier []string                 // what lies radius steps away
	radius   int
	complete int // steps within which everything is known
}

func newPathSide(start string) *pathSide {
	return &pathSide{start: start, depth: map[string]int{start: 0}, back: map[string]kgl.GraphEdge{}, frontier: []string{start}}
}

// whole reports whether all that the start is connected with is known.
func (p *pathSide) whole() bool { return len(p.frontier) == 0 && p.complete == p.radius }

// pathSearch is a search from both ends, level by level.
type pathSearch struct {
	q        PathQuery
	sides    [2]*pathSide
	expanded int
	spent    bool // the budget ended before a level did
}

// reach is the length within which a path would have been found for certain.
func (x *pathSearch) reach() int { return max(1, x.sides[0].complete+x.sides[1].complete) }

// certain reports whether there is no path for certain.
func (x *pathSearch) certain() bool {
	return x.reach() >= x.q.MaxLength || x.sides[0].whole() || x.sides[1].whole()
}

func (x *pathSearch) ended() bool {
	a, b := x.sides[0], x.sides[1]
	return x.spent || x.certain() || a.radius+b.radius >= x.q.MaxLength || len(a.frontier)+len(b.frontier) == 0
}

// next returns the side to widen and the other one: the one with fewer entities
// at its border, and of equal ones that which went less far.
func (x *pathSearch) next() (side, other *pathSide) {
	a, b := x.sides[0], x.sides[1]
	fewer := cmp.Or(cmp.Compare(len(b.frontier), len(a.frontier)), cmp.Compare(b.radius, a.radius)) < 0
	if len(a.frontier) == 0 || len(b.frontier) > 0 && fewer {
		return b, a
	}
	return a, b
}

// widen takes one side a step further, and returns where it met the other one,
// if it did.
func (x *pathSearch) widen(ctx context.Context, s *Traversals) (meeting string, err error) {
	side, other := x.next()
	var reached []string
	cut := false
	for batch := range slices.Chunk(side.frontier, pathBatch) {
		batch, rest := batch[:min(len(batch), x.q.Budget-x.expanded)], len(batch)
		x.spent = len(batch) < rest
		if len(batch) == 0 {
			return "", nil
		}
		found, err := s.neighbors(ctx, batch, x.q.Fanout, x.q.Filter, nil)
		if err != nil {
			return "", err
		}
		x.expanded += len(batch)
		first := len(reached)
		for i, f := range found {
			cut = cut || f.Cut
			reached = append(reached, side.take(batch[i], f.Edges)...)
		}
		if meeting = nearest(reached[first:], other); meeting != "" || x.spent {
			return meeting, nil
		}
	}
	if side.complete == side.radius && !cut {
		side.complete++
	}
	side.frontier, side.radius = reached, side.radius+1
	return "", nil
}

// take notes what the edges of an entity lead to, and returns what is new.
func (p *pathSide) take(id string, edges []kgl.GraphEdge) (reached []string) {
	for _, e := range edges {
		other := e.Other(id)
		if _, known := p.depth[other]; known {
			continue
		}
		p.depth[other], p.back[other] = p.radius+1, e
		reached = append(reached, other)
	}
	return reached
}

// nearest returns the entity that is nearest to the other side's start, of those
// that both sides know.
func nearest(reached []string, other *pathSide) (meeting string) {
	best := -1
	for _, id := range reached {
		if d, ok := other.depth[id]; ok && (best < 0 || d < best) {
			meeting, best = id, d
		}
	}
	return meeting
}

// found puts the path through a meeting together.
func (x *pathSearch) found(meeting string) (Path, []string) {
	a, b := x.sides[0], x.sides[1]
	ids, edges := a.wayFrom(meeting)
	slices.Reverse(ids)
	slices.Reverse(edges)
	behind, last := b.wayFrom(meeting)
	edges = append(edges, last...)
	// A path of this length or shorter that was not there would have been found
	// before.
	exact := len(edges) <= x.reach()+1
	return Path{Status: PathFound, Exact: exact, Edges: edges, Expanded: x.expanded}, append(ids, behind[1:]...)
}

// wayFrom returns the way from an entity to the start of the side.
func (p *pathSide) wayFrom(id string) (ids []string, edges []kgl.GraphEdge) {
	for ids = []string{id}; id != p.start; ids = append(ids, id) {
		e := p.back[id]
		edges = append(edges, e)
		id = e.Other(id)
	}
	return ids, edges
}
