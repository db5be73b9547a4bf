package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPins(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var faults []string
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || entry.Name() == "data") {
			return fs.SkipDir
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch {
		case entry.Name() == "go.mod":
			main := relative == "go.mod" || filepath.ToSlash(relative) == "tools/go.mod"
			faults = append(faults, checkGoMod(relative, read(relative), !main)...)
		case strings.HasPrefix(filepath.ToSlash(relative), ".github/workflows/"):
			if !entry.IsDir() {
				faults = append(faults, checkActions(relative, read(relative))...)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	npm, err := checkNPM([]byte(read("tools/ts/package.json")), []byte(read("tools/ts/package-lock.json")))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range append(faults, npm...) {
		t.Error(fault)
	}
}

func TestPinsAreEnforced(t *testing.T) {
	goMod := func(text string) []string { return checkGoMod("go.mod", text, false) }
	npm := func(manifest, lockfile string) []string {
		faults, err := checkNPM([]byte(manifest), []byte(lockfile))
		if err != nil {
			t.Fatal(err)
		}
		return faults
	}
	const good = `{"packages": {"": {}, "node_modules/a": {"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "integrity": "sha512-x"}}}`
	for name, tt := range map[string]struct {
		got  []string
		want string
	}{
		"release":       {goMod("go 1.26.0\nrequire (\n\tgithub.com/x/y v1.2.3\n)\n"), ""},
		"no go version": {goMod("module x\n"), "no go version"},
		"commit":        {goMod("go 1.26.0\nrequire github.com/x/y v0.0.0-20250101000000-0123456789ab\n"), "pinned to a commit"},
		"indirect":      {goMod("go 1.26.0\nrequire (\n\tgithub.com/x/y v0.0.0-20250101000000-0123456789ab // indirect\n)\n"), ""},
		"replace":       {goMod("go 1.26.0\nreplace github.com/x/y => ../y\n"), "replace"},
		"exact":         {npm(`{"devDependencies": {"a": "1.0.0"}}`, good), ""},
		"range":         {npm(`{"devDependencies": {"a": "^1.0.0"}}`, good), "not an exact version"},
		"other host":    {npm(`{}`, strings.Replace(good, "registry.npmjs.org", "mirror.example", 1)), "comes from"},
		"no checksum":   {npm(`{}`, strings.Replace(good, "sha512-x", "", 1)), "no checksum"},
		"action":        {checkActions("ci.yml", "      - uses: actions/checkout@v5\n"), ""},
		"branch action": {checkActions("ci.yml", "      - uses: actions/checkout@main\n"), "not pinned"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tt.got, "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
