//go:build drill

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestDrillFailingSync lets syncs of the disk fail, one by one, under a load of
// writes, and forgets what each was about, as Linux does. Who asked is told that
// the outcome is not known; the same request with the same Idempotency-Key
// settles it. At the end the power is cut: nothing acknowledged is lost.
func TestDrillFailingSync(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		const failures = 10
		s, l := newSite(t, engine), newLedger()
		p := s.launchIn(t, s.disk.folder, "serve")
		c := p.serving(s.installation).asAdmin(t)
		w := l.begin(c, endlessFeeds(t), 4, true)
		for n := range int64(failures) {
			l.await(t, 30*(n+1))
			before := l.unanswered.Load()
			s.disk.tell("fail 1")
			eventually(t, "a request met the failure, or the server of the database did", func() string {
				if l.unanswered.Load() == before && s.disk.tell("failing") != "0" {
					return "not yet"
				}
				return ""
			})
		}
		acknowledged := l.acknowledged.Load()
		l.await(t, acknowledged+50) // it goes on
		close(w.stop)
		w.wait()
		codes := l.refusals()
		l.verify(t, c)
		s.checkFeed(t)
		if engine == "sqlite" {
			s.checkEffects(t)
		}
		if len(codes) != 1 || codes["unavailable"] == 0 {
			t.Errorf("failing syncs were answered with %v", codes)
		}
		if n := strings.Count(p.output.String(), "is not known"); engine == "sqlite" && n == 0 {
			t.Errorf("the log does not say of any write that its outcome is not known:\n%.3000s", p.output)
		}
		images := s.cut(p, 1)
		for _, survival := range survivals {
			s.recover(t, filepath.Join(images, survival))
			after := s.launchIn(t, s.disk.folder, "serve")
			future := l.clone()
			future.verify(t, after.serving(s.installation).asAdmin(t))
			s.checkEffects(t)
			after.kill()
		}
		t.Logf("%s: %d failing syncs, %d writes acknowledged, %d answered with %v", engine, failures, l.acknowledged.Load(), l.unanswered.Load(), codes)
	})
}
