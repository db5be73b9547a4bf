package transfer_test

import (
	"context"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/transfer"
)

// wantRefused runs a copy that must fail with all of the words.
func wantRefused(t *testing.T, opts transfer.Options, words ...string) {
	t.Helper()
	_, err := transfer.Run(t.Context(), opts)
	if err == nil {
		t.Fatalf("copied, want an error with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %q, want %q in it", err, w)
		}
	}
}

func eachEngine(t *testing.T, test func(t *testing.T, engine string)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}

// TestFilledTarget copies onto a database that holds something.
func TestFilledTarget(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source, target := newFull(t, from), newFull(t, to)
		execute(t, target, "UPDATE settings SET value = 'precious'")
		before := dump(t, target)
		wantRefused(t, transfer.Options{From: source, To: target}, "the target", "not empty", "audit_events, audit_head", "users", "--force")
		wantSame(t, dump(t, target), before)
		noError(t, check(t, target))
		move(t, transfer.Options{From: source, To: target, Force: true})
		wantSame(t, dump(t, target), dump(t, source))
	})
}

// TestForeignTarget finds a table that is not KGL's, which --force spares.
func TestForeignTarget(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		source := newFull(t, "sqlite")
		for _, target := range []string{newMigrated(t, engine), newURL(t, engine)} {
			execute(t, target, "CREATE TABLE recipes (id INTEGER PRIMARY KEY)")
			for _, force := range []bool{false, true} {
				wantRefused(t, transfer.Options{From: source, To: target, Force: force}, "not KGL's (recipes)")
			}
			if n := ask(t, target, "SELECT count(*) FROM recipes"); n != "0" {
				t.Error("the table is gone")
			}
		}
		execute(t, source, "CREATE TABLE recipes (id INTEGER PRIMARY KEY)")
		if report := move(t, transfer.Options{From: source, To: newURL(t, engine)}); len(report.Ignored) != 1 || report.Ignored[0] != "recipes" {
			t.Errorf("ignored %v", report.Ignored)
		}
	})
}

// TestSameDatabase names one database in two ways.
func TestSameDatabase(t *testing.T) {
	file := newFull(t, "sqlite")
	path := strings.TrimPrefix(file, "sqlite:///")
	link := filepath.Join(t.TempDir(), "link.db")
	noError(t, os.Symlink(path, link))
	for _, to := range []string{file, "sqlite:///" + filepath.Dir(path) + "/./" + filepath.Base(path), "sqlite:///" + link} {
		wantRefused(t, transfer.Options{From: file, To: to, Force: true}, "the same database")
	}
	database := newFull(t, "postgres")
	u, err := url.Parse(database)
	noError(t, err)
	other := *u
	other.Scheme = "postgresql"
	query := other.Query()
	query.Set("application_name", "other")
	other.RawQuery = query.Encode()
	for _, to := range []string{database, other.String()} {
		wantRefused(t, transfer.Options{From: database, To: to, Force: true}, "the same database")
	}
	noError(t, check(t, file))
	noError(t, check(t, database))
}

// TestSchemaVersions copies between schemas that are not those of this binary.
func TestSchemaVersions(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		target := newURL(t, "sqlite")
		empty := newURL(t, engine)
		execute(t, empty, "CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL)")
		wantRefused(t, transfer.Options{From: empty, To: target}, "the source", "kgl migrate up")
		newer := newFull(t, engine)
		execute(t, newer, "UPDATE schema_migrations SET version = 9999")
		wantRefused(t, transfer.Options{From: newer, To: target}, "the source", "9999", "newer kgl")
		wantRefused(t, transfer.Options{From: newFull(t, "sqlite"), To: newer, Force: true}, "the target", "9999", "newer kgl")
		// A server of this binary could work on it, but does not know its tables.
		execute(t, newer, "INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '1', 0) ON CONFLICT (key) DO NOTHING")
		wantRefused(t, transfer.Options{From: newer, To: target}, "the source", "9999", "newer kgl")
		wantRefused(t, transfer.Options{From: newFull(t, "sqlite"), To: newer, Force: true}, "the target", "9999", "newer kgl")
		half := newURL(t, engine)
		if _, err := transfer.Run(t.Context(), (transfer.Options{From: newFull(t, "sqlite"), To: half}).WithFault(2, breakOff("batch", 3))); err == nil {
			t.Fatal("not broken off")
		}
		wantRefused(t, transfer.Options{From: half, To: target}, "the source", "kgl db copy")
	})
	missing := "sqlite:///" + filepath.Join(t.TempDir(), "missing.db")
	wantRefused(t, transfer.Options{From: missing, To: newURL(t, "sqlite")}, "the source", "no such file")
	if _, err := os.Stat(strings.TrimPrefix(missing, "sqlite:///")); err == nil {
		t.Error("looking for the source made it")
	}
}

