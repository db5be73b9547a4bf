// Bench measures the service and writes a report: what a request costs beside
// the least that it could cost, latencies at a fixed rate, how cost grows with
// the data, ingestion beside its bound, questions to a large graph, and memory;
// on SQLite and on Postgres.
//
// It builds and starts everything it needs but Postgres, whose URL it takes from
// -postgres or KGL_TEST_POSTGRES_URL; `make bench` starts one. The server must
// run on this machine, because its CPU time counts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	full          bool
	parts         []string
	engines       []string
	sizes         []int
	feeds         int   // of the part ingest
	sources       []int // of the parts passes and claims
	relationships []int // of the part graph
	postgres      string
	out           string
	reuse         string
	root          string
}

var allParts = []string{"ratio", "latency", "growth", "ingest", "passes", "claims", "graph"}

func main() {
	var o options
	set := flag.String("set", "quick", "quick: up to 100,000 items; full: up to 1,000,000, with more and longer rounds")
	parts := flag.String("parts", strings.Join(allParts, ","), "parts to measure")
	engines := flag.String("engines", "sqlite,postgres", "engines to measure")
	sizes := flag.String("sizes", "", "instead of the set's: items of the filled databases, such as 10000,30000")
	sources := flag.String("sources", "", "sources of the part passes, such as 1000,10000 (default: up to 10,000 or, full, 50,000)")
	relationships := flag.String("relationships", "", "relationships of the part graph, such as 10000000, with a tenth as many entities (default: 1,000,000)")
	flag.IntVar(&o.feeds, "feeds", ingestFeeds, "feeds of the part ingest")
	render := flag.String("render", "", "instead of measuring: read this report.json")
	docs := flag.String("docs", "", "with -render: rewrite the generated part of this page")
	flag.StringVar(&o.postgres, "postgres", os.Getenv("KGL_TEST_POSTGRES_URL"), "URL of a Postgres server on this machine whose user may create databases")
	flag.StringVar(&o.out, "out", "bench-results", "folder for report.json and report.md")
	flag.StringVar(&o.reuse, "reuse", "", "folder for filled databases, kept for the next run (and kept on the Postgres server)")
	flag.StringVar(&o.root, "root", ".", "root of the repository")
	flag.Parse()

	if *render != "" {
		exit(rerender(*render, *docs))
		return
	}
	var err error
	o.full = *set == "full"
	o.parts, o.engines = strings.Split(*parts, ","), strings.Split(*engines, ",")
	defaultSizes, defaultSources := []int{10_000, 30_000, 100_000}, []int{1000, 10_000}
	if o.full {
		defaultSizes, defaultSources = append(defaultSizes, 1_000_000), append(defaultSources, 50_000)
	}
	var err1, err2, err3 error
	o.sizes, err1 = parseSizes("sizes", *sizes, 1000, defaultSizes)
	o.sources, err2 = parseSizes("sources", *sources, 100, defaultSources)
	o.relationships, err3 = parseSizes("relationships", *relationships, 1000, []int{1_000_000})
	if err = errors.Join(err1, err2, err3); err == nil {
		err = o.check(*set)
	}
	if err != nil {
		exit(err)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parseSizes reads a list of sizes in ascending order; nothing means the given ones.
func parseSizes(flag, text string, least int, otherwise []int) ([]int, error) {
	if text == "" {
		return otherwise, nil
	}
	var sizes []int
	for _, s := range strings.Split(text, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < least {
			return nil, fmt.Errorf("-%s: %q is no number of at least %d", flag, s, least)
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	return sizes, nil
}

func (o *options) check(set string) error {
	if set != "quick" && set != "full" {
		return fmt.Errorf("-set is quick or full, not %q", set)
	}
	for _, p := range o.parts {
		if !slices.Contains(allParts, p) {
			return fmt.Errorf("-parts: %q is none of %s", p, strings.Join(allParts, ", "))
		}
	}
	for _, e := range o.engines {
		if e != "sqlite" && e != "postgres" {
			return fmt.Errorf("-engines: %q is neither sqlite nor postgres", e)
		}
	}
	if slices.Contains(o.engines, "postgres") && o.postgres == "" {
		return errors.New("no Postgres server: give -postgres URL, or use `make bench`, which starts one")
	}
	if o.feeds < 20 {
		return errors.New("-feeds must be at least 20")
	}
	for _, dir := range []*string{&o.root, &o.out, &o.reuse} {
		if *dir == "" {
			continue
		}
		absolute, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = absolute
	}
	return nil
}

// run measures all parts and writes the report after each, also when one fails.
func run(ctx context.Context, o options) (err error) {
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	start := time.Now()
	for _, engine := range o.engines {
		for _, part := range []struct {
			name string
			run  func(context.Context, string) error
		}{{"ratio", b.ratio}, {"latency", b.latency}, {"growth", b.growth}, {"ingest", b.ingest}, {"passes", b.passes}, {"claims", b.claims}, {"graph", b.graph}} {
			if !slices.Contains(o.parts, part.name) {
				continue
			}
			b.say("%s on %s", part.name, engine)
			if failure := part.run(ctx, engine); failure != nil {
				err = errors.Join(err, fmt.Errorf("%s on %s: %w", part.name, engine, failure))
				b.say("failed: %v", failure)
			}
			b.report.TookSeconds = time.Since(start).Seconds()
			if failure := b.report.write(o.out); failure != nil || ctx.Err() != nil {
				return errors.Join(err, failure, ctx.Err())
			}
		}
	}
	fmt.Print(b.report.markdown())
	return err
}
