package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// within waits for the end of a process, and returns how long that took.
func (p *process) within(limit time.Duration) time.Duration {
	p.t.Helper()
	began := time.Now()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("still there after %s:\n%s", limit, p.output)
	}
	return time.Since(began)
}

// TestStopOutOfTime stops a server while a request takes longer than the grace:
// the request is broken off, and the server ends well and in time.
func TestStopOutOfTime(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite", "KGL_STOP_TIMEOUT=1s")
	p := in.launch(t, "serve")
	b := p.serving(in)
	b.beginLogin(t) // and never finishes it
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if took := p.within(10 * time.Second); p.err != nil || took < 900*time.Millisecond {
		t.Errorf("ended after %s with %v:\n%s", took, p.err, p.output)
	}
	if !strings.Contains(p.output.String(), "broken off") {
		t.Errorf("the log does not say that a request was broken off:\n%s", p.output)
	}
}

// TestSecondSignal stops a server twice: the second time it ends at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite", "KGL_STOP_TIMEOUT=1m")
	p := in.launch(t, "serve")
	b := p.serving(in)
	b.beginLogin(t)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stopping", func() string {
		if !strings.Contains(p.output.String(), `"message":"stopping"`) {
			return p.output.String()
		}
		return ""
	})
	select {
	case <-p.ended:
		t.Fatalf("it did not wait for the request:\n%s", p.output)
	case <-time.After(300 * time.Millisecond):
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	took := p.within(5 * time.Second)
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM || took > 2*time.Second {
		t.Errorf("ended after %s with %v", took, p.err)
	}
	checkIntegrity(t, in)
}

// TestInterruptedMigration ends migrations by signals, early and late: the next
// one finishes what is left, without help.
func TestInterruptedMigration(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			eachEngine(t, func(t *testing.T, engine string) {
				for n := range 4 {
					interruptMigration(t, engine, signal, time.Duration(n)*25*time.Millisecond)
				}
			})
		})
	}
}

// interruptMigration signals a migration of an empty database after some time,
// migrates again, and reports how the interrupted one ended.
func interruptMigration(t *testing.T, engine string, signal syscall.Signal, after time.Duration) string {
	t.Helper()
	in := newInstallation(t, engine)
	in.emptyDatabase(t)
	cmd := in.command(t, "migrate", "up")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	outcome := "finished"
	if _, failed := err.(*exec.ExitError); failed {
		outcome = "interrupted"
	}
	if out, err := in.run(t, "migrate", "up"); err != nil {
		t.Errorf("%s after %s: %v %s", signal, after, err, out)
	}
	if out, err := in.run(t, "migrate", "status"); err != nil {
		t.Errorf("%s after %s: %v %s", signal, after, err, out)
	}
	if engine == "sqlite" {
		checkIntegrity(t, in)
	}
	return outcome
}