// TestUsedTarget has a server, and then another copy, work on the target.
func TestUsedTarget(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		source, target := newFull(t, "sqlite"), newMigrated(t, engine)
		server := open(t, target)
		noError(t, server.Ping(t.Context()))
		wantRefused(t, transfer.Options{From: source, To: target, Force: true}, "the target is in use", "stop the server")
		noError(t, server.Close())
		second := newFull(t, "sqlite")
		tried := false
		_, err := transfer.Run(t.Context(), (transfer.Options{From: source, To: target}).WithFault(2, func(step string) error {
			if step == "batch contents" && !tried {
				tried = true
				wantRefused(t, transfer.Options{From: second, To: target, Force: true}, "another `kgl db copy`")
			}
			return nil
		}))
		noError(t, err)
		wantSame(t, dump(t, target), dump(t, source))
	})
}

// TestSourceIsLocked writes to the source while it is copied: it fails, and
// reading does not.
func TestSourceIsLocked(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source := newFull(t, from)
		want := dump(t, source)
		databaseURL := source
		if from == "postgres" {
			databaseURL += "&lock_timeout=200"
		}
		server, err := store.Open(t.Context(), store.Config{URL: databaseURL, AcquireTimeout: time.Second})
		noError(t, err)
		defer func() { noError(t, server.Close()) }()
		var told []string
		tried := 0
		opts := notes(transfer.Options{From: source, To: newURL(t, to)}, &told)
		move(t, opts.WithFault(2, func(step string) error {
			if step != "load users" && step != "finish" {
				return nil
			}
			tried++
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := server.SetSetting(ctx, "k", "v", time.Unix(0, 0)); !kgl.Is(err, kgl.CodeUnavailable) {
				t.Errorf("%s: a write ended with %v", step, err)
			}
			_, err := server.Setting(ctx, key("settings", 1))
			noError(t, err)
			return nil
		}))
		if tried != 2 || len(told) == 0 || !strings.Contains(told[0], "locked") {
			t.Errorf("tried %d times; told %q", tried, told)
		}
		noError(t, server.SetSetting(t.Context(), "k", "v", time.Unix(0, 0)))
		if have := dump(t, source); len(have["settings"]) != len(want["settings"])+1 {
			t.Errorf("settings: %q", have["settings"])
		}
	})
}

// TestBusySource copies a database in which somebody's transaction writes.
func TestBusySource(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		source, target := newFull(t, engine), newURL(t, "sqlite")
		db := open(t, source)
		defer func() { noError(t, db.Close()) }()
		noError(t, db.InTx(t.Context(), func(ctx context.Context, tx kgl.Store) error {
			noError(t, tx.SetSetting(ctx, "k", "v", time.Unix(0, 0)))
			wantRefused(t, transfer.Options{From: source, To: target, LockWait: 300 * time.Millisecond}, "the source", "others write to", "300ms", "stop the servers")
			return nil
		}))
		move(t, transfer.Options{From: source, To: target})
	})
}

