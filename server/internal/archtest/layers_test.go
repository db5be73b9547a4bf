package archtest

import (
	"slices"
	"strings"
	"testing"
)

func TestLayers(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	packages, err := goList(root)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == internal+"kgl" }) {
		t.Fatal("go list did not find the domain: the rules would test nothing")
	}
	for name, check := range layerRules {
		t.Run(name, func(t *testing.T) {
			for _, fault := range check(packages) {
				t.Error(fault)
			}
		})
	}
}

var layerRules = map[string]func([]listed) []string{
	"layers": checkLayers, "domain": checkDomain, "homes": checkHomes, "generated": checkGenerated, "client": checkClient,
}

// TestLayersAreEnforced breaks each rule once.
func TestLayersAreEnforced(t *testing.T) {
	client := listed{ImportPath: modulePath + "/gen/client"}
	pkg := func(path string, imports ...string) listed {
		return listed{ImportPath: path, Imports: imports, Deps: imports}
	}
	for _, tt := range []struct {
		rule string
		pkg  listed
		want string // empty: allowed
	}{
		{"layers", pkg(internal+"store", internal+"kgl"), ""},
		{"layers", pkg(internal+"kgl", internal+"store"), "not below it"},
		{"layers", pkg(internal+"feed", internal+"outbound"), "not below it"},
		{"layers", pkg(internal+"ingest/worker", internal+"enrich"), "not below it"},
		{"layers", pkg(internal+"ingest/worker", internal+"ingest"), ""},
		{"layers", pkg(internal+"httpapi", internal+"ingest"), ""},
		{"layers", pkg(internal+"httpapi", internal+"store"), "never the store"},
		{"layers", pkg(internal+"httpapi", internal+"config"), "not below it"},
		{"layers", pkg(internal+"cli", internal+"app", internal+"demo", internal+"config"), ""},
		{"layers", pkg(internal+"app", internal+"demo"), "not below it"},
		{"layers", pkg(internal+"app", internal+"cli"), "not below it"},
		{"layers", pkg(internal+"demo", internal+"app"), "not below it"},
		{"layers", pkg(internal+"config", internal+"telemetry"), "not below it"},
		{"layers", pkg(internal + "misc"), "has no layer"},
		{"layers", pkg(internal+"auth", internal+"pgtest"), "for tests only"},
		{"layers", pkg(internal+"store/storetest", internal+"pgtest"), ""},
		{"domain", listed{ImportPath: internal + "kgl", Deps: []string{"github.com/google/uuid"}}, ""},
		{"domain", listed{ImportPath: internal + "kgl", Deps: []string{"github.com/x/y"}}, "depends on github.com/x/y"},
		{"homes", pkg(internal+"httpapi", "github.com/labstack/echo/v4"), ""},
		{"homes", pkg(internal+"auth", "github.com/labstack/echo/v4"), "HTTP framework"},
		{"homes", pkg(internal+"graph", "database/sql"), "driver"},
		{"homes", pkg(internal+"graph", modulePath+"/gen/pgdb"), "driver"},
		{"homes", pkg(internal+"ingest", modulePath+"/gen/aiclient"), "AI module"},
		{"homes", pkg(internal+"httpapi", modulePath+"/gen/client"), "our own client"},
		{"homes", pkg(modulePath+"/examples/list", modulePath+"/gen/client"), ""},
		{"generated", pkg(modulePath+"/sql", internal+"kgl"), "depends on"},
		{"client", client, ""},
		{"client", listed{ImportPath: client.ImportPath, Deps: []string{"github.com/getkin/kin-openapi/openapi3"}}, "kin-openapi"},
		{"client", pkg(internal + "kgl"), "is missing"},
	} {
		t.Run(tt.rule+" "+tt.pkg.ImportPath, func(t *testing.T) {
			got := strings.Join(layerRules[tt.rule]([]listed{tt.pkg}), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%v gave %q, want %q", tt.pkg.Imports, got, tt.want)
			}
		})
	}
}
