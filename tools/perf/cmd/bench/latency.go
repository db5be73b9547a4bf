package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/load"
)

// The rate that the service is asked to hold.
const (
	openRate  = 300 // requests a second
	openConns = 100
)

// LatencyRun is one open loop over the mix of reads.
type LatencyRun struct {
	Engine string      `json:"engine"`
	Items  int         `json:"items"`
	Result load.Result `json:"result"`
	CPU    float64     `json:"service_cores"`  // cores that the service kept busy
	DBCPU  float64     `json:"postgres_cores"` // and Postgres
	Noise  Noise       `json:"noise"`
	Memory Memory      `json:"memory"`
	Idle   Memory      `json:"memory_idle"` // after the start and the first login
}

// latency drives the mix of reads at a fixed rate.
func (b *bench) latency(ctx context.Context, engine string) error {
	for _, items := range b.sizes {
		if items != 10_000 && items != b.largest(100_000) && items != b.sizes[len(b.sizes)-1] {
			continue
		}
		run, err := b.open(ctx, engine, items)
		if err != nil {
			return err
		}
		b.report.Latencies = append(b.report.Latencies, run)
		l := run.Result.Latency
		b.say("  %d items: p50 %.1f, p95 %.1f, p99 %.1f ms (late p99 %.1f), %d failed, %.0f MB", items, l.P50, l.P95, l.P99, run.Result.Late.P99,
			run.Result.Errors, run.Memory.Peak)
	}
	return nil
}

func (b *bench) open(ctx context.Context, engine string, items int) (run LatencyRun, err error) {
	databaseURL, err := b.filled(ctx, engine, items)
	if err != nil {
		return run, err
	}
	service, err := b.serve(ctx, fmt.Sprintf("latency-%s-%d", engine, items), databaseURL, "api")
	defer func() { err = errors.Join(err, stopAll(service)) }()
	if err != nil {
		return run, err
	}
	client, err := b.login(service)
	if err != nil {
		return run, err
	}
	run = LatencyRun{Engine: engine, Items: items}
	if run.Idle, err = memory(service.pid()); err != nil {
		return run, err
	}
	lists, err := b.lists(service, client)
	if err != nil {
		return run, err
	}
	s, err := b.scenario("reads", service.base, lists, "")
	if err != nil {
		return run, err
	}
	postmaster := b.postgresPID(engine)
	o := load.Options{Rate: openRate, Conns: openConns, Duration: 3 * time.Second, Timeout: requestTimeout, Seed: 1}
	s.Run(o) // caches and pools fill
	o.Duration, o.Seed = b.lasting(15*time.Second, 20*time.Second), 2
	w := measure([]int{service.pid(), postmaster})
	run.Result = s.Run(o)
	cpu, wall, noise := w.end()
	run.CPU, run.DBCPU, run.Noise = cpu[0]/wall, cpu[1]/wall, noise
	if run.Memory, err = memory(service.pid()); err != nil {
		return run, err
	}
	return run, ctx.Err()
}
