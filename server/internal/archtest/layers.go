package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// listed is what `go list -json` says of one package.
type listed struct {
	ImportPath string
	Name       string
	Imports    []string // of the package itself, not of its tests
	Deps       []string // everything below it
	Standard   bool
}

// goList describes the packages of the module and everything below them. A
// package that does not compile is listed too: the compiler reports it better.
func goList(root string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Name,Imports,Deps,Standard", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

const internal = modulePath + "/server/internal/"

// layers orders the packages of server/internal: each imports only what stands
// in an earlier line. Packages of one line do not import each other.
var layers = [][]string{
	{"kgl"},
	{"store", "outbound", "feed", "discover", "neardup", "builtin", "auth"},
	{"ingest", "enrich", "graph", "search", "event"},
	{"httpapi"},
	{"config", "telemetry"},
	{"app", "demo"},
	{"cli"},
}

// testSupport are packages that only tests and their programs use. They may
// import everything.
var testSupport = []string{"pgtest", "benchdata", "archtest", "store/storetest", "enrich/aifake", "e2e"}

// homes says where a kind of import is at home. Paths are relative to the
// module; a path stands for what is below it, too.
var homes = []struct {
	what    string
	imports []string
	at      []string
}{
	{"the HTTP framework and the server's stubs",
		[]string{modulePath + "/gen/api", "github.com/labstack/echo"},
		[]string{"gen/api", "server/internal/httpapi", "server/internal/app"}},
	{"a database driver or generated queries",
		[]string{modulePath + "/gen/sqlitedb", modulePath + "/gen/pgdb", modulePath + "/gen/pgadapter", modulePath + "/sql", "database/sql",
			"github.com/mattn/go-sqlite3", "github.com/jackc/pgx", "github.com/golang-migrate/migrate"},
		[]string{"gen/sqlitedb", "gen/pgdb", "gen/pgadapter", "server/internal/store"}},
	{"the AI module's client",
		[]string{modulePath + "/gen/aiclient"},
		[]string{"server/internal/enrich"}},
	{"the stub of the AI module, for its fake,",
		[]string{modulePath + "/gen/aiserver"},
		[]string{"gen/aiserver"}},
	{"our own client",
		[]string{modulePath + "/gen/client"},
		[]string{"examples", "server/internal/cli"}},
}

// below reports whether path is prefix or inside it.
func below(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func belowAny(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return below(path, prefix) })
}

// layerOf returns the number of a package's layer and the layer's package that
// it belongs to, or -1.
func layerOf(path string) (int, string) {
	rest, ok := strings.CutPrefix(path, internal)
	if !ok {
		return -1, ""
	}
	top, _, _ := strings.Cut(rest, "/")
	for n, layer := range layers {
		if slices.Contains(layer, top) {
			return n, top
		}
	}
	return -1, top
}

func isTestSupport(path string) bool {
	rest, ok := strings.CutPrefix(path, internal)
	return ok && belowAny(rest, testSupport)
}

// checkLayers returns the imports between packages of server/internal that go
// the wrong way.
func checkLayers(packages []listed) []string {
	var faults []string
	for _, p := range packages {
		if !strings.HasPrefix(p.ImportPath, internal) || isTestSupport(p.ImportPath) {
			continue
		}
		from, top := layerOf(p.ImportPath)
		if from < 0 {
			faults = append(faults, p.ImportPath+" has no layer: give it one in archtest/layers.go")
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, internal) {
				continue
			}
			to, other := layerOf(imported)
			switch {
			case isTestSupport(imported):
				faults = append(faults, fmt.Sprintf("%s imports %s, which is for tests only", p.ImportPath, imported))
			case top == other:
			case to >= from:
				faults = append(faults, fmt.Sprintf("%s imports %s, which is not below it", p.ImportPath, imported))
			case top == "httpapi" && other == "store":
				faults = append(faults, fmt.Sprintf("%s imports %s: handlers call services, never the store", p.ImportPath, imported))
			}
		}
	}
	return faults
}

// checkDomain returns what package kgl imports besides the standard library and
// a UUID library.
func checkDomain(packages []listed) []string {
	standard := map[string]bool{}
	var deps []string
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
		if p.ImportPath == internal+"kgl" {
			deps = p.Deps
		}
	}
	var faults []string
	for _, d := range deps {
		if !standard[d] && d != "github.com/google/uuid" {
			faults = append(faults, "package kgl depends on "+d)
		}
	}
	return faults
}

// checkHomes returns the imports that are made away from their home.
func checkHomes(packages []listed) []string {
	var faults []string
	for _, p := range packages {
		path, ours := strings.CutPrefix(p.ImportPath, modulePath+"/")
		if !ours || isTestSupport(p.ImportPath) {
			continue
		}
		for _, home := range homes {
			if belowAny(path, home.at) {
				continue
			}
			for _, imported := range p.Imports {
				if belowAny(imported, home.imports) {
					faults = append(faults, fmt.Sprintf("%s imports %s: %s belongs into %s", p.ImportPath, imported, home.what, strings.Join(home.at, ", ")))
				}
			}
		}
	}
	return faults
}

// checkGenerated returns imports of the server by what must not know it.
func checkGenerated(packages []listed) []string {
	var faults []string
	for _, p := range packages {
		if !belowAny(p.ImportPath, []string{modulePath + "/gen", modulePath + "/sql", modulePath + "/openapi", modulePath + "/examples"}) {
			continue
		}
		for _, d := range p.Deps {
			if below(d, modulePath+"/server") {
				faults = append(faults, p.ImportPath+" depends on "+d)
			}
		}
	}
	return faults
}

// heavy is what a module that imports the client must not inherit.
var heavy = []string{
	"github.com/labstack/echo", "github.com/getkin/kin-openapi", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx",
	"github.com/golang-migrate/migrate", modulePath + "/gen/api", modulePath + "/server",
}

// checkClient returns heavy dependencies of the generated clients.
func checkClient(packages []listed) []string {
	faults := []string{modulePath + "/gen/client is missing"}
	for _, p := range packages {
		if p.ImportPath == modulePath+"/gen/client" {
			faults = faults[1:]
		}
		if p.ImportPath != modulePath+"/gen/client" && p.ImportPath != modulePath+"/gen/aiclient" {
			continue
		}
		for _, d := range p.Deps {
			// The interfaces of database/sql/driver come with the UUID library.
			if belowAny(d, heavy) || d == "database/sql" {
				faults = append(faults, p.ImportPath+" depends on "+d)
			}
		}
	}
	return faults
}
