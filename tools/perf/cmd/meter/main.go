// Meter runs a command, or waits for a condition, and prints as JSON how long
// that took, what CPU time groups of processes spent meanwhile, the peak of
// their resident memory, and what the feed farm counted.
//
//	meter -group svc=123 -group pg=456 -farm http://127.0.0.1:9700 -- ./service refresh
//	meter -group svc=123 -until './count.sh' -atleast 30000 -- curl -X POST …/refresh
//
// A group is a process and all its descendants, those that come and go
// included (their time reaches the group when their parent reaps them).
// The command's own processes are the group "cmd".
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
	"github.com/peermesh/kgl-backend/tools/perf/internal/procs"
)

type groups map[string]int

func (g groups) String() string { return "" }

func (g groups) Set(s string) error {
	name, pid, ok := strings.Cut(s, "=")
	n, err := strconv.Atoi(pid)
	if !ok || err != nil {
		return fmt.Errorf("want NAME=PID, not %q", s)
	}
	g[name] = n
	return nil
}

// Use is what a group spent.
type Use struct {
	CPU     float64 `json:"cpu_s"`
	PeakRSS float64 `json:"peak_mb"` // of one process its RSS, of several the sum of PSS
	start   float64
}

// calibrate is how many thousand corpus items one core writes in a CPU second,
// over a fifth of a second: a yardstick for how fast the machine is just now.
// Shared machines drift by a factor of two, CPU seconds included.
func calibrate() float64 {
	cfg := corpus.Default()
	f := cfg.Feed(1)
	used := func() float64 {
		var ru syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
		return float64(ru.Utime.Sec+ru.Stime.Sec) + float64(ru.Utime.Usec+ru.Stime.Usec)/1e6
	}
	n, start := 0, used()
	for used() < start+0.2 {
		_ = cfg.Item(f, n%1000)
		n++
	}
	return float64(n) / 1e3 / (used() - start)
}

func get(url string) (m map[string]float64) {
	r, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	raw, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(raw, &m); err != nil {
		log.Fatalf("%s: %v", url, err)
	}
	return m
}

// meter is what the command line asks for, and what was seen so far.
type meter struct {
	groups      groups
	farm, label string
	until       string
	atLeast     float64
	poll, limit time.Duration
	args        []string

	use    map[string]*Use
	cmd    *exec.Cmd
	start  time.Time
	value  float64 // what -until printed last
	failed string
}

func main() {
	m := &meter{groups: groups{}, use: map[string]*Use{}}
	flag.Var(m.groups, "group", "NAME=PID, a process and its descendants to account (repeatable)")
	flag.StringVar(&m.farm, "farm", "", "the feed farm's base URL, to count what it served")
	flag.StringVar(&m.until, "until", "", "after the command, wait until this shell command prints a number of at least -atleast")
	flag.Float64Var(&m.atLeast, "atleast", 0, "see -until")
	flag.DurationVar(&m.poll, "poll", 200*time.Millisecond, "how often to ask -until")
	flag.DurationVar(&m.limit, "limit", 10*time.Minute, "give up after this long")
	flag.StringVar(&m.label, "label", "", "copied to the output")
	flag.Parse()
	m.args = flag.Args()
	m.run()
	if m.failed != "" {
		os.Exit(1)
	}
}

// run measures, and prints the result.
func (m *meter) run() {
	table := procs.Read()
	for name, pid := range m.groups {
		m.use[name] = &Use{start: table.CPU(table.Tree(pid))}
	}
	var before map[string]float64
	if m.farm != "" {
		before = get(m.farm + "/_farm/stats")
	}
	calibBefore := calibrate()
	busy, stolen := procs.Machine()
	m.start = time.Now()
	exited := m.launch()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { m.watchMemory(stop) })
	m.await(exited)
	m.awaitValue()
	wall := time.Since(m.start)
	busyNow, stolenNow := procs.Machine()
	close(stop)
	watching.Wait()
	time.Sleep(300 * time.Millisecond) // children of the command exit and are reaped
	m.account()
	others := busyNow - busy
	for _, u := range m.use {
		others -= u.CPU
	}
	out := map[string]any{
		"label": m.label, "wall_s": wall.Seconds(), "groups": m.use, "calibration": []float64{calibBefore, calibrate()},
		// How many cores the rest of the machine kept busy: the noise of the
		// measurement. Account the farm as a group to leave it out.
		"others_cores": others / wall.Seconds(), "stolen_cores": (stolenNow - stolen) / wall.Seconds(),
	}
	m.print(out, before)
}

// launch starts the command, if there is one. The channel gives how it ended.
func (m *meter) launch() <-chan error {
	exited := make(chan error, 1)
	if len(m.args) == 0 {
		exited <- nil
		return exited
	}
	cmd := exec.Command(m.args[0], m.args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	m.cmd = cmd
	m.use["cmd"] = &Use{}
	m.groups["cmd"] = cmd.Process.Pid
	go func() { exited <- cmd.Wait() }()
	return exited
}

// watchMemory keeps the peaks, until stop is closed.
func (m *meter) watchMemory(stop <-chan struct{}) {
	for {
		table := procs.Read()
		for name, pid := range m.groups {
			m.use[name].PeakRSS = max(m.use[name].PeakRSS, float64(table.Memory(table.Tree(pid)))/1e6)
		}
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (m *meter) await(exited <-chan error) {
	select {
	case err := <-exited:
		if err != nil {
			m.failed = err.Error()
		}
	case <-time.After(m.limit):
		m.failed = "timed out"
		_ = m.cmd.Process.Kill()
		<-exited
	}
}

// awaitValue waits until the command of -until prints enough.
func (m *meter) awaitValue() {
	for m.until != "" && m.failed == "" {
		out, err := exec.Command("sh", "-c", m.until).Output()
		if err != nil {
			m.failed = "until: " + err.Error()
			return
		}
		if m.value, _ = strconv.ParseFloat(strings.TrimSpace(string(out)), 64); m.value >= m.atLeast {
			return
		}
		if time.Since(m.start) > m.limit {
			m.failed = "timed out"
			return
		}
		time.Sleep(m.poll)
	}
}

// account takes what the groups have spent since the start.
func (m *meter) account() {
	table := procs.Read()
	for name, pid := range m.groups {
		if name != "cmd" {
			m.use[name].CPU = table.CPU(table.Tree(pid)) - m.use[name].start
		}
	}
	if m.cmd == nil || m.cmd.ProcessState == nil {
		return
	}
	state := m.cmd.ProcessState
	m.use["cmd"].CPU = (state.UserTime() + state.SystemTime()).Seconds()
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		m.use["cmd"].PeakRSS = max(m.use["cmd"].PeakRSS, float64(usage.Maxrss)*1024/1e6)
	}
}

func (m *meter) print(out map[string]any, before map[string]float64) {
	if m.until != "" {
		out["until"] = m.value
	}
	if m.failed != "" {
		out["failed"] = m.failed
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		out["loadavg_after"] = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	if before != nil {
		delta := get(m.farm + "/_farm/stats")
		for k, v := range before {
			if k != "max_in_flight" && k != "items_total" {
				delta[k] -= v
			}
		}
		out["farm"] = delta
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
