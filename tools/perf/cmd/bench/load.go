package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/kglapi"
	"github.com/peermesh/kgl-backend/tools/perf/internal/load"
)

const (
	adminEmail     = "admin@kgl.local"
	requestTimeout = 20 * time.Second
	closedConns    = 8 // connections of a closed loop: enough to keep two cores busy
)

// login logs in to a service, and puts the token where scenarios look for it.
func (b *bench) login(p *process) (*kglapi.Client, error) {
	client, err := kglapi.Login(p.base, adminEmail, b.password())
	if err != nil {
		return nil, fmt.Errorf("log in to %s: %w", p.name, err)
	}
	return client, os.Setenv("TOKEN", client.Token())
}

// lists writes the values of the scenarios for a service, and returns their folder.
func (b *bench) lists(p *process, client *kglapi.Client) (string, error) {
	dir := filepath.Join(b.work, p.name+"-lists")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// What the dashboard reads is spread over a large file, which is read from the disk once.
	if err := client.Get("/api/v1/dashboard", nil); err != nil {
		return "", err
	}
	return dir, client.Lists(dir)
}

// scenario reads one of the scenarios for a base URL, or one kind of its requests.
func (b *bench) scenario(name, base, lists, only string) (*load.Scenario, error) {
	if err := os.Setenv("LISTS", lists); err != nil {
		return nil, err
	}
	s, err := load.Read(filepath.Join(b.root, "tools", "perf", "scenarios", name+".json"), base)
	if err != nil {
		return nil, err
	}
	if only != "" {
		if err := s.Only(only); err != nil {
			return nil, err
		}
	}
	return s, s.Check(requestTimeout)
}

// cost drives a scenario in a closed loop and returns the CPU seconds of each
// process for one request.
func cost(ctx context.Context, s *load.Scenario, lasting time.Duration, pids []int, apart ...int) ([]float64, Noise, error) {
	if ctx.Err() != nil {
		return nil, Noise{}, ctx.Err()
	}
	w := measure(pids, apart...)
	r := s.Run(load.Options{Duration: lasting, Conns: closedConns, Timeout: requestTimeout, Seed: 1})
	cpu, _, noise := w.end()
	if r.Errors > 0 || r.Requests == 0 {
		return nil, noise, fmt.Errorf("%d of %d requests failed: %v", r.Errors, r.Requests, r.ErrorTexts)
	}
	for i := range cpu {
		cpu[i] /= float64(r.Requests)
	}
	return cpu, noise, nil
}
