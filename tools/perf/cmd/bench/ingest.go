package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/kglapi"
)

const (
	itemsPerFeed = 30
	deltaFeeds   = 20 // feeds that a filled database gains
	tickItems    = 3  // of 30: a tenth new
	phaseLimit   = 5 * time.Minute
)

// Ingest is one phase of ingestion, summed up over the rounds.
type Ingest struct {
	Engine  string  `json:"engine"`
	Phase   string  `json:"phase"` // cold, unchanged, tenth
	Feeds   int     `json:"feeds"`
	Items   int     `json:"items"`       // that the documents hold, or that are new in the phase tenth
	Service Spread  `json:"service_us"`  // CPU of the service for one item
	DB      Spread  `json:"postgres_us"` // and of Postgres
	Wall    Spread  `json:"items_per_s"` // by the wall clock
	Bound   *Spread `json:"bound_us"`    // CPU of parse + sanitise + insert alone for one item
	Ratio   *Spread `json:"ratio"`       // round by round
	Stored  Spread  `json:"feeds_per_s"` // documents, or answers 304
	Memory  Memory  `json:"memory"`
	Noise   Noise   `json:"noise"`
}

// farm starts a feed farm on a port of its own.
func (b *bench) farm(ctx context.Context, feeds, items int) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(addr, ":")
	base := "http://127.0.0.1:" + port
	p, err := b.start(ctx, "farm", "feedfarm", base+"/_farm/stats", nil, "-feeds", strconv.Itoa(feeds), "-items", strconv.Itoa(items), "-port", port)
	if p != nil {
		p.base = base
	}
	return p, err
}

// ingest measures the three phases and their bound, round by round.
func (b *bench) ingest(ctx context.Context, engine string) error {
	feeds, rounds := 300, b.rounds(3, 4)
	var phases [3]phase
	var bounds []float64
	for round := range rounds {
		bound, err := b.bound(ctx, engine)
		if err != nil {
			return fmt.Errorf("the bound: %w", err)
		}
		bounds = append(bounds, bound)
		if err := b.ingestRound(ctx, engine, feeds, &phases); err != nil {
			return err
		}
		b.say("  round %d: cold %.0f us an item, bound %.0f us", round+1, phases[0].service[round]+phases[0].db[round], bound)
	}
	for i, name := range []string{"cold", "unchanged", "tenth"} {
		row := phases[i].sum(bounds, i == 0)
		row.Engine, row.Phase, row.Feeds = engine, name, feeds
		b.report.Ingests = append(b.report.Ingests, row)
	}
	return nil
}

// phase collects the rounds of one phase.
type phase struct {
	items                            int
	service, db, itemsWall, feedWall []float64
	memory                           Memory
	noise                            Noise
}

func (p *phase) sum(bounds []float64, bounded bool) Ingest {
	row := Ingest{Items: p.items, Service: spread(p.service), DB: spread(p.db), Wall: spread(p.itemsWall), Stored: spread(p.feedWall), Memory: p.memory}
	row.Noise = Noise{Others: p.noise.Others / float64(len(p.service)), Stolen: p.noise.Stolen / float64(len(p.service))}
	if !bounded {
		return row
	}
	var ratios []float64
	for i, bound := range bounds {
		ratios = append(ratios, (p.service[i]+p.db[i])/bound)
	}
	b, r := spread(bounds), spread(ratios)
	row.Bound, row.Ratio = &b, &r
	return row
}

// ingestRound ingests the farm's feeds into an empty database, then again
// unchanged, then with a tenth of new items.
func (b *bench) ingestRound(ctx context.Context, engine string, feeds int, phases *[3]phase) (err error) {
	farm, err := b.farm(ctx, feeds, itemsPerFeed)
	defer func() { err = errors.Join(err, stopAll(farm)) }()
	if err != nil {
		return err
	}
	service, db, err := b.subscribed(ctx, engine, farm)
	if db != nil {
		defer func() { err = errors.Join(err, db.Close()) }()
	}
	defer func() { err = errors.Join(err, stopAll(service)) }()
	if err != nil {
		return err
	}
	for i, prepare := range []func() error{
		func() error { return nil },
		func() error { return nil },
		func() error {
			return errors.Join(farmPost(farm, "/_farm/tick?feeds=1&items="+strconv.Itoa(tickItems)), farmPost(farm, "/_farm/prewarm"))
		},
	} {
		if err := prepare(); err != nil {
			return err
		}
		items := []int{feeds * itemsPerFeed, feeds * itemsPerFeed, feeds * tickItems}[i]
		if err := b.fetchAll(ctx, engine, service, farm, db, items, feeds, &phases[i]); err != nil {
			return fmt.Errorf("%s: %w", []string{"cold", "unchanged", "tenth"}[i], err)
		}
	}
	var stored int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM contents").Scan(&stored); err != nil {
		return err
	}
	if want := feeds * (itemsPerFeed + tickItems); stored != want {
		return fmt.Errorf("%d items are stored, want %d", stored, want)
	}
	return nil
}

