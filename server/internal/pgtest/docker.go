package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
)

// dockerImage is the server that Docker runs.
const dockerImage = "postgres:17-alpine"

// dockerGuard removes the container ($0) when its input ends: see guardScript.
const dockerGuard = `cat >/dev/null; docker rm --force --volumes "$0" >/dev/null`

// startDocker runs the server in a container, in memory, on a free port of the
// loopback interface.
func startDocker(ctx context.Context) (*Cluster, error) {
	if _, err := docker(ctx, "info", "--format", "{{.ServerVersion}}"); err != nil {
		return nil, err
	}
	password := rand.Text()
	name := "kgl-test-" + strings.ToLower(rand.Text()[:12])
	guard := exec.Command("/bin/sh", "-c", dockerGuard, name)
	detach(guard)
	pipe, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, err
	}
	cluster := &Cluster{guard: guard, pipe: pipe}
	if err := cluster.runContainer(ctx, name, password); err != nil {
		return nil, errors.Join(err, cluster.Stop())
	}
	return cluster, nil
}

func (c *Cluster) runContainer(ctx context.Context, name, password string) error {
	_, err := docker(ctx, "run", "--detach", "--rm", "--name", name,
		"--publish", "127.0.0.1::5432", "--tmpfs", "/var/lib/postgresql/data", "--shm-size", "256m",
		"--env", "POSTGRES_USER="+superuser, "--env", "POSTGRES_PASSWORD="+password,
		"--env", "POSTGRES_INITDB_ARGS=--no-sync --locale-provider=icu --icu-locale=en-US",
		dockerImage, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "max_connections=200", "-c", "autovacuum=off")
	if err != nil {
		return err
	}
	address, err := docker(ctx, "port", name, "5432/tcp")
	if err != nil {
		return err
	}
	host, _, _ := strings.Cut(address, "\n")
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password), Host: host,
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	c.url = u.String()
	return c.wait(ctx, func() error {
		// The image listens on TCP only after it has set itself up.
		_, err := docker(ctx, "inspect", "--format", "{{.State.Running}}", name)
		return err
	})
}

// docker runs the Docker client and returns what it printed.
func docker(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).Output()
	if err != nil {
		detail := ""
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			detail = ": " + strings.TrimSpace(string(exit.Stderr))
		}
		return "", fmt.Errorf("docker %s: %w%s", args[0], err, detail)
	}
	return strings.TrimSpace(string(out)), nil
}
