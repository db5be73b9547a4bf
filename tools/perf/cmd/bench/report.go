package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Report is everything that a run measured. It is written as report.json.
type Report struct {
	Started     time.Time    `json:"started"`
	TookSeconds float64      `json:"took_s"`
	Commit      string       `json:"commit"`
	Set         string       `json:"set"`
	Machine     Machine      `json:"machine"`
	Fills       []Fill       `json:"fills"`
	Ratios      []Ratio      `json:"ratios"`
	Latencies   []LatencyRun `json:"latencies"`
	Growths     []Growth     `json:"growth"`
	Ingests     []Ingest     `json:"ingest"`
	Passes      []Pass       `json:"passes"`
	Claims      []Claims     `json:"claims"`
	Graphs      []GraphRun   `json:"graphs"`
}

// Machine is where a run took place.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MemoryGB int    `json:"memory_gb"`
	Kernel   string `json:"kernel"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
}

// Fill is how long it took to fill a database, and its size.
type Fill struct {
	Engine  string  `json:"engine"`
	Items   int     `json:"items"`
	Seconds float64 `json:"s"`
	MB      float64 `json:"mb"`
}

// describe notes the machine and what is measured.
func (r *Report) describe(ctx context.Context, b *bench) {
	r.Started, r.Set = time.Now().UTC(), "quick"
	if b.full {
		r.Set = "full"
	}
	git := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	git.Dir = b.root
	if out, err := git.Output(); err == nil {
		r.Commit = strings.TrimSpace(string(out))
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	r.Machine = Machine{
		CPU: procField("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Kernel: strings.TrimSpace(string(kernel)), Go: runtime.Version(),
	}
	var kb int
	if _, err := fmt.Sscanf(procField("/proc/meminfo", "MemTotal"), "%d kB", &kb); err == nil {
		r.Machine.MemoryGB = (kb + 512<<10) >> 20
	}
	if b.postmaster != 0 {
		if db, err := connect(b.postgres); err == nil {
			_ = db.QueryRowContext(ctx, "SHOW server_version").Scan(&r.Machine.Postgres)
			_ = db.Close()
		}
	}
}

// procField returns the first value of a field in a file of lines "name : value".
func procField(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if field, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(field) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// write stores the report as report.json and report.md.
func (r *Report) write(dir string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "report.json"), append(text, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "report.md"), []byte(r.markdown()), 0o644))
}

// Marks of the generated part of a page.
const (
	beginMark = "<!-- written by make bench-docs: begin -->\n"
	endMark   = "<!-- written by make bench-docs: end -->\n"
)

// rerender prints the tables of an earlier report, or puts them into a page.
func rerender(report, docs string) error {
	text, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", report, err)
	}
	if docs == "" {
		fmt.Print(r.markdown())
		return nil
	}
	page, err := os.ReadFile(docs)
	if err != nil {
		return err
	}
	head, rest, begun := strings.Cut(string(page), beginMark)
	_, tail, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s has no generated part: it needs the lines %s and %s", docs, strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	return os.WriteFile(docs, []byte(head+beginMark+"\n"+r.markdown()+"\n"+endMark+tail), 0o644)
}
