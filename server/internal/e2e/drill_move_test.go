//go:build drill

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/benchdata"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// drillRows is the variable that says how many items the drill moves.
const (
	drillRows    = "KGL_DRILL_ROWS"
	defaultRows  = 100_000
	drillMemory  = 256 << 20 // bytes of memory that a copy of any size may take
	killAt       = 50        // percent of the rows
	drillCopying = "copying "
)

// moved is what a copy reports, and what it took.
type moved struct {
	Rows    int64
	Resumed int64 `json:"resumed_rows"`
	Seconds float64
	Tables  []struct {
		Name, Checksum string
		Rows           int64
	}
	memory int64
}

// TestDrillMove moves a large database from SQLite to Postgres and back. On the
// way back the copy is killed in the middle and goes on.
func TestDrillMove(t *testing.T) {
	rows := defaultRows
	if text := os.Getenv(drillRows); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%s is no number of rows", drillRows, text)
		}
		rows = n
	}
	in := newInstallation(t, "sqlite")
	first, middle, last := in.setting("KGL_DATABASE_URL"), pgtest.NewDatabase(t), "sqlite:///"+in.dir+"/back.db"
	in.output(t, "migrate", "up")
	start := time.Now()
	if _, err := benchdata.Fill(t.Context(), first, benchdata.Config{Items: rows, Seed: 1, Until: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
	t.Logf("filled with %d items in %v, %d MB", rows, time.Since(start).Round(time.Second), fileSize(t, in.databaseFile())>>20)

	there := in.move(t, first, middle)
	t.Logf("SQLite to Postgres: %s", there)
	if err := os.Remove(in.databaseFile()); err != nil { // there may be no room for three
		t.Fatal(err)
	}
	killed := in.killMove(t, middle, last)
	back := in.move(t, middle, last)
	t.Logf("Postgres to SQLite: killed at %d %% after %v, gone on at %d rows: %s", killAt, killed, back.Resumed, back)
	if back.Resumed < there.Rows*(killAt-5)/100 {
		t.Errorf("only %d of %d rows were resumed", back.Resumed, there.Rows)
	}
	if !slices.Equal(there.Tables, back.Tables) || there.Rows < int64(rows) {
		t.Errorf("the copies differ:\n%+v\n%+v", there, back)
	}
	for _, m := range []moved{there, back} {
		if m.memory > drillMemory {
			t.Errorf("a copy took %d MB of memory", m.memory>>20)
		}
	}
	in.environ = append(in.environ, "KGL_DATABASE_URL="+last)
	in.output(t, "audit", "verify")
}

// String tells the figures.
func (m moved) String() string {
	return strconv.FormatInt(m.Rows, 10) + " rows in " + strconv.FormatFloat(m.Seconds, 'f', 1, 64) + " s, " +
		strconv.Itoa(int(float64(m.Rows-m.Resumed)/m.Seconds)) + " rows/s, " + strconv.FormatInt(m.memory>>20, 10) + " MB of memory at most"
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// move copies a database in a process of its own.
func (in *installation) move(t *testing.T, from, to string) moved {
	t.Helper()
	cmd := in.command(t, "db", "copy", "--json", "--from", from, "--to", to)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	memory, ended := make(chan int64), make(chan struct{})
	go func() { memory <- watchMemory(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	close(ended)
	most := <-memory
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	m := decode[moved](t, stdout.Bytes())
	m.memory = most
	return m
}

// watchMemory returns the most memory that a process had until it ended. What
// the system reports at the end counts the memory of whoever started it, too.
func watchMemory(pid int, ended <-chan struct{}) (most int64) {
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if _, after, found := strings.Cut(string(status), "VmHWM:"); err == nil && found {
			var kib int64
			if _, err := fmt.Sscan(after, &kib); err == nil {
				most = max(most, kib<<10)
			}
		}
		select {
		case <-ended:
			return most
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var percentOfAll = regexp.MustCompile(`; (\d+) % of all`)

// killMove kills a copy in the middle, and returns how long it ran.
func (in *installation) killMove(t *testing.T, from, to string) time.Duration {
	t.Helper()
	cmd := in.command(t, "db", "copy", "--from", from, "--to", to)
	words, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(words); lines.Scan(); {
		m := percentOfAll.FindStringSubmatch(lines.Text())
		if m == nil || !strings.HasPrefix(lines.Text(), drillCopying) {
			continue
		}
		if percent, err := strconv.Atoi(m[1]); err == nil && percent >= killAt {
			break
		}
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the copy ended with %v", err)
	}
	return took
}