func farmPost(farm *process, path string) error {
	answer, err := http.Post(farm.base+path, "", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("feedfarm: POST %s: %s", path, answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// subscribed starts a service on a new database that watches all feeds of the
// farm, none of which is due before fetchAll makes it.
func (b *bench) subscribed(ctx context.Context, engine string, farm *process) (*process, *sql.DB, error) {
	databaseURL, err := b.database(ctx, engine, "ingest")
	if err != nil {
		return nil, nil, err
	}
	opml, err := b.download(farm.base+"/_farm/opml", "farm.opml")
	if err != nil {
		return nil, nil, err
	}
	// A process without the role ingest subscribes, so that nothing is fetched yet.
	seeder, err := b.serve(ctx, "seed-"+engine, databaseURL, "api", "KGL_SEED_OPML="+opml)
	if err = errors.Join(err, stopAll(seeder)); err != nil {
		return nil, nil, err
	}
	db, err := connect(databaseURL)
	if err != nil {
		return nil, nil, err
	}
	if err := setDue(ctx, db, time.Now().Add(24*time.Hour)); err != nil {
		return nil, db, err
	}
	service, err := b.serve(ctx, "ingest-"+engine, databaseURL, "api,ingest")
	return service, db, err
}

func (b *bench) download(target, name string) (string, error) {
	answer, err := http.Get(target)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.work, name)
	return path, os.WriteFile(path, text, 0o600)
}

// setDue says when all sources are due, behind the service's back: asking for
// each over the API would cost more than an answer 304.
func setDue(ctx context.Context, db *sql.DB, at time.Time) error {
	for _, statement := range []string{
		"UPDATE sources SET next_fetch_at = " + strconv.FormatInt(at.UnixMicro(), 10),
		"UPDATE hosts SET not_before = 0, due_at = " + strconv.FormatInt(at.UnixMicro(), 10),
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// fetchAll makes all sources due and accounts what it takes until all were
// fetched.
func (b *bench) fetchAll(ctx context.Context, engine string, service, farm *process, db *sql.DB, items, feeds int, p *phase) error {
	client, err := b.login(service)
	if err != nil {
		return err
	}
	postmaster := 0
	if engine == "postgres" {
		postmaster = b.postmaster
	}
	started := time.Now()
	if err := setDue(ctx, db, started.Add(-time.Second)); err != nil {
		return err
	}
	w := measure([]int{service.pid(), postmaster}, farm.pid())
	if err := wake(client); err != nil {
		return err
	}
	if err := awaitFetches(ctx, db, "", started, feeds); err != nil {
		return err
	}
	cpu, wall, noise := w.end()
	p.items = items
	p.service = append(p.service, cpu[0]*1e6/float64(items))
	p.db = append(p.db, cpu[1]*1e6/float64(items))
	p.itemsWall = append(p.itemsWall, float64(items)/wall)
	p.feedWall = append(p.feedWall, float64(feeds)/wall)
	p.noise.add(noise, 1)
	p.memory, err = memory(service.pid())
	return err
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

// awaitFetches waits until a number of sources were fetched since a moment.
// with narrows the sources down.
func awaitFetches(ctx context.Context, db *sql.DB, with string, since time.Time, want int) error {
	ctx, cancel := context.WithTimeout(ctx, phaseLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	query := "SELECT COUNT(*) FROM sources WHERE last_success_at >= " + strconv.FormatInt(since.UnixMicro(), 10) + with
	for {
		var n int
		err := db.QueryRowContext(ctx, query).Scan(&n)
		if err == nil && n >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d sources were fetched: %w", n, want, errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}

// bound returns the CPU microseconds of one item when documents like the farm's
// are parsed, sanitised and stored, and nothing else is done.
func (b *bench) bound(ctx context.Context, engine string) (float64, error) {
	args := []string{"-rounds", "1", "-each", b.lasting(3*time.Second, 5*time.Second).String(), "-dir", b.work, "-only", "pipeline/parse+sanitise+sqlite-full-sync"}
	if engine == "postgres" {
		databaseURL, err := b.database(ctx, engine, "limits")
		if err != nil {
			return 0, err
		}
		args = []string{"-rounds", "1", "-each", b.lasting(3*time.Second, 5*time.Second).String(), "-pg", databaseURL,
			"-pgpid", strconv.Itoa(b.postmaster), "-only", "pipeline/parse+sanitise+pg-plain"}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "limits"), args...)
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("limits: %w", err)
	}
	var block struct {
		US Spread `json:"cpu_us_per_unit"`
	}
	if err := json.Unmarshal(out, &block); err != nil {
		return 0, fmt.Errorf("limits: %w: %s", err, out)
	}
	return block.US.Median, nil
}
