package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/procs"
)

// window accounts the CPU time of processes between two moments.
type window struct {
	pids         []int // roots of the processes that are measured
	apart        []int // roots that belong to the measurement, but are not measured
	start        time.Time
	used         []float64
	beside       float64
	busy, stolen float64
}

// Noise is what else the machine did, in cores.
type Noise struct {
	Others float64 `json:"others_cores"`
	Stolen float64 `json:"stolen_cores"`
}

func ownCPU() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// measure begins a window. A pid of 0 counts nothing.
func measure(pids []int, apart ...int) *window {
	w := &window{pids: pids, apart: apart}
	w.used, w.beside = w.spent()
	w.busy, w.stolen = procs.Machine()
	w.start = time.Now()
	return w
}

func (w *window) spent() (each []float64, beside float64) {
	table := procs.Read()
	for _, pid := range w.pids {
		each = append(each, treeCPU(table, pid))
	}
	beside = ownCPU()
	for _, pid := range w.apart {
		beside += treeCPU(table, pid)
	}
	return each, beside
}

func treeCPU(table procs.Table, pid int) float64 {
	if pid == 0 {
		return 0
	}
	return table.CPU(table.Tree(pid))
}

// end returns the CPU seconds of each process, the wall time, and the noise.
func (w *window) end() (cpu []float64, wall float64, noise Noise) {
	wall = time.Since(w.start).Seconds()
	busy, stolen := procs.Machine()
	used, beside := w.spent()
	others := busy - w.busy - (beside - w.beside)
	for i := range used {
		cpu = append(cpu, used[i]-w.used[i])
		others -= cpu[i]
	}
	return cpu, wall, Noise{Others: max(others, 0) / wall, Stolen: (stolen - w.stolen) / wall}
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// Memory is what a process holds, in millions of bytes.
type Memory struct {
	Now  float64 `json:"rss_mb"`
	Peak float64 `json:"peak_mb"` // since its start
}

// memory reads what a process holds.
func memory(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kb, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			m.Now = kb * 1024 / 1e6
		case "VmHWM:":
			m.Peak = kb * 1024 / 1e6
		}
	}
	return m, nil
}
