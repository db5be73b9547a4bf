// Limits measures, on the corpus that the feed farm serves, what the building
// blocks of ingestion can do at the most on this machine: parsing, sanitising,
// storing, and the three in a row. It prints a JSON
// object per block, with rates per CPU second (which other work on the machine
// disturbs little) and per second of wall time: median, least and most of
// several rounds, the blocks taken in turn.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
	"github.com/peermesh/kgl-backend/tools/perf/internal/procs"
)

// block is one thing to measure. run does the work at least once, again until
// the deadline, and says how many units (and bytes) it did.
type block struct {
	name string
	unit string
	// once marks a block that does a fixed amount of work a round.
	run   func(deadline time.Time) (units int, bytes int64)
	prep  func()
	after func()
	pg    bool // Postgres works too: account its processes
}

type rates struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func sum(v []float64) rates {
	slices.Sort(v)
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return rates{round(m), round(v[0]), round(v[len(v)-1])}
}

func round(f float64) float64 {
	switch {
	case f >= 100:
		return float64(int64(f + .5))
	default:
		return float64(int64(f*1000+.5)) / 1000
	}
}

func selfCPU() float64 {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Sec+ru.Stime.Sec) + float64(ru.Utime.Usec+ru.Stime.Usec)/1e6
}

var (
	pgPID  = flag.Int("pgpid", 0, "Postgres's postmaster, to account its CPU time")
	pgDSN  = flag.String("pg", "", "Postgres DSN; without it the Postgres blocks are left out")
	dir    = flag.String("dir", os.TempDir(), "where SQLite files go")
	only   = flag.String("only", "", "measure the blocks that match one of these comma-separated path.Match patterns")
	rounds = flag.Int("rounds", 5, "rounds")
	each   = flag.Duration("each", time.Second, "how long each block runs a round")
	procsN = flag.Int("procs", 1, "GOMAXPROCS")
	feedsN = flag.Int("feeds", 300, "feeds of the corpus to work on")
)

// data is the corpus in memory.
type data struct {
	feeds []corpus.Feed
	docs  [][]byte
	items []corpus.Item
	clean []string // sanitised bodies
	text  []string // their text
}

func load(n int) *data {
	cfg := corpus.Default()
	cfg.MinItems, cfg.MaxItems = 30, 30
	d := &data{}
	for i := range n {
		f := cfg.Feed(i)
		d.feeds = append(d.feeds, f)
		d.docs = append(d.docs, cfg.Document(f, 0, corpus.Site{Base: "http://127.1.0.1:9700"}))
		for k := range f.Items {
			d.items = append(d.items, cfg.Item(f, k))
		}
	}
	return d
}

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(*procsN)
	d := load(*feedsN)
	blocks := append(textBlocks(d), sqliteBlocks(d)...)
	if *pgDSN != "" {
		blocks = append(blocks, pgBlocks(d)...)
	}
	if *only != "" {
		blocks = slices.DeleteFunc(blocks, func(b *block) bool {
			return !slices.ContainsFunc(strings.Split(*only, ","), func(p string) bool { ok, _ := path.Match(p, b.name); return ok })
		})
	}
	got := make([]series, len(blocks))
	for round := range *rounds {
		for i, b := range blocks {
			perCPU := got[i].measure(b)
			if round == 0 {
				fmt.Fprintf(os.Stderr, "%-34s %12.1f %s per CPU second\n", b.name, perCPU, b.unit)
			}
		}
	}
	enc := json.NewEncoder(os.Stdout)
	for i, b := range blocks {
		if err := enc.Encode(got[i].result(b)); err != nil {
			log.Fatal(err)
		}
	}
}

// series is what the rounds of a block gave.
type series struct{ perCPU, perWall, mbCPU, pgShare, usUnit []float64 }

// postgresCPU returns the CPU seconds that Postgres has spent on a block of its own.
func postgresCPU(b *block) float64 {
	if !b.pg || *pgPID == 0 {
		return 0
	}
	table := procs.Read()
	return table.CPU(table.Tree(*pgPID))
}

// measure runs one round of a block and returns its units per CPU second.
func (s *series) measure(b *block) float64 {
	if b.prep != nil {
		b.prep()
	}
	runtime.GC()
	pg, cpu, start := postgresCPU(b), selfCPU(), time.Now()
	units, bytes := b.run(start.Add(*each))
	wall := time.Since(start).Seconds()
	cpu = selfCPU() - cpu
	if b.pg && *pgPID != 0 {
		spent := postgresCPU(b) - pg
		s.pgShare = append(s.pgShare, spent/(spent+cpu))
		cpu += spent
	}
	if b.after != nil {
		b.after()
	}
	s.perCPU = append(s.perCPU, float64(units)/cpu)
	s.perWall = append(s.perWall, float64(units)/wall)
	s.mbCPU = append(s.mbCPU, float64(bytes)/1e6/cpu)
	s.usUnit = append(s.usUnit, cpu*1e6/float64(units))
	return float64(units) / cpu
}

func (s *series) result(b *block) map[string]any {
	out := map[string]any{"block": b.name, "unit": b.unit, "per_cpu_s": sum(s.perCPU), "per_wall_s": sum(s.perWall), "cpu_us_per_unit": sum(s.usUnit), "rounds": *rounds}
	if m := sum(s.mbCPU); m.Max > 0 {
		out["mb_per_cpu_s"] = m
	}
	if s.pgShare != nil {
		out["postgres_cpu_share"] = sum(s.pgShare)
	}
	return out
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// repeat is the body of blocks that do one unit after another over n inputs.
func repeat(n int, one func(i int) int64) func(time.Time) (int, int64) {
	k := 0
	return func(deadline time.Time) (units int, bytes int64) {
		for {
			bytes += one(k % n)
			k++
			units++
			if units%8 == 0 && !time.Now().Before(deadline) {
				return units, bytes
			}
		}
	}
}
