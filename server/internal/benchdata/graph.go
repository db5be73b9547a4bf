package benchdata

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// GraphConfig says what graph to fill a database with.
type GraphConfig struct {
	Entities, Relationships int
	// Seed of everything: the same GraphConfig gives the same rows.
	Seed uint64
	// Until is when the newest row was written; the oldest one is a year older.
	Until time.Time
	// Progress, if set, is told after every batch how many rows are stored.
	Progress func(rows int)
}

// GraphStats is what a graph came to.
type GraphStats struct {
	Entities, Relationships, LargestDegree int
	RowsSeconds, IndexSeconds              float64
}

// graphSkew is the exponent of the Zipf distribution of both ends. With 100,000
// entities and ten times as many relationships the largest hub has some 42,000.
const graphSkew = 0.9

const graphBatch = 20_000

// graphTables are what FillGraph writes; the other columns have their defaults.
func graphTables() (entities, relationships table) {
	return table{"entities", []string{"id", "name", "name_key", "type", "description", "attributes", "confidence", "extractor", "mention_count",
			"version", "created_at", "updated_at", "degree"}},
		table{"relationships", []string{"id", "from_entity_id", "to_entity_id", "type", "confidence", "extractor", "evidence_count",
			"version", "created_at", "updated_at", "weight"}}
}

// FillGraph fills a migrated, empty database with entities and relationships
// between them, as if people had entered them: without items, evidence, events
// and the keys by which similar names are found. A few entities have most of the
// relationships. A fill that is broken off leaves a database to throw away. now
// tells the time, for the stats.
func FillGraph(ctx context.Context, databaseURL string, cfg GraphConfig, now func() time.Time) (stats GraphStats, err error) {
	if err := cfg.check(); err != nil {
		return stats, err
	}
	db, err := open(ctx, databaseURL)
	if err != nil {
		return stats, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	n, err := db.count(ctx, "entities")
	if err != nil {
		return stats, fmt.Errorf("benchdata: is the database migrated? %w", err)
	}
	if n > 0 {
		return stats, errNotEmpty
	}
	if err := db.begin(ctx); err != nil {
		return stats, err
	}
	start := now()
	g := newGraph(cfg)
	entities, relationships := graphTables()
	if err := db.dropIndexes(ctx, entities.name, relationships.name); err != nil {
		return stats, err
	}
	if err := storeGraph(ctx, db, entities, cfg.Entities, g.entity, cfg.Progress); err != nil {
		return stats, err
	}
	if err := storeGraph(ctx, db, relationships, len(g.pairs), g.relationship, cfg.Progress); err != nil {
		return stats, err
	}
	stats = GraphStats{Entities: cfg.Entities, Relationships: len(g.pairs), LargestDegree: int(slices.Max(g.degrees)), RowsSeconds: now().Sub(start).Seconds()}
	start = now()
	if err := db.index(ctx); err != nil {
		return stats, err
	}
	err = db.finish(ctx)
	stats.IndexSeconds = now().Sub(start).Seconds()
	return stats, err
}

func (c GraphConfig) check() error {
	if c.Entities < 2 || c.Entities > math.MaxInt32 || c.Relationships < 1 || c.Relationships > c.Entities*(c.Entities-1)/2 {
		return fmt.Errorf("benchdata: %d relationships between %d entities", c.Relationships, c.Entities)
	}
	if c.Until.IsZero() {
		return fmt.Errorf("benchdata: the time of the newest row is not set")
	}
	return nil
}

// storeGraph stores rows 0 to n-1 of a table, in batches.
func storeGraph(ctx context.Context, db database, t table, n int, row func(i int) []any, progress func(int)) error {
	rows := make([][]any, 0, min(n, graphBatch))
	for i := 0; i < n; {
		rows = rows[:0]
		for end := min(i+graphBatch, n); i < end; i++ {
			rows = append(rows, row(i))
		}
		if err := db.insert(ctx, t, rows); err != nil {
			return err
		}
		if progress != nil {
			progress(i)
		}
	}
	return nil
}

// graphRows makes the rows of a graph.
type graphRows struct {
	cfg       GraphConfig
	rng       *rand.Rand
	ids       kgl.IDSource
	now       time.Time
	entityIDs []string
	degrees   []int64
	pairs     []uint64 // of entities, by their numbers: from in the upper half
	types     []string
	relTypes  []string
}

// Now implements kgl.Clock with the time of the row that is made.
func (g *graphRows) Now() time.Time { return g.now }

func newGraph(cfg GraphConfig) *graphRows {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], cfg.Seed)
	g := &graphRows{
		cfg: cfg, rng: rand.New(rand.NewChaCha8(seed)), entityIDs: make([]string, cfg.Entities), degrees: make([]int64, cfg.Entities),
		types: strings.Fields(entityTypes), relTypes: strings.Fields(relationTypes),
	}
	seed[31] = 1
	g.ids = kgl.NewUUIDv7(g, rand.NewChaCha8(seed))
	g.pairs = drawPairs(g.rng, cfg.Entities, cfg.Relationships)
	for _, p := range g.pairs {
		g.degrees[p>>32]++
		g.degrees[uint32(p)]++
	}
	return g
}

// drawPairs returns n different pairs of different numbers below size, in no
// order. Numbers come up by Zipf's law, but which ones come up often is random.
func drawPairs(r *rand.Rand, size, n int) []uint64 {
	cumulated, total := make([]float64, size), 0.0
	for i := range cumulated {
		total += math.Pow(float64(i+1), -graphSkew)
		cumulated[i] = total
	}
	ranks := r.Perm(size)
	draw := func() uint64 {
		i, _ := slices.BinarySearch(cumulated, r.Float64()*total)
		return uint64(ranks[min(i, size-1)])
	}
	pairs := make([]uint64, 0, n)
	for len(pairs) < n {
		for range n - len(pairs) {
			if from, to := draw(), draw(); from != to {
				pairs = append(pairs, from<<32|to)
			}
		}
		slices.Sort(pairs)
		pairs = slices.Compact(pairs)
	}
	r.Shuffle(n, func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	return pairs
}

// at sets the time to that of row i of n.
func (g *graphRows) at(i, n int) int64 {
	g.now = g.cfg.Until.UTC().Add(-span + time.Duration(float64(span)*float64(i+1)/float64(n))).Truncate(time.Microsecond)
	return g.now.UnixMicro()
}

// confidence returns one of 0.5000 to 0.9999.
func (g *graphRows) confidence() float64 { return float64(5000+g.rng.IntN(5000)) / 10_000 }

func (g *graphRows) entity(i int) []any {
	at := g.at(i, g.cfg.Entities)
	g.entityIDs[i] = g.ids.NewID()
	name := entityName(i)
	return []any{g.entityIDs[i], name, kgl.NormalizeName(name), g.types[i%len(g.types)], "", `{}`, g.confidence(), kgl.ExtractorManual, int64(0),
		int64(1), at, at, g.degrees[i]}
}

func (g *graphRows) relationship(i int) []any {
	at := g.at(i, len(g.pairs))
	confidence := g.confidence()
	return []any{g.ids.NewID(), g.entityIDs[g.pairs[i]>>32], g.entityIDs[uint32(g.pairs[i])], g.relTypes[g.rng.IntN(len(g.relTypes))], confidence,
		kgl.ExtractorManual, int64(0), int64(1), at, at, confidence}
}
