package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// builtBinary is the program, built when a test first needs it.
type builtBinary struct {
	once sync.Once
	dir  string
	err  error
}

var binary builtBinary

// path returns where the program is.
func (b *builtBinary) path(t *testing.T) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "kgl-e2e-"); b.err != nil {
			return
		}
		// With the flags of the Makefile, so that nothing is compiled twice.
		flags := os.Getenv("GOFLAGS")
		if !strings.Contains(flags, "sqlite_fts5") {
			flags = "-buildvcs=false -trimpath -tags=sqlite_fts5,netgo,osusergo"
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(b.dir, "kgl"), "github.com/peermesh/kgl-backend/server/cmd/kgl")
		cmd.Env = append(os.Environ(), "GOFLAGS="+flags)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, "kgl")
}

// remove deletes the program.
func (b *builtBinary) remove() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// process is a running kgl.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	output *buffer
	ended  chan struct{}
	err    error
}

// command returns a kgl command in the folder of the installation.
func (in *installation) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary.path(t), args...)
	cmd.Dir = in.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + in.dir}, in.environ...)
	return cmd
}

// run runs a kgl command to its end and returns its output.
func (in *installation) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := in.command(t, args...).CombinedOutput()
	return string(out), err
}

// launch starts a kgl command that serves, on a free port. It does not wait.
func (in *installation) launch(t *testing.T, args ...string) *process {
	t.Helper()
	return in.launchOf(t, binary.path(t), args...)
}

// launchOf is launch with another build of the program.
func (in *installation) launchOf(t *testing.T, program string, args ...string) *process {
	t.Helper()
	port := freePort(t)
	p := &process{t: t, cmd: in.command(t, args...), output: &buffer{}, url: "http://127.0.0.1:" + port, ended: make(chan struct{})}
	p.cmd.Path = program
	p.cmd.Env = append(p.cmd.Env, "KGL_ADDR=127.0.0.1:"+port)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// serving waits until a process is ready and returns it as a backend.
func (p *process) serving(in *installation) *backend {
	p.t.Helper()
	eventually(p.t, "the process is ready", func() string {
		select {
		case <-p.ended:
			p.t.Fatalf("the process ended: %v\n%s", p.err, p.output)
		default:
		}
		res, err := http.Get(p.url + "/ready")
		if err != nil {
			return err.Error()
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return res.Status
		}
		return ""
	})
	return &backend{installation: in, url: p.url, seen: newCoverage(), tokens: map[string]adminToken{}}
}

// kill ends a process as a power cut does.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// TestStop stops a server while it answers requests and waits for a feed: it
// ends in time and well, and gives its claims back.
func TestStop(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in, f := newInstallation(t, engine, "KGL_FETCH_TIMEOUT=60s"), newFeedServer(t)
		asked := make(chan struct{}, 8)
		f.handle("/slow.xml", func(_ http.ResponseWriter, req *http.Request) {
			asked <- struct{}{}
			<-req.Context().Done()
		})
		p := in.launch(t, "serve")
		b := p.serving(in)
		id := b.asAdmin(t).createSource(t, f.url("/slow.xml")).ID
		<-asked
		finish := b.beginLogin(t)
		began := time.Now()
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "no new connection is taken", func() string {
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			if err != nil {
				return ""
			}
			_ = conn.Close()
			return "one was taken"
		})
		if status := finish(); status != "HTTP/1.1 200 OK" {
			t.Errorf("the request that was under way got %q", status)
		}
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
			t.Fatalf("still there after 10 s:\n%s", p.output)
		}
		if p.err != nil {
			t.Errorf("ended with %v after %s:\n%s", p.err, time.Since(began), p.output)
		}
		// The next one takes the host over at once, not when a lease of minutes
		// has run out, and the attempt that was broken off does not count.
		f.serve("/slow.xml", rssFeed("Slow", newItem("one")))
		b = in.launch(t, "serve").serving(in)
		c := b.asAdmin(t)
		if history := c.waitForFetches(t, id, 1); len(history) != 1 || history[0].Outcome != "new_content" {
			t.Errorf("history = %+v", history)
		}
	})
}

// beginLogin sends the head of a login and waits until the server asks for the
// body. What it returns sends that, and returns the first line of the answer.
func (b *backend) beginLogin(t *testing.T) (finish func() string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	answers := bufio.NewReader(conn)
	body := encode(t, client.LoginRequest{Email: b.admin.email, Password: b.admin.password})
	fmt.Fprintf(conn, "POST /api/v1/auth/login HTTP/1.1\r\nHost: kgl.test\r\nExpect: 100-continue\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%v %q", err, line)
	}
	return func() string {
		fmt.Fprint(conn, body)
		_, _ = answers.ReadString('\n') // the empty line behind 100 Continue
		line, err := answers.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(line)
	}
}

