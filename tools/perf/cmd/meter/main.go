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
	r, err := http.Get(url) //nolint:gosec // a loopback address given on the command line
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

func main() {
	g := groups{}
	flag.Var(g, "group", "NAME=PID, a process and its descendants to account (repeatable)")
	farm := flag.String("farm", "", "the feed farm's base URL, to count what it served")
	until := flag.String("until", "", "after the command, wait until this shell command prints a number of at least -atleast")
	atLeast := flag.Float64("atleast", 0, "see -until")
	poll := flag.Duration("poll", 200*time.Millisecond, "how often to ask -until")
	limit := flag.Duration("limit", 10*time.Minute, "give up after this long")
	label := flag.String("label", "", "copied to the output")
	flag.Parse()

	use := map[string]*Use{}
	table := procs.Read()
	for name, pid := range g {
		use[name] = &Use{start: table.CPU(table.Tree(pid))}
	}
	var before map[string]float64
	if *farm != "" {
		before = get(*farm + "/_farm/stats")
	}
	calibBefore := calibrate()
	busy, stolen := procs.Machine()
	start := time.Now()
	var cmd *exec.Cmd
	exited := make(chan error, 1)
	if flag.NArg() > 0 {
		cmd = exec.Command(flag.Arg(0), flag.Args()[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Start(); err != nil {
			log.Fatal(err)
		}
		use["cmd"] = &Use{}
		g["cmd"] = cmd.Process.Pid
		go func() { exited <- cmd.Wait() }()
	} else {
		exited <- nil
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			table := procs.Read()
			for name, pid := range g {
				use[name].PeakRSS = max(use[name].PeakRSS, float64(table.Memory(table.Tree(pid)))/1e6)
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	failed := ""
	select {
	case err := <-exited:
		if err != nil {
			failed = err.Error()
		}
	case <-time.After(*limit):
		failed = "timed out"
		_ = cmd.Process.Kill()
		<-exited
	}
	value := 0.0
	for *until != "" && failed == "" {
		out, err := exec.Command("sh", "-c", *until).Output()
		if err != nil {
			failed = "until: " + err.Error()
			break
		}
		if value, _ = strconv.ParseFloat(strings.TrimSpace(string(out)), 64); value >= *atLeast {
			break
		}
		if time.Since(start) > *limit {
			failed = "timed out"
			break
		}
		time.Sleep(*poll)
	}
	wall := time.Since(start)
	busyNow, stolenNow := procs.Machine()
	busy, stolen = busyNow-busy, stolenNow-stolen
	close(stop)
	wg.Wait()
	time.Sleep(300 * time.Millisecond) // let helpers of the command exit and be reaped
	table = procs.Read()
	for name, pid := range g {
		if name != "cmd" {
			use[name].CPU = table.CPU(table.Tree(pid)) - use[name].start
		}
	}
	if cmd != nil && cmd.ProcessState != nil {
		st := cmd.ProcessState
		use["cmd"].CPU = (st.UserTime() + st.SystemTime()).Seconds()
		if ru, ok := st.SysUsage().(*syscall.Rusage); ok {
			use["cmd"].PeakRSS = max(use["cmd"].PeakRSS, float64(ru.Maxrss)*1024/1e6)
		}
	}
	for _, u := range use {
		busy -= u.CPU
	}
	// others_cores is how many cores the rest of the machine kept busy: the
	// noise of the measurement. Account the farm as a group to leave it out.
	out := map[string]any{"label": *label, "wall_s": wall.Seconds(), "groups": use, "others_cores": busy / wall.Seconds(), "stolen_cores": stolen / wall.Seconds(), "calibration": []float64{calibBefore, calibrate()}}
	if *until != "" {
		out["until"] = value
	}
	if failed != "" {
		out["failed"] = failed
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		out["loadavg_after"] = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	if before != nil {
		delta := get(*farm + "/_farm/stats")
		for k, v := range before {
			if k != "max_in_flight" && k != "items_total" {
				delta[k] -= v
			}
		}
		out["farm"] = delta
	}
	enc := json.NewEncoder(os.Stdout)
	if err := enc.Encode(out); err != nil {
		log.Fatal(err)
	}
	if failed != "" {
		os.Exit(1)
	}
}
