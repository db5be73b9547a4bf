package archtest

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestPurityOfTheNetwork(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	sources, err := goSources(root, "server", files)
	if err != nil {
		t.Fatal(err)
	}
	for _, home := range networkHomes {
		found := false
		for _, s := range sources {
			found = found || below(s.name, home.at)
		}
		if !found {
			t.Errorf("%s is gone: strike it from networkHomes", home.at)
		}
	}
	for _, fault := range checkNetwork(sources, files) {
		t.Error(fault)
	}
}

// TestPurityOfTheNetworkIsEnforced breaks each rule once, and shows what is
// allowed.
func TestPurityOfTheNetworkIsEnforced(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		code string
		want string // empty: allowed
	}{
		"default client":    {"server/internal/ingest/a.go", `import "net/http"; var c = http.DefaultClient`, "http.DefaultClient"},
		"get":               {"server/internal/ingest/a.go", `import "net/http"; func f() { _, _ = http.Get("http://x") }`, "http.Get"},
		"post, renamed":     {"server/internal/ingest/a.go", `import web "net/http"; func f() { _, _ = web.Post("http://x", "", nil) }`, "web.Post"},
		"client literal":    {"server/internal/auth/a.go", `import "net/http"; func f() any { return &http.Client{} }`, "http.Client"},
		"client variable":   {"server/internal/auth/a.go", `import "net/http"; func f() { var c http.Client; _ = c }`, "http.Client"},
		"new client":        {"server/internal/auth/a.go", `import "net/http"; func f() any { return new(http.Client) }`, "http.Client"},
		"client given":      {"server/internal/auth/a.go", `import "net/http"; type s struct{ c *http.Client }; func f(c *http.Client) s { return s{c} }`, ""},
		"transport literal": {"server/internal/enrich/a.go", `import "net/http"; func f() any { return &http.Transport{} }`, "http.Transport"},
		"default transport": {"server/internal/enrich/a.go", `import "net/http"; var t = http.DefaultTransport`, "http.DefaultTransport"},
		"proxy":             {"server/internal/enrich/a.go", `import "net/http/httputil"; var p httputil.ReverseProxy`, "httputil.ReverseProxy"},
		"request":           {"server/internal/httpapi/a.go", `import "net/http"; func f(r *http.Request) http.Handler { return nil }`, ""},
		"server":            {"server/internal/httpapi/a.go", `import "net/http"; func f() any { return &http.Server{} }`, ""},
		"dial":              {"server/internal/feed/a.go", `import "net"; func f() { _, _ = net.Dial("tcp", "x:1") }`, "net.Dial"},
		"dial timeout":      {"server/internal/feed/a.go", `import "net"; func f() { _, _ = net.DialTimeout("tcp", "x:1", 0) }`, "net.DialTimeout"},
		"dialer":            {"server/internal/feed/a.go", `import "net"; func f() any { return &net.Dialer{} }`, "net.Dialer"},
		"TLS":               {"server/internal/feed/a.go", `import "crypto/tls"; func f() { _, _ = tls.Dial("tcp", "x:1", nil) }`, "tls.Dial"},
		"name":              {"server/internal/feed/a.go", `import "net"; func f() { _, _ = net.LookupHost("x") }`, "net.LookupHost"},
		"resolver":          {"server/internal/feed/a.go", `import "net"; func f() any { return net.DefaultResolver }`, "net.DefaultResolver"},
		"mail":              {"server/internal/auth/a.go", `import "net/smtp"; func f() { _ = smtp.SendMail("", nil, "", nil, nil) }`, "smtp.SendMail"},
		"key set":           {"server/internal/auth/a.go", `import "github.com/lestrrat-go/jwx/v2/jwk"; func f() { _, _ = jwk.Fetch(nil, "") }`, "jwk.Fetch"},
		"dot":               {"server/internal/auth/a.go", `import . "net/http"; func f() { _, _ = Get("") }`, "import ."},
		"addresses":         {"server/internal/config/a.go", `import "net"; func f() { _ = net.ParseIP("x"); _ = net.JoinHostPort("x", "1") }`, ""},
		"local named http":  {"server/internal/feed/a.go", `import "net/http"; type c struct{ Get func() }; func f(http c) { http.Get() }; var _ http.Header`, ""},
		"listen":            {"server/internal/ingest/a.go", `import "net"; func f() { _, _ = net.Listen("tcp", ":1") }`, "net.Listen"},
		"app listens":       {"server/internal/app/serve.go", `import "net"; func f() { _, _ = net.Listen("tcp", ":1") }`, ""},
		"beside the home":   {"server/internal/app/app.go", `import "net"; func f() { _, _ = net.Listen("tcp", ":1") }`, "net.Listen"},
		"outbound dials":    {"server/internal/outbound/a.go", `import "net"; func f() any { return &net.Dialer{} }`, ""},
		"home without need": {"server/internal/cli/healthcheck.go", `func f() {}`, "strike it"},
	} {
		t.Run(name, func(t *testing.T) {
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, tt.file, "package x\n"+tt.code, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(checkNetwork([]source{{name: tt.file, file: file}}, files), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
