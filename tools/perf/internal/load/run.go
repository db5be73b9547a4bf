package load

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/quantile"
)

// Options say how to drive a scenario.
type Options struct {
	Rate     float64 // requests a second (open loop); 0 for a closed loop
	Duration time.Duration
	Warmup   time.Duration // driven the same way, not counted
	Conns    int           // connections: the most requests in flight
	Poisson  bool          // exponential gaps between arrivals instead of equal ones
	Timeout  time.Duration
	Seed     uint64
}

// Latency sums up a histogram, in milliseconds.
type Latency struct {
	Mean float64 `json:"mean_ms"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P95  float64 `json:"p95_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
}

func latency(h *quantile.Hist) Latency {
	ms := func(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }
	return Latency{ms(h.Mean()), ms(h.Quantile(.5)), ms(h.Quantile(.9)), ms(h.Quantile(.95)), ms(h.Quantile(.99)), ms(h.Max())}
}

// Kind is the result for one kind of request.
type Kind struct {
	Name     string `json:"name"`
	Requests uint64 `json:"requests"`
	Errors   uint64 `json:"errors"`
	Bytes    int64  `json:"bytes"`
	Latency
}

// Result is the outcome of a run. In an open loop a latency counts from the
// moment at which the schedule wanted the request sent, so a service that
// falls behind cannot hide it (no coordinated omission). Service is the same
// from the moment of sending; Late is how far sending lagged the schedule.
type Result struct {
	Mode       string            `json:"mode"`
	TargetRate float64           `json:"target_rate,omitempty"`
	Conns      int               `json:"conns"`
	Seconds    float64           `json:"seconds"`
	Requests   uint64            `json:"requests"`
	Errors     uint64            `json:"errors"`
	Unsent     uint64            `json:"unsent"` // scheduled but dropped when the run ended
	Throughput float64           `json:"throughput_rps"`
	MBps       float64           `json:"mb_per_s"`
	Latency    Latency           `json:"latency"`
	Service    Latency           `json:"service"`
	Late       Latency           `json:"late"`
	Kinds      []Kind            `json:"kinds"`
	ErrorTexts map[string]uint64 `json:"error_texts,omitempty"`
}

func zipfTable(n int, s float64) []float64 {
	c := make([]float64, n)
	sum := 0.0
	for i := range c {
		sum += math.Pow(float64(i+1), -s)
		c[i] = sum
	}
	return c
}

// Check makes one request of every kind and looks at the answers.
func (s *Scenario) Check(timeout time.Duration) error {
	k := conn{addr: s.addr, keep: true}
	defer k.close()
	r := rand.New(rand.NewPCG(1, 2))
	for _, q := range s.Requests {
		req := q.build(nil, r)
		a, err := k.do(req, timeout)
		line, _, _ := bytes.Cut(req, []byte("\r\n"))
		switch {
		case err != nil:
			return fmt.Errorf("%s: %s: %w", q.Name, line, err)
		case !q.good(a) || !strings.Contains(k.buf.String(), q.Contains):
			return fmt.Errorf("%s: %s: status %d, %d bytes: %.300s", q.Name, line, a.status, a.bytes, k.buf.String())
		}
	}
	return nil
}

type worker struct {
	conn
	total, service, late quantile.Hist
	kinds                []quantile.Hist
	errors               []uint64
	bytes                []int64
	texts                map[string]uint64
	r                    *rand.Rand
	req                  []byte
}

// one makes one request, due at a moment; it is counted only if count is set.
func (w *worker) one(s *Scenario, due time.Time, timeout time.Duration, count bool) {
	i := s.pick(w.r)
	q := s.Requests[i]
	w.req = q.build(w.req, w.r)
	sent := time.Now()
	if due.IsZero() {
		due = sent
	}
	a, err := w.do(w.req, timeout)
	end := time.Now()
	if !count {
		return
	}
	w.total.Add(end.Sub(due))
	w.service.Add(end.Sub(sent))
	w.late.Add(sent.Sub(due))
	w.kinds[i].Add(end.Sub(due))
	w.bytes[i] += a.bytes
	switch {
	case err != nil:
		w.errors[i]++
		w.texts[q.Name+": "+err.Error()]++
	case !q.good(a):
		w.errors[i]++
		w.texts[fmt.Sprintf("%s: status %d, %d bytes", q.Name, a.status, a.bytes)]++
	}
}

// Run drives the scenario once.
func (s *Scenario) Run(o Options) Result {
	workers := make([]*worker, o.Conns)
	for i := range workers {
		workers[i] = &worker{
			conn: conn{addr: s.addr}, kinds: make([]quantile.Hist, len(s.Requests)), errors: make([]uint64, len(s.Requests)),
			bytes: make([]int64, len(s.Requests)), texts: map[string]uint64{}, r: rand.New(rand.NewPCG(o.Seed, uint64(i)+77)),
		}
	}
	res := Result{Mode: "closed", Conns: o.Conns}
	start := time.Now()
	from := start.Add(o.Warmup)
	if o.Rate <= 0 {
		s.closed(o, workers, from, from.Add(o.Duration))
	} else {
		res.Mode, res.TargetRate = "open", o.Rate
		res.Unsent = s.open(o, workers, start, from, from.Add(o.Duration))
	}
	res.collect(s, workers, time.Since(from))
	return res
}

