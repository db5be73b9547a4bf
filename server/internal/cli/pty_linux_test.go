package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// newTerminal returns both ends of a new pseudo terminal: pty(7).
func newTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	var unlock, number int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return master, terminal
}

// screen collects what is written to a terminal.
func screen(master io.Reader) func() string {
	var mu sync.Mutex
	var shown bytes.Buffer
	go func() {
		part := make([]byte, 4096)
		for {
			n, err := master.Read(part)
			mu.Lock()
			shown.Write(part[:n])
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return shown.String()
	}
}

func (s *shell) runOnTerminal(ctx context.Context, terminal *os.File, stdout io.Writer, args ...string) int {
	return Run(ctx, Env{
		Args: args, Environ: s.environ, Stdin: terminal, Stdout: stdout, Stderr: terminal,
		Clock: kgl.ClockFunc(time.Now), Random: rand.Reader, Jitter: func() float64 { return 0 }, Version: "1.2.3",
	})
}

func until(t *testing.T, shown func() string, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(shown()); m != nil {
			return m
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q on the terminal:\n%s", pattern, shown())
		}
	}
}

// At a terminal the server says where it is and how to get in, and keeps the
// password nowhere else.
func TestServeAtATerminal(t *testing.T) {
	s := newShell(t, "")
	s.environ = append(s.environ, "KGL_SEED_OPML=none", "KGL_ADDR=127.0.0.1:0", "KGL_ROLES=api")
	master, terminal := newTerminal(t)
	shown := screen(master)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- s.runOnTerminal(ctx, terminal, io.Discard, "serve") }()
	m := until(t, shown, `(?s)Swagger UI  (http://127\.0\.0\.1:\d+/docs)\r\n.*Admin       (\S+)\r\n  Password    (\S+)   \(shown this once`)
	if m[2] != "admin@kgl.local" || len(m[3]) < 20 {
		t.Errorf("admin %q with a password of %d characters", m[2], len(m[3]))
	}
	if strings.Contains(shown(), `"message"`) {
		t.Error("a person at a terminal is shown JSON")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "admin-password.txt")); err == nil {
		t.Error("the password that was shown is in a file, too")
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A password is typed twice and never shown.
func TestPasswordPrompt(t *testing.T) {
	s := newShell(t, "")
	s.want(0, line("migrate up"))
	for _, tc := range []struct {
		second, want string
		code         int
	}{{goodPassword + "x", "the two passwords differ", 1}, {goodPassword, "", 0}} {
		master, terminal := newTerminal(t)
		shown := screen(master)
		ended := make(chan int, 1)
		var stdout bytes.Buffer
		go func() { ended <- s.runOnTerminal(t.Context(), terminal, &stdout, "user", "create", "ada@example.org") }()
		until(t, shown, "Password: ")
		typeLine(t, master, terminal, goodPassword)
		until(t, shown, "Again: ")
		typeLine(t, master, terminal, tc.second)
		if code := <-ended; code != tc.code {
			t.Errorf("exit code %d, want %d: %s", code, tc.code, shown())
		}
		if tc.want != "" {
			until(t, shown, tc.want)
		}
		if strings.Contains(shown()+stdout.String(), goodPassword) {
			t.Error("the password was shown")
		}
	}
}

// typeLine types once the terminal does not echo any more.
func typeLine(t *testing.T, master, terminal *os.File, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		var state syscall.Termios
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&state))); errno != 0 {
			t.Fatal(errno)
		}
		if state.Lflag&syscall.ECHO == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the terminal echoes what is typed")
		}
	}
	if _, err := master.WriteString(text + "\n"); err != nil {
		t.Fatal(err)
	}
}

// At a terminal a copy is a bar, and what is told stands on lines of its own.
func TestCopyAtATerminal(t *testing.T) {
	s, _ := newInstallation(t, "")
	master, terminal := newTerminal(t)
	shown := screen(master)
	var stdout bytes.Buffer
	if code := s.runOnTerminal(t.Context(), terminal, &stdout, "db", "copy", "--to", s.database()+".copy"); code != 0 {
		t.Fatalf("exit code %d: %s", code, shown())
	}
	until(t, shown, `(?s)\r\n.*copying +\[#+\] 100 %.*indexing +\[#+\] 100 %.*comparing +\[#+\] 100 %  [0-9,]+ of [0-9,]+`)
	if strings.Contains(stdout.String(), "\r") || !strings.Contains(stdout.String(), "the same") {
		t.Errorf("stdout: %q", &stdout)
	}
}
