// Apiload drives an HTTP service on loopback with the requests of a scenario
// file and prints what it measured as JSON. See the README.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/load"
)

func main() {
	var (
		file   = flag.String("scenario", "", "scenario file (required)")
		base   = flag.String("base", "", "base URL, instead of the scenario's")
		rate   = flag.Float64("rate", 0, "arrivals a second; 0 for a closed loop")
		search = flag.Duration("max", 0, "look for the highest rate whose p99 stays within this (like 50ms)")
		dur    = flag.Duration("duration", 15*time.Second, "how long to count")
		warm   = flag.Duration("warmup", 3*time.Second, "how long to drive before counting")
		conns  = flag.Int("conns", 32, "connections")
		pois   = flag.Bool("poisson", false, "Poisson arrivals instead of evenly spaced ones")
		tmo    = flag.Duration("timeout", 10*time.Second, "per request")
		seed   = flag.Uint64("seed", 1, "seed of the choice of requests")
		only   = flag.String("only", "", "drive only the request of this name")
		quiet  = flag.Bool("brief", false, "print one line for people instead of JSON")
	)
	flag.Parse()
	s, err := load.Read(*file, *base)
	if err != nil {
		log.Fatal(err)
	}
	if *only != "" {
		if err := s.Only(*only); err != nil {
			log.Fatal(err)
		}
	}
	if err := s.Check(*tmo); err != nil {
		log.Fatal("check: ", err)
	}
	o := load.Options{Rate: *rate, Duration: *dur, Warmup: *warm, Conns: *conns, Poisson: *pois, Timeout: *tmo, Seed: *seed}
	var out any
	if *search > 0 {
		m := s.Max(o, *search, func(line string) { fmt.Fprintln(os.Stderr, line) })
		if *quiet {
			fmt.Printf("max %.0f req/s with p99 <= %v; closed loop %.0f req/s\n", m.MaxRate, *search, m.Closed.Throughput)
			return
		}
		out = m
	} else {
		r := s.Run(o)
		if *quiet {
			fmt.Printf("%s target %.0f served %.0f req/s, %d errors, %d unsent; p50 %.2f p95 %.2f p99 %.2f max %.1f ms; %.1f MB/s; late p99 %.2f\n",
				r.Mode, r.TargetRate, r.Throughput, r.Errors, r.Unsent, r.Latency.P50, r.Latency.P95, r.Latency.P99, r.Latency.Max, r.MBps, r.Late.P99)
			return
		}
		out = r
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	if err := enc.Encode(out); err != nil {
		log.Fatal(err)
	}
}
