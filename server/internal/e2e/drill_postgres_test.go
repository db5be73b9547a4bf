//go:build drill

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// TestDrillPostgresRestart restarts Postgres under load, ten times as after a
// crash and ten times in order, and once leaves it away for longer.
func TestDrillPostgresRestart(t *testing.T) {
	server := pgtest.NewServer(t)
	in := newInstallationOn(t, server)
	b := in.launch(t, "serve").serving(in)
	l := startTraffic(t, []*backend{b}, 4, 4, noConnection)
	l.waitFor(t, 50)
	for range 10 {
		l.restart(t, server, pgtest.StopImmediate)
		l.restart(t, server, pgtest.StopFast)
	}
	l.outage(t, "20 s without Postgres", func() {
		server.Stop(t, pgtest.StopImmediate)
		time.Sleep(10 * time.Second)
		if status := b.readiness(t); status != 503 {
			t.Errorf("readiness without Postgres is %d", status)
		}
		time.Sleep(10 * time.Second)
		server.Start(t)
	})
	l.report(t)
	l.check(t, in)
}

// TestDrillPostgresPromoted fails over to a standby, twice: the first server is
// lost, and the second one steps down to follow another.
func TestDrillPostgresPromoted(t *testing.T) {
	first := pgtest.NewServer(t)
	in := newInstallationOn(t, first)
	second := first.Standby(t)
	url := strings.Replace(in.setting("KGL_DATABASE_URL"), first.Addr(), first.Addr()+","+second.Addr(), 1) + "&target_session_attrs=read-write"
	in.environ = append(in.environ, "KGL_DATABASE_URL="+url)
	b := in.launch(t, "serve").serving(in)
	l := startTraffic(t, []*backend{b}, 4, 4, noConnection)
	l.waitFor(t, 100)
	// Nothing that was acknowledged may be missing on the standby.
	first.Execute(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")
	first.Execute(t, "postgres", "SELECT pg_reload_conf()")
	l.waitFor(t, 50)
	l.outage(t, "promotion after a crash", func() {
		first.Stop(t, pgtest.StopImmediate)
		second.Promote(t)
	})
	// What replaces a server under the same name: its sessions stay, and take no
	// writes any more. Sessions that are told so must not be used again.
	l.outage(t, "read-only for 3 s", func() {
		second.Execute(t, "postgres", "ALTER SYSTEM SET default_transaction_read_only = on")
		second.Execute(t, "postgres", "SELECT pg_reload_conf()")
		time.Sleep(3 * time.Second)
		if status := b.readiness(t); status != 503 {
			t.Errorf("readiness on a server that takes no writes is %d", status)
		}
		second.Execute(t, "postgres", "ALTER SYSTEM RESET default_transaction_read_only")
		second.Execute(t, "postgres", "SELECT pg_reload_conf()")
	})
	l.report(t)
	l.check(t, in)
}

// TestDrillHalfOpen lets all connections to Postgres die without a word, in the
// middle of queries and while idle, again and again under load.
func TestDrillHalfOpen(t *testing.T) {
	server := pgtest.NewServer(t)
	in := newInstallationOn(t, server)
	p := newProxy(t, server.Addr())
	direct := in.setting("KGL_DATABASE_URL")
	in.environ = append(in.environ, "KGL_DATABASE_URL="+p.url(direct, server.Addr()))
	run := in.launch(t, "serve")
	b := run.serving(in)
	l := startTraffic(t, []*backend{b}, 4, 4, noAnswer)
	l.waitFor(t, 50)
	for _, silent := range []time.Duration{0, time.Second, 15 * time.Second} {
		p.silence()
		time.Sleep(silent)
		if silent > 5*time.Second && b.readiness(t) != 503 {
			t.Error("readiness is not red while the network is silent")
		}
		p.heal()
		healed := time.Now()
		eventually(t, "new requests are answered and readiness is green", func() string {
			asked := time.Now()
			read := b.asAdmin(t).do("GET", "/api/v1/dashboard", "").status
			took, ready := time.Since(asked), b.readiness(t)
			if read == 200 && ready == 200 {
				return ""
			}
			return fmt.Sprintf("a read was answered with %d after %v, and then readiness was %d", read, took, ready)
		})
		back := time.Since(healed)
		l.waitFor(t, 20) // writers hung in the middle of a statement
		t.Logf("%v of silence: after it new requests were answered in %v, those that hung were repeated after %v",
			silent, back.Round(time.Millisecond), time.Since(healed).Round(time.Millisecond))
		if back > backAfter {
			t.Errorf("not back within %v", backAfter)
		}
	}
	l.report(t)
	for _, cause := range []string{"the connection is dead: no answer", "no connection to be had"} {
		n := strings.Count(run.output.String(), cause)
		t.Logf("%d lines of the log say: %s", n, cause)
		if n == 0 {
			t.Error("an operator is not told the cause")
		}
	}
	in.environ = append(in.environ, "KGL_DATABASE_URL="+direct) // for the check
	l.check(t, in)
}

// report logs what the traffic saw.
func (l *traffic) report(t *testing.T) {
	t.Helper()
	longest, failures, all := l.longest()
	t.Logf("%d requests, %d of them answered with 503; the longest took %v; %d writes acknowledged",
		all, failures, longest.Round(time.Millisecond), l.acknowledged())
}

// longest returns the answer that took longest, and how many were failures.
func (l *traffic) longest() (longest time.Duration, failures, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.answers {
		longest = max(longest, s.took)
		if s.status == http.StatusServiceUnavailable {
			failures++
		}
	}
	return longest, failures, len(l.answers)
}
