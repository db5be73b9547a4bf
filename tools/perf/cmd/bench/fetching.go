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

// phaseLimit bounds one pass over all sources.
const phaseLimit = 5 * time.Minute

// farmSize is how many feeds a farm has, of how many items, on how many hosts.
type farmSize struct{ feeds, items, hosts int }

// farm starts a feed farm on a port of its own, and has it render its documents.
func (b *bench) farm(ctx context.Context, size farmSize) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(addr, ":")
	base := "http://127.0.0.1:" + port
	p, err := b.start(ctx, "farm", "feedfarm", base+"/_farm/stats", nil, "-feeds", strconv.Itoa(size.feeds), "-items", strconv.Itoa(size.items),
		"-hosts", strconv.Itoa(size.hosts), "-port", port, "-prewarm=false")
	if p != nil {
		p.base = base
	}
	if err == nil {
		err = farmPost(p, "/_farm/prewarm")
	}
	return p, err
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

// farmAnswers returns how many requests for feeds a farm has answered.
func farmAnswers(farm *process) (int, error) {
	answer, err := http.Get(farm.base + "/_farm/stats")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var stats struct {
		Requests int `json:"requests"`
	}
	return stats.Requests, json.NewDecoder(answer.Body).Decode(&stats)
}

// fetching is a service that watches all feeds of a farm, none of which is due
// before a pass makes it.
type fetching struct {
	b             *bench
	engine        string
	feeds         int
	farm, service *process
	client        *kglapi.Client // of a login at another process, so that the memory for it is none of the service's
	db            *sql.DB
}

// subscribed starts a service on a new database that watches all feeds of a farm.
func (b *bench) subscribed(ctx context.Context, engine, name string, farm *process, feeds int) (run *fetching, err error) {
	run = &fetching{b: b, engine: engine, farm: farm, feeds: feeds}
	databaseURL, err := b.database(ctx, engine, name)
	if err != nil {
		return run, err
	}
	// A process without the role ingest makes the database, so that nothing is fetched yet.
	maker, err := b.serve(ctx, name+"-"+engine, databaseURL, "api")
	if err == nil {
		run.client, err = b.login(maker)
	}
	if err = errors.Join(err, stopAll(maker)); err != nil {
		return run, err
	}
	for from := 0; from < feeds; from += listLimit {
		if err := b.importList(ctx, databaseURL, fmt.Sprintf("%s/_farm/opml?from=%d&n=%d", farm.base, from, listLimit)); err != nil {
			return run, err
		}
	}
	if run.db, err = connect(databaseURL); err != nil {
		return run, err
	}
	if n, err := run.count(ctx, "SELECT COUNT(*) FROM sources"); err != nil || n != feeds {
		return run, errors.Join(fmt.Errorf("%d sources were subscribed, want %d", n, feeds), err)
	}
	if err := errors.Join(run.setDue(ctx, time.Now().Add(24*time.Hour)), run.setHostsDue(ctx)); err != nil {
		return run, err
	}
	if run.service, err = b.serve(ctx, name+"-"+engine, databaseURL, "api,ingest"); err == nil {
		run.client = run.client.At(run.service.base)
	}
	return run, err
}

// listLimit is how many feeds a list may have that is imported at once.
const listLimit = 20_000

// importList subscribes a list of feeds.
func (b *bench) importList(ctx context.Context, databaseURL, list string) error {
	opml, err := b.download(list, "farm.opml")
	if err != nil {
		return err
	}
	env, err := b.environment("import", databaseURL)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "kgl"), "source", "import", opml)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kgl source import: %w\n%s", err, out)
	}
	return nil
}

// close stops the service.
func (f *fetching) close() error {
	err := stopAll(f.service)
	if f.db != nil {
		err = errors.Join(err, f.db.Close())
	}
	return err
}

func (f *fetching) count(ctx context.Context, query string) (n int, err error) {
	err = f.db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
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

// setDue says when the sources are due, behind the service's back: asking for
// each over the API would cost more than an answer 304. They are due within the
// second before, one after the other, as sources are that were fetched so. What
// writing all rows at once leaves to clean up is cleaned up before anything is
// measured: no service writes so. The service finds them due once setHostsDue
// was called, unless it is later that they are due.
func (f *fetching) setDue(ctx context.Context, at time.Time) error {
	statements := []string{"UPDATE sources SET next_fetch_at = " + strconv.FormatInt(at.UnixMicro(), 10) + " - created_at % 1000000"}
	if f.engine == "postgres" {
		statements = append(statements, "VACUUM (ANALYZE) sources, hosts", "CHECKPOINT")
	}
	return f.exec(ctx, statements...)
}

func (f *fetching) setHostsDue(ctx context.Context) error {
	return f.exec(ctx, "UPDATE hosts SET not_before = 0, due_at = (SELECT MIN(s.next_fetch_at) FROM sources s WHERE s.host = hosts.host)")
}

func (f *fetching) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := f.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// passes fetches all sources a number of times and accounts what one pass
// takes, as one round of a phase.
func (f *fetching) passes(ctx context.Context, times int, p *phase) error {
	var cpu [2]float64
	var wall float64
	var noise Noise
	for range times {
		c, w, n, err := f.pass(ctx)
		if err != nil {
			return err
		}
		cpu[0], cpu[1], wall = cpu[0]+c[0], cpu[1]+c[1], wall+w
		noise.add(n, times)
	}
	p.add(times*f.feeds, cpu[:], wall, noise)
	var err error
	p.memory, err = memory(f.service.pid())
	return err
}

// pass makes all sources due and returns what it takes until all were fetched:
// CPU seconds of the service and of Postgres, and the wall time.
func (f *fetching) pass(ctx context.Context) (cpu []float64, wall float64, noise Noise, err error) {
	started := time.Now()
	if err := f.setDue(ctx, started.Add(-time.Second)); err != nil {
		return nil, 0, Noise{}, err
	}
	answered, err := farmAnswers(f.farm)
	if err != nil {
		return nil, 0, Noise{}, err
	}
	w := measure([]int{f.service.pid(), f.b.postgresPID(f.engine)}, f.farm.pid())
	if err := f.setHostsDue(ctx); err != nil {
		return nil, 0, Noise{}, err
	}
	if err := wake(f.client); err != nil {
		return nil, 0, Noise{}, err
	}
	// Asking the database all the time would be work of the database.
	if err := f.awaitAnswers(ctx, answered+f.feeds); err != nil {
		return nil, 0, Noise{}, err
	}
	if err := awaitFetches(ctx, f.db, "", started, f.feeds); err != nil {
		return nil, 0, Noise{}, err
	}
	cpu, wall, noise = w.end()
	return cpu, wall, noise, nil
}

// awaitAnswers waits until the farm has answered a number of requests.
func (f *fetching) awaitAnswers(ctx context.Context, want int) error {
	ctx, cancel := context.WithTimeout(ctx, phaseLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := farmAnswers(f.farm)
		if err == nil && n >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the farm answered %d requests, want %d: %w", n, want, errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
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
