package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// How many sources are in the table, and how many of them are due.
const (
	fewSources  = 1000
	manySources = 100_000
	dueSources  = 1000
)

// Claims is what it costs to claim a host with a due source, to read the source
// and to release the host, without fetching.
type Claims struct {
	Engine  string `json:"engine"`
	Sources int    `json:"sources"`
	Due     int    `json:"due"`
	Claim   Spread `json:"claim_us"` // CPU, Postgres's included
	Look    Spread `json:"look_us"`  // for due hosts when there are none
	Noise   Noise  `json:"noise"`
}

// claims measures claims among few and among many sources in turn.
func (b *bench) claims(ctx context.Context, engine string) (err error) {
	sizes := []int{fewSources, manySources}
	var workers []*claimer
	defer func() {
		for _, w := range workers {
			err = errors.Join(err, w.close())
		}
	}()
	for _, sources := range sizes {
		w, err := b.claimer(ctx, engine, sources)
		if err != nil {
			return fmt.Errorf("%d sources: %w", sources, err)
		}
		workers = append(workers, w)
	}
	rounds := b.rounds(3, 5)
	rows, claim, look := make([]Claims, len(sizes)), make([][]float64, len(sizes)), make([][]float64, len(sizes))
	for range rounds {
		for i, w := range workers {
			for _, work := range []struct {
				name string
				us   *[]float64
			}{{"claim", &claim[i]}, {"look", &look[i]}} {
				us, noise, err := w.work(work.name, b.postgresPID(engine))
				if err != nil {
					return fmt.Errorf("%s among %d sources: %w", work.name, sizes[i], err)
				}
				*work.us = append(*work.us, us)
				rows[i].Noise.add(noise, 2*rounds)
			}
		}
	}
	for i, sources := range sizes {
		rows[i].Engine, rows[i].Sources, rows[i].Due, rows[i].Claim, rows[i].Look = engine, sources, dueSources, spread(claim[i]), spread(look[i])
		b.report.Claims = append(b.report.Claims, rows[i])
		b.say("  %d sources: claim %.0f us, look %.0f us", sources, rows[i].Claim.Median, rows[i].Look.Median)
	}
	return nil
}

// claimer is the program claimdue, which waits to be told what to do.
type claimer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// claimer starts claimdue on a new database with a number of sources.
func (b *bench) claimer(ctx context.Context, engine string, sources int) (*claimer, error) {
	databaseURL, err := b.database(ctx, engine, "claims-"+strconv.Itoa(sources))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "claimdue"), "-sources", strconv.Itoa(sources), "-due", strconv.Itoa(dueSources))
	cmd.Env, cmd.Stderr = append(os.Environ(), "KGL_DATABASE_URL="+databaseURL), os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &claimer{cmd: cmd, in: in, out: bufio.NewReader(out)}
	if line, err := w.out.ReadString('\n'); err != nil || line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("claimdue said %q", line), err, w.close())
	}
	return w, b.settle(ctx, engine)
}

// work has claimdue do one kind of work and returns the CPU microseconds of one
// unit of it.
func (w *claimer) work(what string, postmaster int) (us float64, noise Noise, err error) {
	if what == "claim" { // making sources due is no part of what is measured
		if err := w.say("prepare"); err != nil {
			return 0, Noise{}, err
		}
		if _, err := w.answer(); err != nil {
			return 0, Noise{}, err
		}
	}
	window := measure([]int{w.cmd.Process.Pid, postmaster})
	if err := w.say(what); err != nil {
		return 0, Noise{}, err
	}
	units, err := w.answer()
	if err != nil {
		return 0, Noise{}, err
	}
	if units == 0 {
		return 0, Noise{}, errors.New("claimdue did nothing")
	}
	cpu, _, noise := window.end()
	return sum(cpu) * 1e6 / float64(units), noise, nil
}

func (w *claimer) say(what string) error {
	_, err := io.WriteString(w.in, what+"\n")
	return err
}

// answer reads how many units of work were done.
func (w *claimer) answer() (int, error) {
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	var done struct {
		Units int    `json:"units"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(line, &done); err != nil {
		return 0, fmt.Errorf("claimdue said %q", line)
	}
	if done.Error != "" {
		return 0, errors.New(done.Error)
	}
	return done.Units, nil
}

// close ends the program, which does so when its input ends.
func (w *claimer) close() error {
	_ = w.in.Close()
	timer := time.AfterFunc(20*time.Second, func() { _ = w.cmd.Process.Kill() })
	defer timer.Stop()
	return w.cmd.Wait()
}
