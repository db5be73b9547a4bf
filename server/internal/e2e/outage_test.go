package e2e

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// backAfter is how soon after Postgres the service must be back.
const backAfter = 5 * time.Second

// newInstallationOn makes an installation in a new database of a server of the
// test's own.
func newInstallationOn(t *testing.T, server *pgtest.Server, environ ...string) *installation {
	t.Helper()
	url := server.CreateDatabase(t, "kgl")
	return newInstallation(t, "postgres", append([]string{"KGL_DATABASE_URL=" + url, "KGL_MIGRATE_ON_START=true"}, environ...)...)
}

// TestPostgresRestart crashes Postgres under load once. The drill of the same
// name does it often, and in each way.
func TestPostgresRestart(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	in := newInstallationOn(t, server)
	b := in.launch(t, "serve").serving(in)
	l := startTraffic(t, []*backend{b}, 2, 2, noConnection)
	l.waitFor(t, 10)
	l.restart(t, server, pgtest.StopImmediate)
	l.check(t, in)
}

// waitFor waits until so many more writes were acknowledged. Writers may hang
// until their requests are broken off.
func (l *traffic) waitFor(t *testing.T, more int) {
	t.Helper()
	want := l.acknowledged() + more
	for deadline := time.Now().Add(l.patience + 30*time.Second); l.acknowledged() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d writes were acknowledged, want %d", l.acknowledged(), want)
		}
	}
}

// restart restarts Postgres, waits until writes go on, and judges how soon they
// did.
func (l *traffic) restart(t *testing.T, server *pgtest.Server, mode pgtest.StopMode) {
	t.Helper()
	l.outage(t, "stop of mode "+string(mode), func() { server.Restart(t, mode) })
}

// outage lets bring take the database away and back, waits until writes go on,
// and judges how soon after it the service was back.
func (l *traffic) outage(t *testing.T, name string, bring func()) {
	t.Helper()
	began := time.Now()
	bring()
	up := time.Now()
	l.waitFor(t, 20)
	lastRead, read := l.settled(up, false)
	lastWrite, write := l.settled(up, true)
	settled := max(lastRead, lastWrite)
	short := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	t.Logf("%s: Postgres was away for %v; after it the first read succeeded in %v, the first write in %v, and the last failure came at %v",
		name, short(up.Sub(began)), short(read), short(write), short(settled))
	if read > backAfter || write > backAfter || settled > backAfter {
		t.Errorf("%s: not back within %v", name, backAfter)
	}
}
