//go:build container

package container

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// overrides lets the containers of compose.yaml find the feeds of the test.
const overrides = `
services:
  backend: &feeds {extra_hosts: ["` + feedHost + `:host-gateway"]}
  api: *feeds
  worker: *feeds
`

// composed are the files that a machine needs beside the image.
var composed = []string{"compose.yaml", "tools/env.sh", "tools/container/postgres-init.sh"}

// project is a copy of compose.yaml in a folder of its own, as on a machine
// that has the image and no sources.
type project struct {
	t       testing.TB
	name    string
	dir     string
	profile string // empty for the default
	url     string
}

// newProject makes a project. Its containers, networks and volumes are removed
// in the end.
func newProject(t testing.TB, profile string) *project {
	t.Helper()
	p := &project{
		t: t, dir: t.TempDir(), profile: profile, url: "http://" + freeAddress(t),
		name: newName(),
	}
	for _, name := range composed {
		data, err := os.ReadFile(filepath.Join("../../../..", name))
		if err != nil {
			t.Fatal(err)
		}
		p.write(name, string(data), 0o755)
	}
	p.write("compose.override.yaml", overrides, 0o644)
	p.write(".env", strings.Join(append([]string{"IMAGE=" + image(t), "PUBLISH=" + strings.TrimPrefix(p.url, "http://")}, reachable...), "\n")+"\n", 0o644)
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := p.try("logs", "--no-color", "--timestamps", "--tail", "60")
			t.Logf("logs:\n%s", out)
		}
		if out, err := p.try("down", "--volumes", "--remove-orphans", "--timeout", "10"); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	return p
}

func (p *project) write(name, text string, mode os.FileMode) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func userAndGroup(uid, gid int) string { return fmt.Sprintf("%d:%d", uid, gid) }

// try runs docker compose in the project.
func (p *project) try(args ...string) (string, error) {
	command := []string{"compose", "--project-name", p.name}
	if p.profile != "" {
		command = append(command, "--profile", p.profile)
	}
	return run(p.dir, nil, "docker", append(command, args...)...)
}

// compose runs docker compose, which must succeed.
func (p *project) compose(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// makeSecrets runs what `make env` runs, as a user of this machine.
func (p *project) makeSecrets(uid, gid int) string {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.dir, "tools/env.sh"))
	if uid != os.Getuid() {
		err := filepath.WalkDir(p.dir, func(name string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(name, uid, gid)
		})
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.Chmod(filepath.Dir(p.dir), 0o755); err != nil {
			p.t.Fatal(err)
		}
		cmd.Env = append(os.Environ(), "HOME="+p.dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{socketGroup(p.t)}}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v %s", err, out)
	}
	return string(out)
}

// socketGroup returns the group that may use Docker.
func socketGroup(t testing.TB) uint32 {
	t.Helper()
	info, err := os.Stat("/var/run/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Gid
}

// secret returns a secret that makeSecrets made.
func (p *project) secret(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "secrets", name))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// services returns the containers of a service.
func (p *project) services(name string) []container {
	p.t.Helper()
	var list []container
	for _, id := range strings.Fields(p.compose("ps", "--all", "--quiet", name)) {
		list = append(list, container{p.t, id})
	}
	return list
}

// service returns the only container of a service.
func (p *project) service(name string) container {
	p.t.Helper()
	list := p.services(name)
	if len(list) != 1 {
		p.t.Fatalf("%d containers of %s", len(list), name)
	}
	return list[0]
}

// up starts the project and waits until all of it is healthy.
func (p *project) up(args ...string) {
	p.t.Helper()
	began := time.Now()
	p.compose(append([]string{"up", "--detach", "--no-build", "--wait"}, args...)...)
	p.t.Logf("up %s: healthy after %s", strings.Join(args, " "), time.Since(began))
}

// checkHardening checks what holds for every container of the project.
func (p *project) checkHardening() {
	p.t.Helper()
	for _, id := range strings.Fields(p.compose("ps", "--all", "--quiet")) {
		c := container{p.t, id}
		const format = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Privileged}}"
		if got := c.inspect(format); got != "true [ALL] [no-new-privileges:true] false" {
			p.t.Errorf("%s: %s", c.inspect("{{.Name}}"), got)
		}
		if got := c.inspect("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.LogConfig.Config}}"); strings.Contains(" "+got+" ", " 0 ") || !strings.Contains(got, "max-size") {
			p.t.Errorf("%s has no limits: %s", c.inspect("{{.Name}}"), got)
		}
		for _, name := range []string{"postgres_password", "master_key", "admin_password"} {
			file := filepath.Join(p.dir, "secrets", name)
			if data, err := os.ReadFile(file); err == nil && strings.Contains(c.inspect("{{json .Config}}"), strings.TrimSpace(string(data))) {
				p.t.Errorf("%s shows %s to whoever inspects it", c.inspect("{{.Name}}"), name)
			}
		}
	}
}

// checkGone checks that nothing of the project is left once it was taken down.
func (p *project) checkGone() {
	p.t.Helper()
	p.compose("down", "--volumes")
	label := "label=com.docker.compose.project=" + p.name
	for _, list := range [][]string{{"ps", "--all", "--quiet"}, {"volume", "ls", "--quiet"}, {"network", "ls", "--quiet"}} {
		if left := docker(p.t, append(list, "--filter", label)...); left != "" {
			p.t.Errorf("docker %s: %s", strings.Join(list, " "), left)
		}
	}
}
