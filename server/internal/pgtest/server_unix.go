//go:build unix

package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a PostgreSQL server of one test, which may break it: end it in any
// way, start it again on the same port, copy it into a standby and promote
// that. It needs binaries on this machine.
type Server struct {
	bin, dir string
	password string
	owner    account
	port     string
	running  *Cluster

	// Set by Place.
	place    string
	settings []string
}

// StopMode is how a server is stopped, in the words of pg_ctl.
type StopMode string

// The modes of Stop.
const (
	// StopFast ends the sessions and writes everything out.
	StopFast StopMode = "fast"
	// StopImmediate ends the server as a crash does: its next start recovers.
	StopImmediate StopMode = "immediate"
)

// NewServer starts a server that ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s, err := newServer(t.Context(), rand.Text())
	if err != nil {
		t.Fatalf("PostgreSQL for the test: %v", err)
	}
	s.endWith(t)
	if err := initialise(t.Context(), s.bin, s.dir, s.password, s.owner); err != nil {
		t.Fatalf("PostgreSQL for the test: %v", err)
	}
	// A standby connects as the superuser does.
	hba := "local all all trust\nhost all all 127.0.0.1/32 password\nhost replication all 127.0.0.1/32 password\n"
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	return s
}

func newServer(ctx context.Context, password string) (*Server, error) {
	bin, err := findBinaries(ctx)
	if err != nil {
		return nil, err
	}
	// Links on the PATH may lead to some of the programs only.
	program, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres"))
	if err != nil {
		return nil, err
	}
	bin = filepath.Dir(program)
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := owner.tempDir(forgetful)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Server{bin: bin, dir: dir, password: password, owner: owner, port: port}, nil
}

func (s *Server) endWith(t testing.TB) {
	t.Cleanup(func() {
		if s.running != nil {
			_ = s.running.Stop()
		}
		_ = os.RemoveAll(s.dir)
	})
}

func (s *Server) data() string {
	if s.place != "" {
		return s.place
	}
	return filepath.Join(s.dir, "data")
}

// Addr returns the host and port on which the server listens while it runs.
func (s *Server) Addr() string { return "127.0.0.1:" + s.port }

// URL returns the URL of the server's maintenance database.
func (s *Server) URL() string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password), Host: s.Addr(),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}

// keepScript is guardScript for a server whose files stay.
const keepScript = `"$@" >>"$0/log" 2>&1 & server=$!
cat >/dev/null
kill -QUIT "$server" 2>/dev/null; wait "$server"`

// Start starts the server and waits until it answers; a standby, until it
// answers queries.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	args := []string{"-c", keepScript, s.dir, filepath.Join(s.bin, "postgres"), "-D", s.data()}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + s.port, "unix_socket_directories=",
		"max_connections=100", "shared_buffers=64MB", "fsync=off", "wal_level=replica", "max_wal_senders=4",
		"wal_retrieve_retry_interval=100ms",
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	guard := exec.Command("/bin/sh", args...)
	guard.Dir = s.dir
	s.owner.run(guard)
	detach(guard)
	pipe, err := guard.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.Start(); err != nil {
		t.Fatalf("start the server: %v", err)
	}
	s.running = &Cluster{url: s.URL(), guard: guard, pipe: pipe}
	if err := s.running.wait(t.Context(), func() error { return nil }); err != nil {
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		t.Fatalf("PostgreSQL for the test: %v\n%s", err, text)
	}
}

// Stop stops the server and waits until it is gone.
func (s *Server) Stop(t testing.TB, mode StopMode) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	signal := syscall.SIGINT
	if mode == StopImmediate {
		signal = syscall.SIGQUIT
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("stop the server: %v", err)
	}
	for deadline := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server did not stop")
		}
	}
	_ = s.running.Stop() // what waits for it
	s.running = nil
}

// Restart stops the server and starts it again.
func (s *Server) Restart(t testing.TB, mode StopMode) {
	t.Helper()
	s.Stop(t, mode)
	s.Start(t)
}

// Standby starts a copy of the server that follows it.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby, err := newServer(t.Context(), s.password)
	if err != nil {
		t.Fatalf("PostgreSQL for the test: %v", err)
	}
	standby.endWith(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "pg_basebackup"), "--pgdata", standby.data(), "--dbname", s.URL(),
		"--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--wal-method=stream")
	cmd.Dir = standby.dir
	s.owner.run(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the server: %v: %s", err, out)
	}
	standby.Start(t)
	return standby
}

// Promote makes a standby a server of its own, which takes writes.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if err := execute(t.Context(), s.URL(), "SELECT pg_promote(true, 60)"); err != nil {
		t.Fatal(err)
	}
}

// Execute runs one statement in a database of the server.
func (s *Server) Execute(t testing.TB, database, statement string) {
	t.Helper()
	if err := execute(t.Context(), s.DatabaseURL(t, database), statement); err != nil {
		t.Fatal(err)
	}
}

// DatabaseURL returns the URL of a database of the server.
func (s *Server) DatabaseURL(t testing.TB, database string) string {
	t.Helper()
	u, err := withDatabase(s.URL(), database)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// CreateDatabase makes an empty database and returns its URL.
func (s *Server) CreateDatabase(t testing.TB, name string) string {
	t.Helper()
	s.Execute(t, "postgres", fmt.Sprintf("CREATE DATABASE %s", quote(name)))
	return s.DatabaseURL(t, name)
}