// TestStartTogether starts two servers at once on an empty database.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		in := newInstallation(t, engine, "KGL_MIGRATE_ON_START=true")
		in.emptyDatabase(t)
		first, second := in.launch(t, "serve"), in.launch(t, "serve")
		here, there := first.serving(in), second.serving(in)
		token := here.login(t, in.admin).AccessToken
		there.newCaller(t, token).do("GET", "/api/v1/users", "").want(t, 200)
		if users := walk(t, here.newCaller(t, token), "/api/v1/users", "", 100); len(users) != 1 {
			t.Errorf("%d users", len(users))
		}
		if out, err := in.run(t, "migrate", "status"); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
}

// newerSchema makes a database look as a migration leaves it that no binary of
// before fits.
const newerSchema = "UPDATE schema_migrations SET version = 9999; UPDATE settings SET value = '9999' WHERE key = 'schema_compatible_from'"

// TestSchemaThatDoesNotFit starts servers on databases that they cannot work
// with: each says what to do, and changes nothing.
func TestSchemaThatDoesNotFit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, engine, prepare, want string
	}{
		{"empty Postgres", "postgres", "", "kgl migrate up"},
		{"empty SQLite, told not to migrate", "sqlite", "", "kgl migrate up"},
		{"newer schema", "postgres", newerSchema, "newer kgl"},
		{"newer schema", "sqlite", newerSchema, "newer kgl"},
		{"dirty schema", "postgres", "UPDATE schema_migrations SET dirty = true", "dirty"},
		{"dirty schema", "sqlite", "UPDATE schema_migrations SET dirty = 1", "dirty"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.engine, func(t *testing.T) {
			in := newInstallation(t, tt.engine, "KGL_MIGRATE_ON_START=false")
			if tt.prepare == "" {
				in.emptyDatabase(t)
			} else {
				if out, err := in.run(t, "migrate", "up"); err != nil {
					t.Fatalf("%v %s", err, out)
				}
				in.execute(t, tt.prepare)
			}
			p := in.launch(t, "serve")
			select {
			case <-p.ended:
			case <-time.After(20 * time.Second):
				t.Fatalf("it serves:\n%s", p.output)
			}
			if p.err == nil || !strings.Contains(p.output.String(), tt.want) {
				t.Errorf("%v\n%s", p.err, p.output)
			}
			if out, err := in.run(t, "migrate", "status"); err == nil || !strings.Contains(out, tt.want) {
				t.Errorf("status: %v\n%s", err, out)
			}
		})
	}
}

// TestDemo starts the demo on an empty database: within ten seconds it has
// content, entities and a dashboard.
func TestDemo(t *testing.T) {
	in := newInstallation(t, "sqlite")
	binary.path(t)
	began := time.Now()
	p := in.launch(t, "demo", "--feeds-addr", "127.0.0.1:"+freePort(t))
	b := p.serving(in)
	c := b.newCaller(t, b.login(t, in.admin).AccessToken)
	eventually(t, "the demo is full", func() string {
		if d := c.dashboard(t); d.Content.Total < 100 || d.Content.Processed < 100 || d.Entities.Total < 20 || d.Relationships.Total < 20 || d.Sources.Total != 5 {
			return encode(t, d)
		}
		return ""
	})
	took := time.Since(began)
	t.Logf("full after %s", took)
	if took > 10*time.Second {
		t.Errorf("the demo was full after %s only", took)
	}
	checkEntityTypes(t, c.dashboard(t))
	for _, secret := range []string{in.admin.password, in.setting("KGL_MASTER_KEY"), "kglr_"} {
		if strings.Contains(p.output.String(), secret) {
			t.Error("the output holds a secret")
		}
	}
}

// TestGeneratedPassword starts without a password for the first administrator,
// and without a terminal: it is in a file for the owner's eyes only, and
// nowhere else.
func TestGeneratedPassword(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "sqlite", "KGL_ADMIN_PASSWORD=")
	p := in.launch(t, "serve")
	b := p.serving(in)
	path := filepath.Join(in.dir, "admin-password.txt")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, mode %v", err, info)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	password := strings.TrimSpace(string(data))
	b.login(t, account{email: in.admin.email, password: password})
	if strings.Contains(p.output.String(), password) {
		t.Error("the generated password is in the log")
	}
	for _, guess := range []string{"admin", "password", "kgl", "changeme"} {
		b.tryLogin(t, "192.0.2.5", in.admin.email, guess).want(t, 401)
	}
}
