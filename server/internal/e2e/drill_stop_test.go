//go:build drill

package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDrillStopEnrichment stops a server in the middle of batches of
// enrichments, under load, again and again: it ends well and within the grace,
// every claim is given back, and the next one needs to wait for no lease.
func TestDrillStopEnrichment(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		const stops = 6
		in, l := newInstallation(t, engine), newLedger()
		var longest time.Duration
		begun := 0
		for range stops {
			p := in.launch(t, "serve")
			c := p.serving(in).asAdmin(t)
			l.verify(t, c)
			f := newFeedServer(t)
			f.serve("/feed.xml", grantFeed(100))
			c.createSource(t, f.url("/feed.xml"))
			w := l.begin(c, endlessFeeds(t), 4, false)
			eventually(t, "tasks are leased", func() string {
				if !slices.ContainsFunc(in.rows(t, "SELECT state FROM enrichment_tasks"), is("leased")) {
					return "none"
				}
				return ""
			})
			begun++
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, p.within(15*time.Second))
			w.wait()
			if p.err != nil {
				t.Errorf("ended with %v:\n%s", p.err, p.output)
			}
			if left := in.rows(t, "SELECT id FROM enrichment_tasks WHERE state = 'leased'"); len(left) > 0 {
				t.Errorf("%d tasks were not given back", len(left))
			}
			if left := in.rows(t, "SELECT host FROM hosts WHERE lease_until > 0"); len(left) > 0 {
				t.Errorf("%d hosts were not given back", len(left))
			}
		}
		p := in.launch(t, "serve")
		l.verify(t, p.serving(in).asAdmin(t))
		in.waitUntilDone(t, time.Minute)
		in.checkEffects(t)
		in.checkFeed(t)
		t.Logf("%s: %d stops under load, %d with tasks leased; the longest took %s; %d writes acknowledged, %d unanswered",
			engine, stops, begun, longest.Round(time.Millisecond), l.acknowledged.Load(), l.unanswered.Load())
	})
}

// TestDrillStopMigration interrupts many migrations at random moments.
func TestDrillStopMigration(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		outcomes := map[string]int{}
		whole := newInstallation(t, engine)
		whole.emptyDatabase(t)
		undisturbed := timed(t, whole, "migrate", "up")
		for n := range 24 {
			signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[n%2]
			outcomes[signal.String()+", "+interruptMigration(t, engine, signal, rand.N(undisturbed*5/4))]++
		}
		t.Logf("%s: %v; undisturbed it takes %s", engine, outcomes, undisturbed.Round(time.Millisecond))
	})
}

// timed runs a command and returns how long it took.
func timed(t *testing.T, in *installation, args ...string) time.Duration {
	t.Helper()
	binary.path(t) // built before the clock runs
	began := time.Now()
	if out, err := in.run(t, args...); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return time.Since(began)
}

// TestDrillStopBackup interrupts backups at random moments, under load: there is
// a whole file, or none.
func TestDrillStopBackup(t *testing.T) {
	in, l := newInstallation(t, "sqlite"), newLedger()
	p := in.launch(t, "serve")
	c := p.serving(in).asAdmin(t)
	f := newFeedServer(t)
	f.serve("/feed.xml", grantFeed(900))
	c.createSource(t, f.url("/feed.xml"))
	in.waitUntilDone(t, time.Minute)
	w := l.begin(c, endlessFeeds(t), 4, false)
	outcomes := map[string]int{}
	folder := t.TempDir()
	undisturbed := timed(t, in, "backup", filepath.Join(folder, "first.db"))
	for n := range 30 {
		file := filepath.Join(folder, "backup.db")
		signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[n%2]
		cmd := in.command(t, "backup", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(undisturbed * 5 / 4))
		_ = cmd.Process.Signal(signal) // it may be over
		_ = cmd.Wait()
		_, err := os.Stat(file)
		if os.IsNotExist(err) {
			outcomes[signal.String()+", no file"]++
			continue
		}
		outcomes[signal.String()+", whole file"]++
		if out, err := in.run(t, "backup", "verify", file); err != nil {
			t.Errorf("after %s there is a file that is no backup: %v %s", signal, err, out)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	close(w.stop)
	w.wait()
	if out, err := in.run(t, "backup", filepath.Join(folder, "last.db")); err != nil {
		t.Errorf("after all that: %v %s", err, out)
	}
	l.verify(t, c)
	in.checkEffects(t)
	left, _ := filepath.Glob(filepath.Join(folder, ".*"))
	t.Logf("%v; undisturbed it takes %s; %d temporary files are left by those that were killed", outcomes, undisturbed.Round(time.Millisecond), len(left))
	if len(left) > outcomes["killed, no file"] {
		t.Errorf("a backup that was told to stop left its temporary file: %s", strings.Join(left, " "))
	}
}
