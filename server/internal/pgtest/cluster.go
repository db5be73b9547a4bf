package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// superuser is the operator of a temporary server.
const superuser = "kgl"

// Cluster is a running temporary server. It ends with Stop, with the process, or
// when nothing refers to it any more.
type Cluster struct {
	url   string
	guard *exec.Cmd
	pipe  io.Closer // the server ends when this end of the guard's input closes
}

// URL returns the URL of the server's maintenance database.
func (c *Cluster) URL() string { return c.url }

// Stop ends the server and removes its files.
func (c *Cluster) Stop() error {
	closing := c.pipe.Close()
	return errors.Join(closing, c.guard.Wait())
}

// Start starts a temporary server with binaries found on this machine, else
// with Docker. The error says what was tried and what to install.
func Start(ctx context.Context) (*Cluster, error) {
	cluster, local := startLocal(ctx, forgetful)
	if local == nil {
		return cluster, nil
	}
	cluster, docker := startDocker(ctx)
	if docker == nil {
		return cluster, nil
	}
	return nil, fmt.Errorf(`no server could be had.
  local binaries: %v
  Docker: %v
Do one of these:
  install PostgreSQL %d or newer (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17)
  start Docker
  set %s to the URL of a server whose user may create databases`, local, docker, MinMajor, EnvURL)
}

// StartDurable starts a temporary server with binaries found on this machine,
// on disk and with the settings of a new installation: what is committed is
// synced. It is for measurements, which Start's settings would flatter.
func StartDurable(ctx context.Context) (*Cluster, error) {
	return startLocal(ctx, durable)
}

// kind is what a local server is for.
type kind int

const (
	forgetful kind = iota // in memory where there is room; nothing outlives a crash
	durable               // on disk, with the settings of a new installation
)

// settings returns what a server is told besides where to listen.
func (k kind) settings() []string {
	if k == durable {
		return []string{"max_connections=200"}
	}
	return []string{
		"max_connections=200", "shared_buffers=64MB", "max_wal_size=256MB",
		// Nothing here outlives a crash, so nothing waits for the disk.
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
		// A worker that visits a template database would delay its copies.
		"autovacuum=off",
	}
}

// startLocal makes a cluster in a new folder and starts it. When this process
// runs as root, which PostgreSQL refuses, another user runs it.
func startLocal(ctx context.Context, k kind) (*Cluster, error) {
	bin, err := findBinaries(ctx)
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := owner.tempDir(k)
	if err != nil {
		return nil, err
	}
	cluster, err := runLocal(ctx, bin, dir, owner, k)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return cluster, nil
}

func runLocal(ctx context.Context, bin, dir string, owner account, k kind) (*Cluster, error) {
	password := rand.Text()
	if err := initialise(ctx, bin, dir, password, owner); err != nil {
		return nil, err
	}
	// Another process may take the free port before the server does: try again.
	var failure error
	for range 5 {
		cluster, err := serve(ctx, bin, dir, password, owner, k)
		if err == nil {
			return cluster, nil
		}
		failure = errors.Join(failure, err)
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, failure
}

// initialise runs initdb. The ICU locale sorts text as a user's server does, so
// that an order which forgot COLLATE "C" shows; where a build has no ICU, the
// plain locale must do.
func initialise(ctx context.Context, bin, dir, password string, owner account) error {
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	if err := owner.take(secret); err != nil {
		return err
	}
	var failure error
	for _, locale := range [][]string{
		{"--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"},
		{"--locale-provider=icu", "--icu-locale=en-US", "--locale=C"},
		{"--locale=C"},
	} {
		args := append([]string{
			"--pgdata", filepath.Join(dir, "data"), "--username", superuser, "--pwfile", secret,
			"--auth-local=trust", "--auth-host=password", "--encoding=UTF8", "--no-sync", "--no-instructions",
		}, locale...)
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), args...)
		cmd.Dir = dir
		owner.run(cmd)
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		failure = fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return failure
}

// errPortTaken is returned when the server could not listen on its port.
var errPortTaken = errors.New("the port was taken")

// guardScript runs the server ("$@") and waits for the end of its own input,
// which comes when the process that holds the other end stops the server or
// dies, be it by SIGKILL. Then it ends the server at once and removes the
// cluster ($0 is its folder).
const guardScript = `"$@" >"$0/log" 2>&1 & server=$!
cat >/dev/null
kill -QUIT "$server" 2>/dev/null; wait "$server"
rm -rf "$0"`

// serve starts the server on a free port and waits until it answers.
func serve(ctx context.Context, bin, dir, password string, owner account, k kind) (*Cluster, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	sockets := dir
	if len(sockets) > 80 { // a socket's path has room for about 100 bytes
		sockets = ""
	}
	args := []string{"-c", guardScript, dir, filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data")}
	listen := []string{"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=" + sockets}
	for _, setting := range append(listen, k.settings()...) {
		args = append(args, "-c", setting)
	}
	guard := exec.Command("/bin/sh", args...)
	guard.Dir = dir
	owner.run(guard)
	detach(guard)
	pipe, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password), Host: "127.0.0.1:" + port,
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	cluster := &Cluster{url: address.String(), guard: guard, pipe: pipe}
	if err := cluster.wait(ctx, func() error { return readLog(dir) }); err != nil {
		return nil, errors.Join(err, cluster.Stop())
	}
	return cluster, nil
}

// wait returns when the server answers; failed tells early that it never will.
func (c *Cluster) wait(ctx context.Context, failed func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.url)
		if err == nil {
			return conn.Close(ctx)
		}
		if fault := failed(); fault != nil {
			return fault
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server did not answer: %w", err)
		case <-tick.C:
		}
	}
}

// readLog returns an error when the log says that the server gave up.
func readLog(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // the guard has not opened it yet
	case err != nil:
		return err
	case strings.Contains(string(text), "Address already in use"):
		return errPortTaken
	case strings.Contains(string(text), "database system is shut down"), strings.Contains(string(text), "FATAL:  could not"):
		return fmt.Errorf("the server gave up: %s", text)
	}
	return nil
}

func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}
