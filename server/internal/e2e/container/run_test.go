//go:build container

package container

import (
	"archive/tar"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// grace is what engines give a container to stop, by default.
const grace = 10 * time.Second

// password returns the generated password of the first administrator: with
// docker cp, since there is no shell that could print the file.
func (c container) password() string {
	c.t.Helper()
	cmd := exec.Command("docker", "cp", c.id+":/data/admin-password.txt", "-")
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatal(err)
	}
	archive := tar.NewReader(strings.NewReader(string(out)))
	header, err := archive.Next()
	if err != nil || header.FileInfo().Mode().Perm() != 0o600 {
		c.t.Fatalf("%v, mode %v", err, header)
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestRun runs the image as the README does, without any setting but what lets
// it reach the feeds of the test: it becomes healthy, works, stops well, and
// another container goes on with its volume.
func TestRun(t *testing.T) {
	feeds, volume := serveFeeds(t), newVolume(t)
	options := append(runReachable(), "--volume", volume+":/data")
	c := start(t, options)
	t.Logf("healthy after %s", c.waitHealthy())
	password := c.password()
	s := login(t, c.url(), password)
	if _, ok, problem := s.addSource(feeds+"/one.xml", "one"); !ok {
		t.Fatal(problem)
	}
	s.waitFilled(30*time.Second, 1)
	t.Logf("memory: %s", c.memory())
	if strings.Contains(c.logs(), password) {
		t.Error("the password is in the log")
	}
	c.stop(grace)

	next := start(t, options)
	next.waitHealthy()
	s = login(t, next.url(), password)
	if found := s.sources(); len(found) != 1 {
		t.Errorf("sources after the restart: %v", found)
	}
	next.stop(grace)
}

// TestPasswordReset sets the administrator's password from outside, as somebody
// does who lost it.
func TestPasswordReset(t *testing.T) {
	c := start(t, runReachable())
	c.waitHealthy()
	const password = "Copper-Lantern-52-Falcon"
	cmd := exec.Command("docker", "exec", "--interactive", c.id, "kgl", "user", "set-password", adminEmail)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	login(t, c.url(), password)
}

// TestTerminal runs the image at a terminal, where the password is shown, and
// written nowhere.
func TestTerminal(t *testing.T) {
	c := start(t, append(runReachable(), "--tty"))
	c.waitHealthy()
	_, rest, ok := strings.Cut(c.logs(), "Password    ")
	if !ok {
		t.Fatalf("no password:\n%s", c.logs())
	}
	login(t, c.url(), strings.Fields(rest)[0])
	if _, err := run("", nil, "docker", "cp", c.id+":/data/admin-password.txt", "-"); err == nil {
		t.Error("the password was written to a file too")
	}
}

// TestImage looks into the image: who it runs as, what it has, what it says of
// itself.
func TestImage(t *testing.T) {
	c := start(t, runReachable())
	c.waitHealthy()
	if user := c.inspect("{{.Config.User}}"); user != "65532:65532" {
		t.Errorf("it runs as %q", user)
	}
	for _, program := range []string{"sh", "bash", "/bin/sh", "/bin/busybox", "apt", "curl"} {
		if out, err := c.exec(program, "--version"); !isMissing(err) {
			t.Errorf("there is a %s: %v %s", program, err, out)
		}
	}
	out, err := c.exec("kgl", "version")
	label := docker(t, "image", "inspect", "--format", `{{index .Config.Labels "org.opencontainers.image.version"}}`, image(t))
	if err != nil || label == "" || !strings.HasPrefix(out, "kgl "+label) {
		t.Errorf("version %q, label %q, %v", out, label, err)
	}
	if out, err := c.exec("kgl", "healthcheck"); err != nil || out != "ready\n" {
		t.Errorf("healthcheck: %v %q", err, out)
	}
	if programs := c.programs(); !slices.Equal(programs, []string{"usr/local/bin/kgl"}) {
		t.Errorf("programs of the image: %v", programs)
	}
}

// programs returns the files in the folders of programs, and those anywhere
// that run with the rights of their owner or group.
func (c container) programs() []string {
	c.t.Helper()
	cmd := exec.Command("docker", "export", c.id)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	var programs []string
	for archive := tar.NewReader(pipe); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			c.t.Fatal(err)
		}
		folder := path.Base(path.Dir(header.Name))
		mode := header.FileInfo().Mode()
		if mode.IsRegular() && (folder == "bin" || folder == "sbin" || mode&(os.ModeSetuid|os.ModeSetgid) != 0) {
			programs = append(programs, header.Name)
		}
	}
	if err := cmd.Wait(); err != nil {
		c.t.Fatal(err)
	}
	return programs
}