// TestTextsThatPostgresCannotHold names the row of each.
func TestTextsThatPostgresCannotHold(t *testing.T) {
	for fault, value := range map[string]string{
		"holds a NUL character":          "'a' || char(0) || 'b'",
		"holds bytes that are not UTF-8": "CAST(x'61ff62' AS TEXT)",
		"holds an integer (\"7\") where": "7",
		"holds bytes (\"[97]\") where a": "x'61'",
	} {
		t.Run(fault, func(t *testing.T) {
			source, target := newFull(t, "sqlite"), newURL(t, "postgres")
			if strings.HasSuffix(value, "7") { // a column of text makes a text of it
				execute(t, source, "PRAGMA writable_schema = 1", "UPDATE sqlite_schema SET sql = replace(sql, 'guid TEXT', 'guid BLOB') WHERE name = 'contents'")
				execute(t, source, "UPDATE contents SET guid = 7 WHERE id LIKE 'contents-3%'")
				execute(t, source, "PRAGMA writable_schema = 1", "UPDATE sqlite_schema SET sql = replace(sql, 'guid BLOB', 'guid TEXT') WHERE name = 'contents'")
			} else {
				execute(t, source, "UPDATE contents SET guid = "+value+" WHERE id LIKE 'contents-3%'")
			}
			wantRefused(t, transfer.Options{From: source, To: target}, "contents, id contents-3 é: the column guid ", fault, "correct it in the source")
			if check(t, target) == nil {
				t.Error("the target would be served")
			}
			execute(t, source, "UPDATE contents SET guid = 'mended' WHERE id LIKE 'contents-3%'")
			move(t, transfer.Options{From: source, To: target})
			wantSame(t, dump(t, target), dump(t, source))
		})
	}
	// Between two files nothing is in the way.
	source, target := newFull(t, "sqlite"), newURL(t, "sqlite")
	execute(t, source, "UPDATE contents SET guid = 'a' || char(0) || CAST(x'ff' AS TEXT) WHERE id LIKE 'contents-3%'")
	move(t, transfer.Options{From: source, To: target})
	wantSame(t, dump(t, target), dump(t, source))
}

// TestOrphans copies rows whose parents do not exist.
func TestOrphans(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		source := newFull(t, "sqlite")
		execute(t, source, "UPDATE mentions SET entity_id = 'nobody' WHERE id LIKE 'mentions-1%'")
		target := newURL(t, engine)
		wantRefused(t, transfer.Options{From: source, To: target}, "the target", "mentions", "entit")
		if check(t, target) == nil {
			t.Error("the target would be served")
		}
	})
}

// TestSums holds checksums to the form that the package describes.
func TestSums(t *testing.T) {
	row := transfer.CanonicalSum(nil, int64(-1), 0.5, true, "é", []byte{0})
	// printf '\0\1\377\377\377\377\377\377\377\377\2\77\340\0\0\0\0\0\0\3\1\4\0\0\0\0\0\0\0\2\303\251\5\0\0\0\0\0\0\0\1\0' | sha256sum
	if want := "18c03f4926c13dba8334ad08370cfd097aff0424080da1f4d12a3b068e699481"; row.String() != want {
		t.Errorf("checksum %v, want %s", row, want)
	}
	if transfer.CanonicalSum(math.Copysign(0, -1)) != transfer.CanonicalSum(0.0) {
		t.Error("the negative zero is another number")
	}
	a, b, c := transfer.CanonicalSum("a"), transfer.CanonicalSum("b"), transfer.CanonicalSum("ab")
	if a.Plus(b).Plus(c) != c.Plus(a).Plus(b) || a.Plus(a) == (transfer.Sum{}) || a.Plus(b) == c {
		t.Error("the sum of rows depends on their order")
	}
	if transfer.CanonicalSum("a", "b") == transfer.CanonicalSum("ab", "") || transfer.CanonicalSum("") == transfer.CanonicalSum(nil) ||
		transfer.CanonicalSum("a") == transfer.CanonicalSum([]byte("a")) {
		t.Error("different rows have the same checksum")
	}
	var ones, one transfer.Sum
	for i := range ones {
		ones[i] = 0xff
	}
	one[len(one)-1] = 1
	if ones.Plus(one) != (transfer.Sum{}) {
		t.Error("the sum does not carry")
	}
}
