package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/load"
)

// What the part graph asks for, and the aims.
const (
	graphRate     = 50  // requests a second
	graphHubs     = 100 // the entities with the most relationships
	graphEntities = 2000
	graphRatio    = 10 // relationships for an entity

	aimNeighborhood = 20.0      // ms, p95, three steps
	aimPath         = 40.0      // ms, p95
	aimGraph        = 1_000_000 // relationships up to which these hold
	aimLargeGraph   = 500.0     // ms, p95 of either beyond
)

// GraphRun is one open loop over questions to a graph.
type GraphRun struct {
	Engine        string      `json:"engine"`
	Entities      int         `json:"entities"`
	Relationships int         `json:"relationships"`
	LargestDegree int         `json:"largest_degree"`
	FillSeconds   float64     `json:"fill_s"`  // rows
	IndexSeconds  float64     `json:"index_s"` // indexes and statistics
	MB            float64     `json:"mb"`
	Result        load.Result `json:"result"`
	CPU           float64     `json:"service_cores"`
	DBCPU         float64     `json:"postgres_cores"`
	Noise         Noise       `json:"noise"`
	Memory        Memory      `json:"memory"`
}

// graph drives questions to graphs of each size at a fixed rate.
func (b *bench) graph(ctx context.Context, engine string) error {
	for _, relationships := range b.relationships {
		run, err := b.graphRun(ctx, engine, relationships)
		if err != nil {
			return err
		}
		b.report.Graphs = append(b.report.Graphs, run)
		for _, k := range run.Result.Kinds {
			b.say("  %d relationships, %s: p50 %.1f, p95 %.1f, p99 %.1f ms of %d", relationships, k.Name, k.P50, k.P95, k.P99, k.Requests)
		}
	}
	return nil
}

func (b *bench) graphRun(ctx context.Context, engine string, relationships int) (run GraphRun, err error) {
	name := fmt.Sprintf("graph-%s-%d", engine, relationships)
	databaseURL, run, err := b.graphDatabase(ctx, engine, relationships)
	if err != nil {
		return run, err
	}
	lists := filepath.Join(b.work, name+"-lists")
	if err := graphLists(ctx, databaseURL, lists); err != nil {
		return run, err
	}
	service, err := b.serve(ctx, name, databaseURL, "api")
	defer func() { err = errors.Join(err, stopAll(service)) }()
	if err != nil {
		return run, err
	}
	if _, err := b.login(service); err != nil {
		return run, err
	}
	s, err := b.scenario("graph", service.base, lists, "")
	if err != nil {
		return run, err
	}
	o := load.Options{Rate: graphRate, Conns: openConns, Duration: b.lasting(10*time.Second, 20*time.Second), Timeout: requestTimeout, Seed: 1}
	s.Run(o) // caches and pools fill
	o.Duration, o.Seed = b.lasting(30*time.Second, 60*time.Second), 2
	w := measure([]int{service.pid(), b.postgresPID(engine)})
	run.Result = s.Run(o)
	cpu, wall, noise := w.end()
	run.CPU, run.DBCPU, run.Noise = cpu[0]/wall, cpu[1]/wall, noise
	run.Memory, err = memory(service.pid())
	return run, errors.Join(err, ctx.Err())
}

// graphDatabase returns a filled database, which it fills unless an earlier run
// left it, and what filling it took.
func (b *bench) graphDatabase(ctx context.Context, engine string, relationships int) (databaseURL string, run GraphRun, err error) {
	run = GraphRun{Engine: engine, Entities: relationships / graphRatio, Relationships: relationships}
	name := "graph_" + strconv.Itoa(relationships)
	note := filepath.Join(b.reuse, name+"_"+engine+".json")
	databaseURL = "sqlite:///" + filepath.Join(b.reuse, name+".db")
	if engine == "postgres" {
		if databaseURL, err = b.postgresURL("kgl_bench_" + name); err != nil {
			return "", run, err
		}
	}
	if text, failure := os.ReadFile(note); failure == nil {
		if n, failure := count(ctx, databaseURL, "SELECT COUNT(*) FROM relationships"); failure == nil && n == relationships {
			if err := json.Unmarshal(text, &run); err != nil {
				return "", run, fmt.Errorf("%s: %w", note, err)
			}
			return databaseURL, run, b.settle(ctx, engine)
		}
	}
	if engine == "postgres" {
		if _, err := b.database(ctx, engine, name); err != nil {
			return "", run, err
		}
		if !strings.HasPrefix(b.reuse, b.work) {
			b.made = slices.DeleteFunc(b.made, func(made string) bool { return made == "kgl_bench_"+name })
		}
	} else {
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(strings.TrimPrefix(databaseURL, "sqlite:///") + end)
		}
	}
	if err := b.fillGraph(ctx, databaseURL, &run); err != nil {
		return "", run, err
	}
	text, err := json.Marshal(run)
	if err != nil {
		return "", run, err
	}
	return databaseURL, run, errors.Join(os.WriteFile(note, text, 0o600), b.settle(ctx, engine))
}

