package outbound

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Case 2: spellings of this machine's own address. Each is refused as a URL.
// Should one get as far as the resolver all the same, the socket is refused
// its address, whichever resolver gave it: nothing listens in vain.
func TestCase02Spellings(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	reached := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			reached <- conn.RemoteAddr().String()
			_ = conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, resolver := range map[string]*net.Resolver{"default": nil, "system": {}} {
		c := newClient(t, func(cfg *Config) { cfg.Resolver, cfg.Policy.AllowedPorts = resolver, []uint16{mustPort(t, port)} })
		for _, host := range []string{
			"2130706433", "0x7f000001", "0X7F000001", "017700000001", "0x7f.1", "0177.1", "127.1", "127.0.1", "0177.0.0.01", "0x7f.0x0.0x0.0x1",
			"127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost", "localhost.", "①②⑦.⓪.⓪.①", "127。0。0。1", "0", "00", "0x0",
		} {
			target := "http://" + host + ":" + port + "/"
			if u, err := c.CheckURL(target); !kgl.Is(err, kgl.CodeInvalid) {
				t.Errorf("%s: passes as %v", target, u)
			}
			if _, err := get(t, c, target); err == nil {
				t.Errorf("%s: fetched", target)
			}
			conn, err := c.transport.DialContext(t.Context(), "tcp", strings.Trim(host, "[]")+":"+port)
			if strings.HasPrefix(host, "[") {
				conn, err = c.transport.DialContext(t.Context(), "tcp", host+":"+port)
			}
			if err == nil {
				_ = conn.Close()
				t.Errorf("%s resolver: dialled %s", name, host)
			}
		}
	}
	select {
	case from := <-reached:
		t.Errorf("the local server was reached from %s", from)
	default:
	}
}

// Case 2 in a build without the tag netgo, where the resolver is that of the C
// library, which takes "0x7f.1" for an address: the same tests, built and run
// so.
func TestCase02CgoBuild(t *testing.T) {
	const child = "OUTBOUND_TEST_CGO"
	if os.Getenv(child) != "" {
		found, err := new(net.Resolver).LookupHost(t.Context(), "0x7f.1")
		if err != nil || len(found) != 1 || found[0] != "127.0.0.1" {
			t.Fatalf("this is not the resolver of the C library: it reads 0x7f.1 as %q, %v", found, err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags=", "-count=1", "-v", "-run", "^(TestCase0[1-5]|TestCheckURL)", ".")
	cmd.Env = append(os.Environ(), child+"=1", "CGO_ENABLED=1", "GODEBUG=netdns=cgo")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"TestCase02CgoBuild", "TestCase02Spellings", "TestCase03Rebinding", "TestCheckURLRefuses"} {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s did not run\n%s", name, out)
		}
	}
}

func mustPort(t *testing.T, text string) uint16 {
	t.Helper()
	port, err := net.LookupPort("tcp", text)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(port)
}
