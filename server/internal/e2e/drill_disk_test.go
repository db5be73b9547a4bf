//go:build drill

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// smallDisk is a file system of a given size, which a test fills and empties.
type smallDisk struct {
	t    *testing.T
	root string
}

func newSmallDisk(t *testing.T, size string) *smallDisk {
	t.Helper()
	d := &smallDisk{t: t, root: openTempDir(t)}
	if err := syscall.Mount("kgl-drill", d.root, "tmpfs", 0, "mode=0755,size="+size); err != nil {
		t.Fatalf("mount a small file system, which needs Linux and root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.root, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *smallDisk) ballast() string { return filepath.Join(d.root, "ballast") }

// fill takes all the room that is left.
func (d *smallDisk) fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
}

// empty gives the room back.
func (d *smallDisk) empty() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

// newFullSite makes an installation on a small disk: with SQLite, its folder;
// with Postgres, the files of its server, but for the log of what it will
// write. (Without room for that Postgres ends, and so do reads: see
// TestDrillDiskFullOfPostgres.)
func newFullSite(t *testing.T, engine string) (*installation, *smallDisk) {
	t.Helper()
	if engine == "sqlite" {
		in, disk := newInstallation(t, engine), newSmallDisk(t, "24m")
		s := site{installation: in}
		s.moveTo(filepath.Join(disk.root, "data"))
		return in, disk
	}
	in, disk, server := newSmallPostgres(t)
	log := filepath.Join(openTempDir(t), "wal")
	script := `mv "$0/pg_wal" "$1" && ln -s "$1" "$0/pg_wal" && chown -h --reference="$0" "$0/pg_wal"`
	if out, err := exec.Command("sh", "-c", script, server.Data(), log).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	server.Start(t)
	return in, disk
}

// newSmallPostgres makes an installation whose server has all of its files on a
// small disk. The server is not started.
func newSmallPostgres(t *testing.T) (*installation, *smallDisk, *pgtest.Server) {
	t.Helper()
	server := pgtest.NewServer(t)
	in := newInstallation(t, "postgres", "KGL_DATABASE_URL="+server.CreateDatabase(t, "kgl"))
	if out, err := in.run(t, "migrate", "up"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	files, disk := server.Data(), newSmallDisk(t, "160m")
	server.Stop(t, pgtest.StopFast)
	at := filepath.Join(disk.root, "data")
	if out, err := exec.Command("cp", "-a", files, at).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	server.Place(at, durable...)
	return in, disk, server
}

// TestDrillDiskFull fills the disk of the database under load. Writes are
// refused in the form of the contract, reads go on, readiness says why, and the
// work in the background waits without filling the log. When there is room
// again everything goes on, and nothing that was acknowledged is lost.
func TestDrillDiskFull(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		in, disk := newFullSite(t, engine)
		p := in.launchIn(t, t.TempDir(), "serve")
		b := p.serving(in)
		c, l := b.asAdmin(t), newLedger()
		w := l.begin(c, endlessFeeds(t), 4, true)
		l.await(t, 100)
		disk.fill()
		eventually(t, "writes are refused", func() string {
			if n := l.refused("storage_full"); n < 20 {
				return fmt.Sprintf("%d were refused, %v", n, l.refusals())
			}
			return ""
		})
		eventually(t, "readiness says so", func() string { return unready(c, "storage_full") })
		checkReads(t, c)
		close(w.stop)
		w.wait()
		lines := in.quietLog(t, p, 20*time.Second)
		if lines > 40 {
			t.Errorf("%d lines were logged in 20 s without a request:\n%.6000s", lines, tail(p.output.String(), 6000))
		}
		if why := unready(c, "storage_full"); why != "" {
			t.Error(why)
		}
		checkReads(t, c)
		disk.empty()
		began := time.Now()
		eventually(t, "it is ready again", func() string {
			if res := c.do("GET", "/ready", ""); res.status != 200 {
				return string(res.body)
			}
			return ""
		})
		ready := time.Since(began)
		l.verify(t, c)
		in.waitUntilDone(t, 90*time.Second)
		worked := time.Since(began)
		l.verify(t, c)
		in.checkEffects(t)
		in.checkFeed(t)
		t.Logf("%s: %d writes acknowledged, %d refused (%v); %d lines of log in 20 s of a full disk; ready %s after there was room, all work done after %s",
			engine, l.acknowledged.Load(), l.unanswered.Load(), l.refusals(), lines, ready.Round(time.Millisecond), worked.Round(time.Millisecond))
	})
}

// unready asks for readiness and says what is missing of the answer that a full
// disk should have.
func unready(c *caller, code string) string {
	res := c.do("GET", "/ready", "")
	if res.status != 503 || !strings.Contains(string(res.body), fmt.Sprintf(`"error_code":%q`, code)) {
		return fmt.Sprintf("%d %s", res.status, res.body)
	}
	return ""
}

func checkReads(t *testing.T, c *caller) {
	t.Helper()
	for _, path := range []string{"/health", "/api/v1/sources", "/api/v1/content", "/api/v1/entities", "/api/v1/dashboard", "/api/v1/auth/me"} {
		if res := c.do("GET", path, ""); res.status != 200 {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}
	}
}

// quietLog counts the lines that a process logs in a time without requests.
func (in *installation) quietLog(t *testing.T, p *process, d time.Duration) int {
	t.Helper()
	before := strings.Count(p.output.String(), "\n")
	time.Sleep(d)
	return strings.Count(p.output.String(), "\n") - before
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

// waitUntilDone waits until every source was fetched and every task is done.
func (in *installation) waitUntilDone(t *testing.T, d time.Duration) {
	t.Helper()
	const open = "SELECT (SELECT count(*) FROM sources WHERE last_fetched_at IS NULL), (SELECT count(*) FROM enrichment_tasks WHERE state <> 'done')"
	for deadline := time.Now().Add(d); ; time.Sleep(200 * time.Millisecond) {
		row := in.rows(t, open)[0]
		if row[0] == "0" && row[1] == "0" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s sources were not fetched and %s tasks not done within %s", row[0], row[1], d)
		}
	}
}

// TestDrillDiskFullOfPostgres leaves Postgres no room even for its log: it ends,
// as it must. The backend says that it is away, stays, and goes on when its
// operator has made room and started it again.
func TestDrillDiskFullOfPostgres(t *testing.T) {
	in, disk, server := newSmallPostgres(t)
	server.Start(t)
	p := in.launch(t, "serve")
	c, l := p.serving(in).asAdmin(t), newLedger()
	w := l.begin(c, endlessFeeds(t), 4, true)
	l.await(t, 100)
	disk.fill()
	eventually(t, "Postgres has ended", func() string {
		// Each asks for another segment of the log.
		_ = exec.Command("psql", server.DatabaseURL(t, "kgl"), "-c", "CREATE TABLE IF NOT EXISTS x (); SELECT pg_switch_wal()").Run()
		if !strings.Contains(server.Log(), "PANIC") {
			return "it has not"
		}
		return ""
	})
	eventually(t, "readiness says so", func() string { return unready(c, "unavailable") })
	c.do("GET", "/health", "").want(t, 200)
	close(w.stop)
	w.wait()
	lines := in.quietLog(t, p, 20*time.Second)
	if lines > 80 {
		t.Errorf("%d lines were logged in 20 s without a request:\n%.6000s", lines, tail(p.output.String(), 6000))
	}
	disk.empty()
	server.Kill(t)
	server.Start(t)
	began := time.Now()
	eventually(t, "it is ready again", func() string {
		if res := c.do("GET", "/ready", ""); res.status != 200 {
			return string(res.body)
		}
		return ""
	})
	ready := time.Since(began)
	l.verify(t, c)
	in.waitUntilDone(t, 3*time.Minute)
	in.checkEffects(t)
	in.checkFeed(t)
	t.Logf("%d writes acknowledged, %d refused (%v); %d lines of log in 20 s without a database; ready %s after Postgres was, all work done after %s",
		l.acknowledged.Load(), l.unanswered.Load(), l.refusals(), lines, ready.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}
