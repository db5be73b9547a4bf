package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

const (
	passItems    = 3  // of a feed: what is measured is the feeds
	feedsPerHost = 50 // of a farm
)

// Pass is what fetching all of a number of sources costs.
type Pass struct {
	Engine    string `json:"engine"`
	Sources   int    `json:"sources"`
	Hosts     int    `json:"hosts"`
	Cold      Spread `json:"cold_us"`         // CPU for one source, the first time
	Unchanged Spread `json:"unchanged_us"`    // and when all answer 304
	DBShare   Spread `json:"postgres_us"`     // of the latter, Postgres's
	Wall      Spread `json:"unchanged_per_s"` // sources a second, by the wall clock
	Memory    Memory `json:"memory"`
	Noise     Noise  `json:"noise"`
}

// passes measures passes over ever more sources, and over the fewest of them
// when each is alone on its host.
func (b *bench) passes(ctx context.Context, engine string) error {
	for _, sources := range b.sources {
		if err := b.passesOf(ctx, engine, sources, max(sources/feedsPerHost, 1)); err != nil {
			return fmt.Errorf("%d sources: %w", sources, err)
		}
	}
	least := slices.Min(b.sources)
	return b.passesOf(ctx, engine, least, least)
}

// passesOf fetches a number of new sources, and then some times again while
// nothing changes.
func (b *bench) passesOf(ctx context.Context, engine string, sources, hosts int) (err error) {
	farm, err := b.farm(ctx, farmSize{feeds: sources, items: passItems, hosts: hosts})
	defer func() { err = errors.Join(err, stopAll(farm)) }()
	if err != nil {
		return err
	}
	run, err := b.subscribed(ctx, engine, "passes", farm, sources)
	defer func() { err = errors.Join(err, run.close()) }()
	if err != nil {
		return err
	}
	var cold, unchanged phase
	if err := run.passes(ctx, 1, &cold); err != nil {
		return fmt.Errorf("cold: %w", err)
	}
	// As many rounds as make a few thousand fetches each.
	for range 3 {
		if err := run.passes(ctx, max(1, 3000/sources), &unchanged); err != nil {
			return fmt.Errorf("unchanged: %w", err)
		}
	}
	if _, err := run.checkTruth(ctx); err != nil {
		return err
	}
	row := Pass{
		Engine: engine, Sources: sources, Hosts: hosts, Cold: spread(cold.total), Unchanged: spread(unchanged.total), DBShare: spread(unchanged.db),
		Wall: spread(unchanged.wall), Memory: unchanged.memory,
	}
	row.Noise.add(unchanged.noise, len(unchanged.total))
	b.report.Passes = append(b.report.Passes, row)
	b.say("  %d sources on %d hosts: CPU us a source: cold %.0f, unchanged %.0f", sources, hosts, row.Cold.Median, row.Unchanged.Median)
	return nil
}
