package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/load"
)

// kinds are the requests that the reference server answers too.
var kinds = []string{"list20", "list20-summary", "get"}

// Ratio compares what one kind of request costs, CPU time of Postgres included.
type Ratio struct {
	Engine        string   `json:"engine"`
	Items         int      `json:"items"`
	Kind          string   `json:"kind"`
	Rounds        int      `json:"rounds"`
	Service       Spread   `json:"service_us"`
	Reference     Spread   `json:"reference_us"`      // checks every token
	Remembering   Spread   `json:"remembering_us"`    // remembers checked tokens
	ToReference   Spread   `json:"ratio"`             // round by round
	ToRemembering Spread   `json:"ratio_remembering"` // round by round
	PostgresShare *float64 `json:"postgres_share,omitempty"`
	Noise         Noise    `json:"noise"`
}

// ratio measures the service and the two forms of the reference in turn, on one
// database.
func (b *bench) ratio(ctx context.Context, engine string) (err error) {
	items := b.largest(100_000)
	databaseURL, err := b.filled(ctx, engine, items)
	if err != nil {
		return err
	}
	service, err := b.serve(ctx, "ratio-"+engine, databaseURL, "api")
	defer func() { err = errors.Join(err, stopAll(service)) }()
	if err != nil {
		return err
	}
	client, err := b.login(service)
	if err != nil {
		return err
	}
	lists, err := b.lists(service, client)
	if err != nil {
		return err
	}
	each, err := b.reference(ctx, "each", databaseURL, service)
	defer func() { err = errors.Join(err, stopAll(each)) }()
	if err != nil {
		return err
	}
	once, err := b.reference(ctx, "once", databaseURL, service)
	defer func() { err = errors.Join(err, stopAll(once)) }()
	if err != nil {
		return err
	}
	for _, reference := range []*process{each, once} {
		if err := sameAnswers(client, reference, lists); err != nil {
			return err
		}
	}
	for _, kind := range kinds {
		r, err := b.compare(ctx, engine, kind, lists, service, each, once)
		if err != nil {
			return err
		}
		r.Items = items
		b.report.Ratios = append(b.report.Ratios, r)
		b.say("  %s: service %.0f us, %.2f times the reference (%.2f when it remembers tokens)", kind, r.Service.Median, r.ToReference.Median, r.ToRemembering.Median)
	}
	return nil
}

// reference starts the reference server; tokens is each or once.
func (b *bench) reference(ctx context.Context, tokens, databaseURL string, service *process) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, "reference-"+tokens, "reference", "http://"+addr+"/ready", []string{"KGL_DATABASE_URL=" + databaseURL},
		"-addr", addr, "-jwks", service.base+"/.well-known/jwks.json", "-tokens", tokens)
	if p != nil {
		p.base = "http://" + addr
	}
	return p, err
}

// compare measures one kind of request round by round.
func (b *bench) compare(ctx context.Context, engine, kind, lists string, service, each, once *process) (Ratio, error) {
	servers := []*process{service, each, once}
	var loads []*load.Scenario
	for i, p := range servers {
		name := "reads"
		if i > 0 {
			name = "reference"
		}
		s, err := b.scenario(name, p.base, lists, kind)
		if err != nil {
			return Ratio{}, err
		}
		loads = append(loads, s)
	}
	postmaster := b.postgresPID(engine)
	r := Ratio{Engine: engine, Kind: kind, Rounds: b.rounds(5, 7)}
	lasting := b.lasting(1500*time.Millisecond, 2*time.Second)
	us := make([][]float64, len(servers))
	var ratios, remembering, share []float64
	for round := range r.Rounds + 1 {
		for i, p := range servers {
			cpu, noise, err := cost(ctx, loads[i], lasting, []int{p.pid(), postmaster})
			if err != nil {
				return r, err
			}
			if round == 0 {
				continue // caches and pools fill
			}
			us[i] = append(us[i], sum(cpu)*1e6)
			r.Noise.add(noise, r.Rounds*len(servers))
			if i == 0 {
				share = append(share, cpu[1]/sum(cpu))
			}
		}
		if round > 0 {
			last := round - 1
			ratios = append(ratios, us[0][last]/us[1][last])
			remembering = append(remembering, us[0][last]/us[2][last])
		}
	}
	r.Service, r.Reference, r.Remembering = spread(us[0]), spread(us[1]), spread(us[2])
	r.ToReference, r.ToRemembering = spread(ratios), spread(remembering)
	if postmaster != 0 {
		median := spread(share).Median
		r.PostgresShare = &median
	}
	return r, nil
}

// Spread is the median, least and most of some rounds.
type Spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"min"`
	Most   float64 `json:"max"`
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	median := v[len(v)/2]
	if len(v)%2 == 0 {
		median = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return Spread{Median: median, Least: v[0], Most: v[len(v)-1]}
}

// add adds the share of one of n measurements to a mean.
func (n *Noise) add(other Noise, of int) {
	n.Others += other.Others / float64(of)
	n.Stolen += other.Stolen / float64(of)
}
