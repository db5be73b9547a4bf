//go:build drill

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// site is an installation whose database lies on a disk whose power can be cut.
type site struct {
	*installation
	disk   *lossyDisk
	server *pgtest.Server // with Postgres
}

// durable are the settings of a Postgres that keeps its word; the rest is as it
// comes.
var durable = []string{"fsync=on"}

// newSite makes an installation on a lossy disk: with SQLite, its whole folder;
// with Postgres, the files of a server of its own, which has the schema already.
func newSite(t *testing.T, engine string, environ ...string) *site {
	t.Helper()
	if engine == "sqlite" {
		s := &site{installation: newInstallation(t, engine, environ...), disk: newLossyDisk(t, "")}
		s.moveTo(filepath.Join(s.disk.mount, "data"))
		return s
	}
	server := pgtest.NewServer(t)
	in := newInstallation(t, engine, append([]string{"KGL_DATABASE_URL=" + server.CreateDatabase(t, "kgl")}, environ...)...)
	if out, err := in.run(t, "migrate", "up"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	files := server.Data()
	server.Stop(t, pgtest.StopFast)
	s := &site{installation: in, disk: newLossyDisk(t, filepath.Dir(files)), server: server}
	server.Place(filepath.Join(s.disk.mount, filepath.Base(files)), durable...)
	server.Start(t)
	return s
}

// moveTo lets the commands use another folder, with SQLite.
func (s *site) moveTo(dir string) {
	s.dir = dir
	s.environ = append(s.environ, "KGL_DATABASE_URL=sqlite:///"+s.databaseFile(), "KGL_DATA_DIR="+dir)
}

// cut cuts the power of the machine: the disk, the server of the database and
// the backend are gone.
func (s *site) cut(p *process, seed uint64) (images string) {
	images = s.disk.cut(seed)
	_ = p.cmd.Process.Kill()
	<-p.ended
	if s.server != nil {
		s.server.Kill(s.disk.t)
	}
	return images
}

// recover lets the machine come up with what is left of its disk.
func (s *site) recover(t *testing.T, image string) {
	t.Helper()
	if s.server == nil {
		s.moveTo(filepath.Join(image, "data"))
		return
	}
	s.server.Kill(t)
	s.server.Place(filepath.Join(image, filepath.Base(s.server.Data())), durable...)
	s.server.Start(t)
}

// TestDrillPowerLoss cuts the power under a load of writes, again and again, and
// looks at three disks that may come of it: nothing unsynced has survived, the
// names of files have, or sectors by chance. Nothing that was acknowledged is
// lost on any of them.
func TestDrillPowerLoss(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		const cuts = 5
		var acknowledged, unanswered int64
		for n := range uint64(cuts) {
			s, l := newSite(t, engine), newLedger()
			p, seed := s.loadAndCut(t, l, 150+rand.Int64N(300))
			images := s.cut(p.process, seed)
			p.w.wait()
			acknowledged, unanswered = acknowledged+l.acknowledged.Load(), unanswered+l.unanswered.Load()
			for _, survival := range survivals {
				s.recover(t, filepath.Join(images, survival))
				s.checkFiles(t)
				p := s.launch(t, "serve")
				future := l.clone()
				future.verify(t, p.serving(s.installation).asAdmin(t))
				s.checkEffects(t)
				s.checkFeed(t)
				p.kill()
				if t.Failed() {
					t.Fatalf("cut %d, seed %d, %s\n%.3000s", n, seed, survival, p.output)
				}
			}
		}
		t.Logf("%s: %d cuts, 3 disks each, %d writes acknowledged, %d unanswered", engine, cuts, acknowledged, unanswered)
	})
}

// loaded is a server under load.
type loaded struct {
	*process
	w *writers
}

// loadAndCut serves, and lets writers write until so much is acknowledged.
func (s *site) loadAndCut(t *testing.T, l *ledger, acknowledged int64) (loaded, uint64) {
	t.Helper()
	p := s.launchIn(t, s.disk.folder, "serve")
	w := l.begin(p.serving(s.installation).asAdmin(t), endlessFeeds(t), 6, false)
	l.await(t, acknowledged)
	return loaded{p, w}, rand.Uint64()
}

// await waits until so many writes are acknowledged.
func (l *ledger) await(t *testing.T, n int64) {
	t.Helper()
	eventually(t, "enough was written", func() string {
		if have := l.acknowledged.Load(); have < n {
			return fmt.Sprintf("%d of %d", have, n)
		}
		return ""
	})
}

