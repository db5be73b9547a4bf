package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/peermesh/kgl-backend/tools/perf/internal/kglapi"
)

const (
	ingestFeeds  = 1000
	itemsPerFeed = 30
	tickItems    = 3  // of 30: a tenth new
	deltaFeeds   = 20 // feeds that a filled database gains
	ingestHosts  = 20
	unchanged304 = 3 // passes of one round: a single one is short
)

// The phases of a round of ingestion.
const (
	phaseCold      = "cold"
	phaseUnchanged = "unchanged"
	phaseTenth     = "tenth"
)

// Ingest is one phase of ingestion, summed up over the rounds.
type Ingest struct {
	Engine  string       `json:"engine"`
	Phase   string       `json:"phase"`
	Feeds   int          `json:"feeds"`
	Items   int          `json:"items"`         // that the documents hold, or that are new in the phase tenth
	Service Spread       `json:"service_us"`    // CPU of the service for one feed
	DB      Spread       `json:"postgres_us"`   // and of Postgres
	Total   Spread       `json:"us"`            // both, round by round
	Wall    Spread       `json:"feeds_per_s"`   // by the wall clock
	Bounds  []IngestRate `json:"bounds"`        // what the phase is compared with
	Checked int          `json:"items_checked"` // against what the farm published, in all rounds
	Memory  Memory       `json:"memory"`
	Noise   Noise        `json:"noise"`
}

// IngestRate is a bound beside what was measured.
type IngestRate struct {
	Name  string `json:"name"`
	US    Spread `json:"us"`    // CPU of the bound for one item
	Ratio Spread `json:"ratio"` // of the service's CPU to it, round by round
}

// bound returns the comparison with a bound by its name.
func (v *Ingest) bound(name string) *IngestRate {
	for i := range v.Bounds {
		if v.Bounds[i].Name == name {
			return &v.Bounds[i]
		}
	}
	return nil
}

// ingest measures the three phases and their bounds, round by round.
func (b *bench) ingest(ctx context.Context, engine string) error {
	phases := map[string]*phase{phaseCold: {}, phaseUnchanged: {}, phaseTenth: {}}
	var bounds boundRounds
	for round := range b.rounds(3, 4) {
		if err := b.measureBounds(ctx, engine, &bounds); err != nil {
			return fmt.Errorf("the bounds: %w", err)
		}
		if err := b.ingestRound(ctx, engine, phases); err != nil {
			return err
		}
		b.say("  round %d: CPU us: cold %.0f an item; unchanged %.0f a feed; a tenth new %.0f a feed; bounds an item: %s", round+1,
			phases[phaseCold].last()/itemsPerFeed, phases[phaseUnchanged].last(), phases[phaseTenth].last(), bounds.text())
	}
	for _, name := range []string{phaseCold, phaseUnchanged, phaseTenth} {
		row := phases[name].sum()
		row.Engine, row.Phase, row.Feeds = engine, name, b.feeds
		switch name {
		case phaseCold:
			row.Bounds = phases[name].compare(bounds, boundFullText, boundPlain)
		case phaseTenth:
			row.Bounds = phases[name].compare(bounds, boundParse)
		}
		b.report.Ingests = append(b.report.Ingests, row)
	}
	return nil
}

// phase collects the rounds of one phase, for one feed.
type phase struct {
	items, checked     int
	service, db, total []float64 // CPU us
	wall               []float64 // feeds per second
	memory             Memory
	noise              Noise
}

// add takes one round in: CPU seconds of the service and of Postgres.
func (p *phase) add(feeds int, cpu []float64, wall float64, noise Noise) {
	p.service = append(p.service, cpu[0]*1e6/float64(feeds))
	p.db = append(p.db, cpu[1]*1e6/float64(feeds))
	p.total = append(p.total, sum(cpu)*1e6/float64(feeds))
	p.wall = append(p.wall, float64(feeds)/wall)
	p.noise.add(noise, 1)
}

func (p *phase) last() float64 { return p.total[len(p.total)-1] }

func (p *phase) sum() Ingest {
	row := Ingest{Items: p.items, Checked: p.checked, Service: spread(p.service), DB: spread(p.db), Total: spread(p.total), Wall: spread(p.wall), Memory: p.memory}
	row.Noise.add(p.noise, len(p.total))
	return row
}

// compare gives the ratios to some bounds, for which an item counts, round by
// round.
func (p *phase) compare(bounds boundRounds, names ...string) (list []IngestRate) {
	for _, name := range names {
		var ratios []float64
		for i, us := range bounds[name] {
			ratios = append(ratios, p.total[i]/itemsPerFeed/us)
		}
		list = append(list, IngestRate{Name: name, US: spread(slices.Clone(bounds[name])), Ratio: spread(ratios)})
	}
	return list
}

// ingestRound ingests the farm's feeds into an empty database, then again
// unchanged, then with a tenth of new items, and compares what is stored with
// what was published.
func (b *bench) ingestRound(ctx context.Context, engine string, phases map[string]*phase) (err error) {
	farm, err := b.farm(ctx, farmSize{feeds: b.feeds, items: itemsPerFeed, hosts: ingestHosts})
	defer func() { err = errors.Join(err, stopAll(farm)) }()
	if err != nil {
		return err
	}
	run, err := b.subscribed(ctx, engine, "ingest", farm, b.feeds)
	defer func() { err = errors.Join(err, run.close()) }()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name   string
		passes int
		items  int
	}{{phaseCold, 1, b.feeds * itemsPerFeed}, {phaseUnchanged, unchanged304, b.feeds * itemsPerFeed}, {phaseTenth, 1, b.feeds * tickItems}} {
		if step.name == phaseTenth {
			if err := errors.Join(farmPost(farm, "/_farm/tick?feeds=1&items="+strconv.Itoa(tickItems)), farmPost(farm, "/_farm/prewarm")); err != nil {
				return err
			}
		}
		p := phases[step.name]
		p.items = step.items
		if err := run.passes(ctx, step.passes, p); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		n, err := run.checkTruth(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		p.checked += n
	}
	return nil
}

// wake makes the service look for due sources now: it asks to refresh one of them.
func wake(client *kglapi.Client) error {
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := client.Get("/api/v1/sources?limit=1", &list); err != nil {
		return err
	}
	if len(list.Data) == 0 {
		return errors.New("the service watches no source")
	}
	return client.Post("/api/v1/sources/" + list.Data[0].ID + "/refresh")
}
