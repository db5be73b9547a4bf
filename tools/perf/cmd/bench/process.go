package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a program that the run started.
type process struct {
	name string
	base string // its URL
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process and waits for it.
func (p *process) stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not stop within 20 s of being told to", p.name)
	}
	return nil
}

// start runs one of the built programs and waits until path answers 200.
func (b *bench) start(ctx context.Context, name, program, path string, env []string, args ...string) (*process, error) {
	log := filepath.Join(b.work, name+".log")
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command(filepath.Join(b.bin, program), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	b.running = append(b.running, p)
	return p, p.await(ctx, path)
}

// await waits until a URL answers 200.
func (p *process) await(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at once: %s", p.name, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer %s within a minute: %s", p.name, target, p.tail())
		case <-tick.C:
		}
	}
}

// tail returns the end of the log.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	return strings.TrimSpace(string(text[max(0, len(text)-600):]))
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// serve starts the service on a database.
func (b *bench) serve(ctx context.Context, name, databaseURL, roles string, env ...string) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	all, err := b.environment(name, databaseURL)
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, name, "kgl", "http://"+addr+"/ready", append(append(all, "KGL_ADDR="+addr), env...), "serve", "--roles", roles)
	if p != nil {
		p.base = "http://" + addr
	}
	return p, err
}

// environment is that of the service on a database.
func (b *bench) environment(name, databaseURL string) ([]string, error) {
	dir := filepath.Join(b.work, name+"-data")
	return []string{
		"KGL_DATABASE_URL=" + databaseURL, "KGL_DATA_DIR=" + dir, "KGL_MASTER_KEY=" + b.secret,
		"KGL_ADMIN_PASSWORD=" + b.password(), "KGL_SEED_OPML=none", "KGL_MIGRATE_ON_START=true", "KGL_LOG_LEVEL=warn",
		"KGL_ALLOWED_NETWORKS=127.0.0.0/8", "KGL_HOST_DELAY=0s",
	}, os.MkdirAll(dir, 0o700)
}

// password is the administrator's in every database that is measured.
func (b *bench) password() string { return "measured-" + b.secret[:24] }

// stopAll ends processes and gives their errors.
func stopAll(list ...*process) error {
	var failures []error
	for _, p := range list {
		if p != nil {
			failures = append(failures, p.stop())
		}
	}
	return errors.Join(failures...)
}