// checkFiles has the engine look at every page and index of a database as the
// power loss left it. (amcheck comes with Postgres's contrib modules.)
func (s *site) checkFiles(t *testing.T) {
	t.Helper()
	if s.engine == "sqlite" {
		checkIntegrity(t, s.installation)
		return
	}
	s.execute(t, "CREATE EXTENSION IF NOT EXISTS amcheck")
	s.rows(t, `SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relpersistence <> 't'`)
	faults := s.rows(t, `SELECT c.relname, f.msg FROM pg_class c, LATERAL verify_heapam(c.oid) f
		WHERE c.relkind IN ('r', 't') AND c.relnamespace = 'public'::regnamespace`)
	if len(faults) > 0 {
		t.Errorf("%d faults in the tables, such as %v", len(faults), faults[0])
	}
}

// launchIn is launch with another working folder: that of the installation may
// not be there yet.
func (in *installation) launchIn(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	home := in.dir
	in.dir = dir
	defer func() { in.dir = home }()
	return in.launch(t, args...)
}

// TestDrillPowerLossIsSeen lets the disk lie, as one does whose cache forgets,
// or a database that does not sync: the drill must find what is lost.
func TestDrillPowerLossIsSeen(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		s, l := newSite(t, engine), newLedger()
		p := s.launchIn(t, s.disk.folder, "serve")
		w := l.begin(p.serving(s.installation).asAdmin(t), endlessFeeds(t), 6, false)
		l.await(t, 50)
		s.disk.tell("lie on")
		l.await(t, 200)
		images := s.cut(p, 1)
		w.wait()
		s.recover(t, filepath.Join(images, "none"))
		b := s.launch(t, "serve").serving(s.installation)
		lost := l.complaints(t, b.asAdmin(t))
		t.Logf("%s: %d writes acknowledged, and of those after the disk began to lie %d complaints, such as: %s",
			engine, l.acknowledged.Load(), len(lost), strings.Join(lost[:min(1, len(lost))], ""))
		if len(lost) < 50 {
			t.Errorf("the drill found %d of about 150 lost writes", len(lost))
		}
	})
}

// TestDrillPowerLossFiles cuts the power around the first start of an
// installation that makes its own secrets: whatever was told of is there, and
// the next start works.
func TestDrillPowerLossFiles(t *testing.T) {
	const cuts = 12
	var told int
	for n := range uint64(cuts) {
		s := newSite(t, "sqlite", "KGL_ADMIN_PASSWORD=")
		p := s.launchIn(t, s.disk.folder, "serve")
		// Some cuts come while it still starts, the others when it serves.
		if n%3 > 0 {
			time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		} else {
			p.serving(s.installation)
		}
		password, _ := os.ReadFile(filepath.Join(s.dir, "admin-password.txt"))
		known := strings.Contains(p.output.String(), "the password is in a file")
		var token string
		if known {
			told++
			b := p.serving(s.installation)
			token = b.login(t, account{email: s.admin.email, password: strings.TrimSpace(string(password))}).AccessToken
		}
		images := s.cut(p, n)
		for _, survival := range survivals {
			s.recover(t, filepath.Join(images, survival))
			after := s.launchIn(t, s.disk.folder, "serve")
			b := after.serving(s.installation)
			kept, err := os.ReadFile(filepath.Join(s.dir, "admin-password.txt"))
			if err != nil {
				t.Fatalf("cut %d, %s: nobody knows the password: %v\n%s", n, survival, err, after.output)
			}
			if known && string(kept) != string(password) {
				t.Errorf("cut %d, %s: another password than the one told of", n, survival)
			}
			if res := b.tryLogin(t, "192.0.2.1", s.admin.email, strings.TrimSpace(string(kept))); res.status != 200 {
				t.Errorf("cut %d, %s: the password of the file is not that of the account: %d", n, survival, res.status)
			}
			if token != "" {
				b.newCaller(t, token).do("GET", "/api/v1/auth/me", "").want(t, 200)
			}
			after.kill()
		}
	}
	t.Logf("%d cuts, 3 disks each; %d after the password was told of", cuts, told)
	if told == 0 || told == cuts {
		t.Error("all cuts came before the first start was over, or all after it")
	}
}