func (b *bench) fillGraph(ctx context.Context, databaseURL string, run *GraphRun) error {
	b.say("filling %s with %d relationships", run.Engine, run.Relationships)
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "fillgraph"), "-entities", strconv.Itoa(run.Entities), "-relationships", strconv.Itoa(run.Relationships))
	cmd.Env = append(os.Environ(), "KGL_DATABASE_URL="+databaseURL) // not in the arguments, which others can read
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("fillgraph: %w\n%s", err, log.String())
	}
	var stats struct {
		LargestDegree             int
		RowsSeconds, IndexSeconds float64
	}
	if err := json.Unmarshal(out, &stats); err != nil {
		return fmt.Errorf("fillgraph: %w", err)
	}
	run.LargestDegree, run.FillSeconds, run.IndexSeconds = stats.LargestDegree, stats.RowsSeconds, stats.IndexSeconds
	run.MB = b.size(ctx, databaseURL)
	return nil
}

// graphLists writes the values of the scenario into a folder: hubs, entities of
// which a tenth are hubs, and types.
func graphLists(ctx context.Context, databaseURL, dir string) (err error) {
	db, err := connect(databaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	hubs, err1 := texts(ctx, db, fmt.Sprintf("SELECT id FROM entities ORDER BY degree DESC, id LIMIT %d", graphHubs))
	all, err2 := texts(ctx, db, "SELECT id FROM entities WHERE degree > 0 ORDER BY id")
	types, err3 := texts(ctx, db, "SELECT DISTINCT type FROM relationships ORDER BY type")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	entities := make([]string, graphEntities)
	for i := range entities {
		from := all
		if i%10 == 0 {
			from = hubs
		}
		entities[i] = from[r.IntN(len(from))]
	}
	write := func(name string, values []string) error {
		return os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(values, "\n")+"\n"), 0o600)
	}
	return errors.Join(os.MkdirAll(dir, 0o700), write("graph-hubs.txt", hubs), write("graph-entities.txt", entities), write("graph-types.txt", types))
}

// texts runs a query that gives texts.
func texts(ctx context.Context, db *sql.DB, query string) (values []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

func (r *Report) graphTable(b *strings.Builder) {
	var rows, sizes [][]string
	for _, g := range r.Graphs {
		for _, k := range g.Result.Kinds {
			aim := aimNeighborhood
			if strings.HasPrefix(k.Name, "path") {
				aim = aimPath
			}
			if g.Relationships > aimGraph {
				aim = aimLargeGraph
			}
			state := fmt.Sprintf("%.0f: %s", aim, verdict(k.P95 < aim))
			if g.Noise.Others+g.Noise.Stolen > quietCores {
				state += " (busy machine)"
			}
			rows = append(rows, []string{g.Engine, thousands(g.Relationships), k.Name, fmt.Sprint(k.Requests), ms(k.P50), ms(k.P95), ms(k.P99), state})
		}
		sizes = append(sizes, []string{g.Engine, thousands(g.Entities), thousands(g.Relationships), thousands(g.LargestDegree),
			fmt.Sprintf("%.0f + %.0f", g.FillSeconds, g.IndexSeconds), fmt.Sprintf("%.0f", g.MB), fmt.Sprintf("%.0f", g.Result.Throughput), fmt.Sprint(g.Result.Errors),
			fmt.Sprintf("%.2f", g.CPU), fmt.Sprintf("%.2f", g.DBCPU), fmt.Sprintf("%.0f", g.Memory.Peak), g.Noise.text()})
	}
	table(b, fmt.Sprintf("The graph, %d requests a second over %d connections (ms)", graphRate, openConns),
		[]string{"engine", "relationships", "request", "requests", "p50", "p95", "p99", "p95 under"}, rows)
	table(b, "The graphs that were asked", []string{"engine", "entities", "relationships", "largest hub", "s to fill (rows + indexes)", "MB", "served/s", "failed",
		"service cores", "Postgres cores", "peak MB", "others / stolen cores"}, sizes)
}
