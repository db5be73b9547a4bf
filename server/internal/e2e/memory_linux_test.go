package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// memory returns a size of the process in bytes, by its name in
// /proc/PID/status.
func (p *process) memory(name string) int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name+":")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		return n << 10
	}
	p.t.Fatalf("no %s", name)
	return 0
}

// memoryBudget is what a process may need in every role.
const memoryBudget = 512 << 20

// bombard has a server with eight workers fetch every bomb again and again,
// while the API is used, until a time is over and each bomb was fetched. It
// returns the peak of memory in bytes and how long the API took at most for 95 %.
func bombard(t *testing.T, engine string, size int, atLeast time.Duration) (peak int64, p95 time.Duration) {
	t.Helper()
	in := newInstallation(t, engine, "KGL_WORKERS=8", "KGL_FETCH_TIMEOUT=30s", "KGL_HOST_DELAY=10ms")
	p := in.launch(t, "serve")
	b := p.serving(in)
	c := b.asAdmin(t)
	var count atomic.Int64
	var ids []string
	for _, bomb := range bombs(size) {
		f := newFeedServer(t) // a host of its own, so that eight are read at once
		f.handle("/feed", bomb.serve(&count))
		ids = append(ids, c.createSource(t, f.url("/feed")).ID)
	}
	var took []time.Duration
	for began := time.Now(); time.Since(began) < atLeast || in.count(t, "SELECT count(*) FROM sources WHERE last_fetched_at IS NULL") > 0; {
		if time.Since(began) > atLeast+4*time.Minute {
			t.Fatalf("some documents were not fetched:\n%s\n%s", strings.Join(in.strings(t,
				"SELECT title || ' ' || host || ' ' || status || ' ' || last_error FROM sources WHERE last_fetched_at IS NULL"), "\n"), p.output)
		}
		for _, id := range ids {
			asked := time.Now()
			if a := c.do("GET", "/api/v1/content?limit=20", ""); a.status != 200 {
				t.Errorf("a list was answered with %d", a.status)
			}
			took = append(took, time.Since(asked))
			c.do("POST", "/api/v1/sources/"+id+"/refresh", "")
		}
	}
	slices.Sort(took)
	peak, p95 = p.memory("VmHWM"), took[len(took)*95/100]
	t.Logf("%s: %d documents of %d MB were fetched by 8 workers; peak of memory %d MB, API p95 %v, longest %v",
		engine, count.Load(), size>>20, peak>>20, p95.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	return peak, p95
}

// TestBombs reads each bomb at a small size; the drill of memory reads large
// ones for minutes.
func TestBombs(t *testing.T) {
	t.Parallel()
	if peak, _ := bombard(t, "sqlite", 256<<10, 0); peak > memoryBudget/2 {
		t.Errorf("%d MB", peak>>20)
	}
}
