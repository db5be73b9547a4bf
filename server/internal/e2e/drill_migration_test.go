//go:build drill

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// expanding is a migration of the kind that old binaries can work with.
const expanding = `ALTER TABLE sources ADD COLUMN drill_note TEXT NOT NULL DEFAULT '';
ALTER TABLE contents ADD COLUMN drill_score BIGINT;
CREATE INDEX contents_drill ON contents (drill_score, id);
CREATE TABLE drill_rows (id TEXT COLLATE "C" NOT NULL PRIMARY KEY, content_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE);
INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '1', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
`

// nextBinary builds the program with one more migration of Postgres, as the
// next release would have it.
func nextBinary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for name, text := range map[string]string{"0002_drill.up.sql": expanding, "0002_drill.down.sql": "SELECT 1;\n"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, "sql", "postgres", "migrations", name)] = file
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, []byte(encode(t, map[string]any{"Replace": replace})), 0o600); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(dir, "kgl")
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", next, "./server/cmd/kgl")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false -trimpath -tags=sqlite_fts5,netgo,osusergo")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return next
}

// TestDrillMigration upgrades an installation while it is used: two old replicas
// serve, the new binary migrates, both kinds serve side by side, and an old one
// that starts on the new schema works on, until a migration says otherwise.
func TestDrillMigration(t *testing.T) {
	next := nextBinary(t)
	in := newInstallation(t, "postgres")
	newer := *in
	first, second := in.launch(t, "serve"), in.launch(t, "serve")
	l := startTraffic(t, []*backend{first.serving(in), second.serving(in)}, 4, 4, noConnection)
	l.waitFor(t, 100)

	migrate := in.command(t, "migrate", "up")
	migrate.Path = next
	began := time.Now()
	if out, err := migrate.CombinedOutput(); err != nil || !strings.Contains(string(out), "2 of 2") {
		t.Fatalf("%v %s", err, out)
	}
	t.Logf("the migration took %v under load", time.Since(began).Round(time.Millisecond))
	l.waitFor(t, 100)

	upgraded := newer.launchOf(t, next, "serve").serving(&newer)
	third := in.launch(t, "serve") // old, on the newer schema
	b := third.serving(in)
	if !strings.Contains(third.output.String(), "a newer kgl has migrated the database") {
		t.Error("the old binary does not say that the schema is newer")
	}
	all := startTraffic(t, []*backend{upgraded, b}, 4, 4, noConnection)
	l.waitFor(t, 100)
	all.waitFor(t, 100)
	for _, args := range [][]string{{"migrate", "down", "--steps", "1"}} {
		if out, err := in.run(t, args...); err == nil || !strings.Contains(out, "newer kgl") {
			t.Errorf("%v of the old binary: %v %s", args, err, out)
		}
	}
	all.end()
	for url, id := range all.acked {
		l.acked[url] = id
	}
	for _, s := range append(l.answers, all.answers...) {
		if s.status == 503 {
			t.Errorf("a request failed %v after the migration began", s.at.Sub(began))
		}
	}
	l.report(t)
	l.check(t, in)

	// The next release takes away what the old binary uses.
	in.execute(t, "UPDATE settings SET value = '2' WHERE key = 'schema_compatible_from'")
	refused := in.launch(t, "serve")
	<-refused.ended
	if refused.err == nil || !strings.Contains(refused.output.String(), "newer kgl") {
		t.Errorf("%v\n%s", refused.err, refused.output)
	}
}