// closed lets every worker send its next request when the last was answered.
func (s *Scenario) closed(o Options, workers []*worker, from, end time.Time) {
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			defer w.close()
			for now := time.Now(); now.Before(end); now = time.Now() {
				w.one(s, time.Time{}, o.Timeout, !now.Before(from))
			}
		})
	}
	wg.Wait()
}

// open sends requests on a schedule and returns how many of them were dropped.
func (s *Scenario) open(o Options, workers []*worker, start, from, end time.Time) uint64 {
	due := make(chan time.Time, int(o.Rate*(o.Duration+o.Warmup).Seconds())+1024)
	stop := end.Add(o.Timeout) // a backlog is worked off this long, then dropped
	var unsent atomic.Uint64
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			defer w.close()
			for t := range due {
				if time.Now().After(stop) {
					unsent.Add(1)
					continue
				}
				w.one(s, t, o.Timeout, !t.Before(from))
			}
		})
	}
	arrivals := rand.New(rand.NewPCG(o.Seed, 99))
	gap := float64(time.Second) / o.Rate
	for at := 0.0; ; {
		t := start.Add(time.Duration(at))
		if !t.Before(end) {
			break
		}
		if d := time.Until(t); d > 0 {
			time.Sleep(d)
		}
		due <- t
		if o.Poisson {
			at += arrivals.ExpFloat64() * gap
		} else {
			at += gap
		}
	}
	close(due)
	wg.Wait()
	return unsent.Load()
}

// collect sums up what the workers measured in the time that was counted.
func (r *Result) collect(s *Scenario, workers []*worker, took time.Duration) {
	var total, service, late quantile.Hist
	kinds := make([]quantile.Hist, len(s.Requests))
	r.ErrorTexts = map[string]uint64{}
	var sum int64
	r.Kinds = make([]Kind, len(s.Requests))
	for i, q := range s.Requests {
		r.Kinds[i].Name = q.Name
	}
	for _, w := range workers {
		total.Merge(&w.total)
		service.Merge(&w.service)
		late.Merge(&w.late)
		for i := range kinds {
			kinds[i].Merge(&w.kinds[i])
			r.Kinds[i].Errors += w.errors[i]
			r.Kinds[i].Bytes += w.bytes[i]
			r.Errors += w.errors[i]
			sum += w.bytes[i]
		}
		for k, n := range w.texts {
			r.ErrorTexts[k] += n
		}
	}
	for i := range kinds {
		r.Kinds[i].Requests = kinds[i].Count()
		r.Kinds[i].Latency = latency(&kinds[i])
	}
	r.Requests = total.Count()
	r.Seconds = math.Round(took.Seconds()*1e3) / 1e3
	r.Throughput = math.Round(float64(r.Requests)/took.Seconds()*10) / 10
	r.MBps = math.Round(float64(sum)/took.Seconds()/1e4) / 100
	r.Latency, r.Service, r.Late = latency(&total), latency(&service), latency(&late)
}

// Sustains tells whether a run kept its rate within an objective: no errors,
// nothing dropped, at least 98 % of the rate served, and a 99th percentile of
// at most slo.
func (r *Result) Sustains(slo time.Duration) bool {
	return r.Errors == 0 && r.Unsent == 0 && r.Throughput >= 0.98*r.TargetRate && r.Latency.P99 <= float64(slo)/1e6
}

// Search is the outcome of a search for the highest rate that holds.
type Search struct {
	SLO     float64 `json:"slo_p99_ms"`
	Closed  Result  `json:"closed_loop"` // saturation, by the same connections
	MaxRate float64 `json:"max_sustained_rps"`
	Best    Result  `json:"at_max"`
	Steps   int     `json:"steps"`
}

// Max looks for the highest open-loop rate that Sustains, between nothing and
// a little above what a closed loop reaches, to about 4 %.
func (s *Scenario) Max(o Options, slo time.Duration, report func(string)) Search {
	c := o
	c.Rate = 0
	out := Search{SLO: float64(slo) / 1e6, Closed: s.Run(c)}
	report(fmt.Sprintf("closed loop, %d connections: %.0f req/s, p99 %.1f ms", o.Conns, out.Closed.Throughput, out.Closed.Latency.P99))
	lo, hi := 0.0, out.Closed.Throughput*1.1
	for rate := out.Closed.Throughput * 0.8; hi-lo > 0.04*hi && out.Steps < 10; rate = (lo + hi) / 2 {
		o.Rate = rate
		r := s.Run(o)
		out.Steps++
		ok := r.Sustains(slo)
		report(fmt.Sprintf("open loop %.0f req/s: served %.0f, p50 %.1f p99 %.1f ms, %d errors, holds: %v", rate, r.Throughput, r.Latency.P50, r.Latency.P99, r.Errors, ok))
		if ok {
			lo, out.MaxRate, out.Best = rate, rate, r
		} else {
			hi = rate
		}
	}
	return out
}
