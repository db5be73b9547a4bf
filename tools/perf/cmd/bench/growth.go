package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/load"
)

// Growth is what one kind of work costs at several sizes of the data.
type Growth struct {
	Engine string   `json:"engine"`
	Kind   string   `json:"kind"`
	Unit   string   `json:"unit"`
	Items  []int    `json:"items"`
	US     []Spread `json:"cpu_us"` // CPU microseconds by size, Postgres included
	To30k  *Spread  `json:"ratio_100k_to_30k,omitempty"`
	Noise  Noise    `json:"noise"`
}

// grown are the requests whose cost is followed.
var grown = []string{"list20", "list20-summary", "list20-source", "list20-status", "get", "entities20", "entity-relationships", "dashboard"}

// site is a service on a filled database.
type site struct {
	items   int
	service *process
	lists   string
}

// growth runs a service for each size at the same time, and measures them in
// turn, so that the noise of the machine hits all sizes alike.
func (b *bench) growth(ctx context.Context, engine string) (err error) {
	var sites []site
	defer func() {
		for _, s := range sites {
			err = errors.Join(err, stopAll(s.service))
		}
	}()
	farm, err := b.farm(ctx, farmSize{feeds: deltaFeeds * len(b.sizes), items: itemsPerFeed, hosts: ingestHosts})
	defer func() { err = errors.Join(err, stopAll(farm)) }()
	if err != nil {
		return err
	}
	for _, items := range b.sizes {
		s, err := b.site(ctx, engine, items)
		if s.service != nil {
			sites = append(sites, s)
		}
		if err != nil {
			return err
		}
	}
	var failures []error
	for _, kind := range grown {
		g, err := b.grow(ctx, engine, kind, sites)
		if err != nil { // the others can be measured all the same
			failures = append(failures, fmt.Errorf("%s: %w", kind, err))
			continue
		}
		b.report.Growths = append(b.report.Growths, g)
	}
	g, err := b.growIngest(ctx, engine, sites, farm)
	if err != nil {
		return errors.Join(append(failures, fmt.Errorf("ingestion: %w", err))...)
	}
	b.report.Growths = append(b.report.Growths, g)
	return errors.Join(failures...)
}

func (b *bench) site(ctx context.Context, engine string, items int) (site, error) {
	s := site{items: items}
	databaseURL, err := b.filled(ctx, engine, items)
	if err != nil {
		return s, err
	}
	if s.service, err = b.serve(ctx, fmt.Sprintf("growth-%s-%d", engine, items), databaseURL, "api,ingest"); err != nil {
		return s, err
	}
	client, err := b.login(s.service)
	if err != nil {
		return s, err
	}
	s.lists, err = b.lists(s.service, client)
	return s, err
}

func (b *bench) grow(ctx context.Context, engine, kind string, sites []site) (Growth, error) {
	g := Growth{Engine: engine, Kind: kind, Unit: "request"}
	var loads []*load.Scenario
	for _, s := range sites {
		if _, err := b.login(s.service); err != nil { // each service has keys of its own
			return g, err
		}
		sc, err := b.scenario("reads", s.service.base, s.lists, kind)
		if err != nil {
			return g, err
		}
		loads = append(loads, sc)
		g.Items = append(g.Items, s.items)
	}
	postmaster := b.postgresPID(engine)
	rounds, lasting := b.rounds(3, 4), b.lasting(time.Second, 1200*time.Millisecond)
	us := make([][]float64, len(sites))
	for round := range rounds + 1 {
		for i, s := range sites {
			cpu, noise, err := cost(ctx, loads[i], lasting, []int{s.service.pid(), postmaster})
			if err != nil {
				return g, err
			}
			if round > 0 {
				us[i] = append(us[i], sum(cpu)*1e6)
				g.Noise.add(noise, rounds*len(sites))
			}
		}
	}
	g.fill(us)
	b.say("  %s: %s", kind, g.text())
	return g, nil
}

// fill sums the rounds up, and compares 100,000 with 30,000 round by round.
func (g *Growth) fill(us [][]float64) {
	small, large := -1, -1
	for i, items := range g.Items {
		g.US = append(g.US, spread(us[i]))
		switch items {
		case 30_000:
			small = i
		case 100_000:
			large = i
		}
	}
	if small < 0 || large < 0 {
		return
	}
	var ratios []float64
	for round := range us[small] {
		ratios = append(ratios, us[large][round]/us[small][round])
	}
	s := spread(ratios)
	g.To30k = &s
}

func (g *Growth) text() string {
	text := ""
	for i, items := range g.Items {
		text += fmt.Sprintf("%d: %.0f us; ", items, g.US[i].Median)
	}
	return text
}
