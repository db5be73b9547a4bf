package archtest

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPurity(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	sources, err := goSources(root, "server", files)
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 10 {
		t.Fatalf("only %d files found: the rules would test nothing", len(sources))
	}
	for _, fault := range checkPurity(sources, files) {
		t.Error(fault)
	}
}

// maxMainLines bounds main.go: what it does beyond flags, signals and the exit
// code belongs into cli or app.
const maxMainLines = 60

func TestPurityMainIsShort(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "server", "cmd", "kgl", "main.go"))
	if errors.Is(err, os.ErrNotExist) {
		t.Fatal("server/cmd/kgl/main.go is missing")
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n >= maxMainLines {
		t.Errorf("main.go has %d lines, it must stay under %d", n, maxMainLines)
	}
}

// TestPurityIsEnforced breaks each rule once, and shows what is allowed.
func TestPurityIsEnforced(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		code string
		want string // empty: allowed
	}{
		"clock":              {"server/internal/feed/a.go", `import "time"; func f() { _ = time.Now() }`, "time.Now"},
		"clock as a value":   {"server/internal/feed/a.go", `import "time"; type s struct{ now func() time.Time }; func f() s { return s{time.Now} }`, "time.Now"},
		"renamed clock":      {"server/internal/feed/a.go", `import clock "time"; func f() { _ = clock.Since(clock.Time{}) }`, "clock.Since"},
		"local named time":   {"server/internal/feed/a.go", `import "time"; type c struct{ Now func() }; func f(time c) { time.Now() }; var _ time.Time`, ""},
		"duration":           {"server/internal/feed/a.go", `import "time"; const d = time.Second`, ""},
		"app may":            {"server/internal/app/a.go", `import "time"; func f() { _ = time.Now() }`, ""},
		"random":             {"server/internal/auth/a.go", `import "crypto/rand"; func f() { _ = rand.Text() }`, "rand.Text"},
		"math random":        {"server/internal/auth/a.go", `import "math/rand/v2"; func f() { _ = rand.IntN(1) }`, "rand.IntN"},
		"given source":       {"server/internal/auth/a.go", `import "math/rand/v2"; func f(s rand.Source) *rand.Rand { return rand.New(s) }`, ""},
		"uuid":               {"server/internal/auth/a.go", `import "github.com/google/uuid"; func f() { _ = uuid.New() }`, "uuid.New"},
		"default logger":     {"server/internal/auth/a.go", `import "log/slog"; func f() { slog.Info("x") }`, "slog.Info"},
		"logger given":       {"server/internal/auth/a.go", `import "log/slog"; func f(l *slog.Logger) { l.Info("x") }`, ""},
		"init":               {"server/internal/auth/a.go", `func init() {}`, "func init"},
		"init as a method":   {"server/internal/auth/a.go", `type t int; func (t) init() {}`, ""},
		"assigned global":    {"server/internal/auth/a.go", `var n = 1; func f() { n = 2 }`, "global n is changed"},
		"counted global":     {"server/internal/auth/a.go", `var n = 1; func f() { n++ }`, "global n is changed"},
		"filled global":      {"server/internal/auth/a.go", `var m = map[string]int{}; func f() { m["x"] = 1 }`, "global m is changed"},
		"emptied global":     {"server/internal/auth/a.go", `var m = map[string]int{"x": 1}; func f() { delete(m, "x") }`, "global m is changed"},
		"address of global":  {"server/internal/auth/a.go", `var n = 1; func f() *int { return &n }`, "global n is changed"},
		"shadowed global":    {"server/internal/auth/a.go", `var n = 1; func f() { n := 2; n = 3; _ = n }`, ""},
		"mutex":              {"server/internal/auth/a.go", `import "sync"; var mu sync.Mutex`, "is a sync.Mutex"},
		"empty map":          {"server/internal/auth/a.go", `var m = make(map[string]int)`, "starts empty"},
		"no value":           {"server/internal/auth/a.go", `var m map[string]int`, "has no value"},
		"table":              {"server/internal/auth/a.go", `var m = map[string]int{"x": 1}; func f() int { return m["x"] }`, ""},
		"sentinel and regex": {"server/internal/auth/a.go", `import ("errors"; "regexp"); var errX = errors.New("x"); var p = regexp.MustCompile("x")`, ""},
		"embedded":           {"server/internal/auth/a.go", "import _ \"embed\"\n//go:embed a.txt\nvar text string", ""},
		"assertion":          {"server/internal/auth/a.go", `type t int; var _ interface{} = t(0)`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, tt.file, "package x\n"+tt.code, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(checkPurity([]source{{name: tt.file, file: file}}, files), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
