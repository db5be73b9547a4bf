//go:build container

package container

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// tools is an image with a shell and GNU tools; the profile postgres needs it
// anyway.
const tools = "pgvector/pgvector:pg17"

// commandTime bounds one docker command.
const commandTime = 3 * time.Minute

// image is the image under test.
func image(t testing.TB) string {
	t.Helper()
	name := os.Getenv("KGL_TEST_IMAGE")
	if name == "" {
		t.Fatal("KGL_TEST_IMAGE does not name the image under test: use `make test-container`")
	}
	return name
}

// newName returns a name for something of Docker's. It begins with the name of
// this run, by which what a broken run left behind is found.
func newName() string {
	return cmp.Or(os.Getenv("KGL_TEST_RUN"), "kgltest") + "-" + strings.ToLower(rand.Text()[:10])
}

// run runs a program in a folder and returns what it prints; the error holds
// what it complains about.
func run(dir string, environ []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// docker runs a docker command that must succeed, and returns its trimmed output.
func docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := run("", nil, "docker", args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// eventually waits until check returns nothing, and fails with what it returned
// last when that takes longer than limit.
func eventually(t testing.TB, limit time.Duration, what string, check func() string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		reason := check()
		if reason == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s: %s", limit, what, reason)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// container is a container that exists, by its id or name.
type container struct {
	t  testing.TB
	id string
}

// start runs the image with the options of `docker run` in front of its
// arguments. The container and its nameless volumes are removed in the end.
func start(t testing.TB, options []string, args ...string) container {
	t.Helper()
	command := slices.Concat([]string{"run", "--detach", "--name", newName(), "--publish", "127.0.0.1::8000"}, options, []string{image(t)}, args)
	c := container{t, docker(t, command...)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the container:\n%s", c.logs())
		}
		if _, err := run("", nil, "docker", "rm", "--force", "--volumes", c.id); err != nil {
			t.Error(err)
		}
	})
	return c
}

// newVolume makes an empty volume that is removed in the end.
func newVolume(t testing.TB) string {
	t.Helper()
	name := docker(t, "volume", "create", newName())
	t.Cleanup(func() {
		if _, err := run("", nil, "docker", "volume", "rm", "--force", name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// inspect returns what a template of `docker inspect` says of the container.
func (c container) inspect(format string) string {
	c.t.Helper()
	return docker(c.t, "inspect", "--format", format, c.id)
}

// exec runs a program inside and returns its output.
func (c container) exec(args ...string) (string, error) {
	return run("", nil, "docker", append([]string{"exec", c.id}, args...)...)
}

// logs returns what the container wrote so far.
func (c container) logs() string {
	out, err := exec.Command("docker", "logs", c.id).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// url returns where this machine reaches the API of the container.
func (c container) url() string {
	c.t.Helper()
	port, _, _ := strings.Cut(docker(c.t, "port", c.id, "8000/tcp"), "\n")
	return "http://" + port
}

// waitHealthy waits until the health check of the image is content, and
// returns how long that took.
func (c container) waitHealthy() time.Duration {
	c.t.Helper()
	began := time.Now()
	eventually(c.t, 90*time.Second, "healthy", func() string {
		state := c.inspect("{{.State.Status}} {{with .State.Health}}{{.Status}}{{end}}")
		if strings.HasPrefix(state, "exited") {
			c.t.Fatalf("the container ended:\n%s", c.logs())
		}
		if state != "running healthy" {
			return state
		}
		return ""
	})
	return time.Since(began)
}

// waitEnd waits until the container has ended and returns its exit code.
func (c container) waitEnd() string {
	c.t.Helper()
	return docker(c.t, "wait", c.id)
}

// stop ends the container as an engine does when it is told to, and checks
// that it went well within the grace period.
func (c container) stop(grace time.Duration) {
	c.t.Helper()
	began := time.Now()
	docker(c.t, "stop", "--time", fmt.Sprint(int(grace.Seconds())), c.id)
	if took, code := time.Since(began), c.inspect("{{.State.ExitCode}}"); took > grace || code != "0" {
		c.t.Errorf("stopped after %s with exit code %s:\n%s", took, code, c.logs())
	}
}

// crash kills the first process of the container from outside, as the kernel
// does when memory runs out: for the engine that is no stop by the operator, so
// the restart policy counts. It waits until the engine has started it anew.
func (c container) crash() {
	c.t.Helper()
	before := c.inspect("{{.State.StartedAt}}")
	pid := c.inspect("{{.State.Pid}}")
	docker(c.t, "run", "--rm", "--name", newName(), "--pid", "host", "--entrypoint", "bash", tools, "-c", "kill -9 "+pid)
	eventually(c.t, 30*time.Second, "started again", func() string {
		state := c.inspect("{{.State.Status}} {{.State.StartedAt}}")
		if state == "running "+before || !strings.HasPrefix(state, "running ") {
			return state
		}
		return ""
	})
}

// memory returns the memory in use as `docker stats` shows it.
func (c container) memory() string {
	c.t.Helper()
	used, _, _ := strings.Cut(docker(c.t, "stats", "--no-stream", "--format", "{{.MemUsage}}", c.id), " /")
	return used
}

// isMissing reports whether an error of exec says that there is no such program.
func isMissing(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && (exit.ExitCode() == 126 || exit.ExitCode() == 127)
}