// TestLockedDown takes everything away that a container can do without, and
// gives it a user that the image does not know.
func TestLockedDown(t *testing.T) {
	feeds := serveFeeds(t)
	c := start(t, slices.Concat(runReachable(), []string{
		"--volume", newVolume(t) + ":/data", "--user", "12345:12345",
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--memory", "128m", "--memory-swap", "128m", "--pids-limit", "64", "--cpus", "0.5", "--ulimit", "core=0",
	}))
	c.waitHealthy()
	s := login(t, c.url(), c.password())
	for _, name := range []string{"a", "b", "c"} {
		if _, ok, problem := s.addSource(feeds+"/"+name+".xml", name); !ok {
			t.Fatal(problem)
		}
	}
	s.waitFilled(60*time.Second, 3)
	if out, err := c.exec("kgl", "audit", "verify"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if top := docker(t, "top", c.id, "-eo", "pid,uid,comm"); !strings.Contains(top, "12345") {
		t.Errorf("processes:\n%s", top)
	}
	// What differs from the image are only the places that something is mounted on.
	for line := range strings.Lines(docker(t, "diff", c.id)) {
		if name := strings.Fields(line)[1]; name != "/data" && !strings.HasPrefix(name, "/dev") && !strings.HasPrefix(name, "/etc") && !strings.HasPrefix(name, "/run") {
			t.Errorf("written outside of the volume: %s", line)
		}
	}
	c.stop(grace)
}

// TestSecretFiles mounts a secret with several modes: one that others can read
// is reported, one that others can change is refused.
func TestSecretFiles(t *testing.T) {
	for _, tt := range []struct {
		mode os.FileMode
		want string // in the log
		runs bool
	}{
		{0o600, "", true},
		{0o644, "can be read by every user of this machine", true},
		{0o666, "can be changed by every user of this machine", false},
	} {
		t.Run(tt.mode.String(), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "master_key")
			if err := os.WriteFile(file, []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			c := start(t, slices.Concat(runReachable(), asOwner(), []string{
				"--volume", newVolume(t) + ":/data", "--volume", file + ":/run/secrets/master_key:ro", "--env", "KGL_MASTER_KEY_FILE=/run/secrets/master_key",
			}))
			if tt.runs {
				c.waitHealthy()
			} else if code := c.waitEnd(); code != "1" {
				t.Errorf("exit code %s", code)
			}
			log := c.logs()
			if tt.want != "" && (!strings.Contains(log, tt.want) || !strings.Contains(log, "KGL_MASTER_KEY_FILE")) || tt.want == "" && strings.Contains(log, "every user") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// asOwner returns the option with which a container reads the files of whoever
// runs the test.
func asOwner() []string { return []string{"--user", userAndGroup(os.Getuid(), os.Getgid())} }

// TestUnhealthy has a server that is there and not ready: the check says so.
func TestUnhealthy(t *testing.T) {
	c := start(t, append(runReachable(), "--env", "KGL_ADDR=127.0.0.1:8000"))
	c.waitHealthy()
	if res, err := http.Get(c.url() + "/health"); err == nil {
		_ = res.Body.Close()
		t.Error("it answers the outside though it listens on the loopback address only")
	}
	if out, err := c.exec("kgl", "healthcheck", "--url", "http://127.0.0.1:1"); err == nil {
		t.Errorf("a check of nothing succeeds: %s", out)
	}
}
