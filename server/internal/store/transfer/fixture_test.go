package transfer_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "github.com/mattn/go-sqlite3"    // the driver sqlite3

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/transfer"
)

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func migrateUp(ctx context.Context, url string) error {
	m, err := store.NewMigrator(url)
	if err != nil {
		return err
	}
	return m.Up(ctx)
}

var migrated = pgtest.NewTemplate(migrateUp)

// newURL returns the URL of a database that is not there (SQLite) or empty
// (Postgres).
func newURL(t *testing.T, engine string) string {
	t.Helper()
	if engine == "postgres" {
		return pgtest.NewDatabase(t)
	}
	return "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
}

// newMigrated returns the URL of a migrated database without data.
func newMigrated(t *testing.T, engine string) string {
	t.Helper()
	if engine == "postgres" {
		return migrated.NewDatabase(t)
	}
	url := newURL(t, engine)
	noError(t, migrateUp(t.Context(), url))
	return url
}

// newFull returns the URL of a database with rows in every table.
func newFull(t *testing.T, engine string) string {
	t.Helper()
	url := newMigrated(t, engine)
	fill(t, url)
	return url
}

// raw opens a database without the store.
func raw(t *testing.T, databaseURL string) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", databaseURL
	if path, ok := strings.CutPrefix(databaseURL, "sqlite:///"); ok {
		driver, dsn = "sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_foreign_keys=off&_busy_timeout=5000"
	}
	db, err := sql.Open(driver, dsn)
	noError(t, err)
	db.SetMaxOpenConns(1)
	return db
}

// execute runs statements beside the store.
func execute(t *testing.T, databaseURL string, statements ...string) {
	t.Helper()
	db := raw(t, databaseURL)
	defer func() { noError(t, db.Close()) }()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// ask returns the only value of a query as text.
func ask(t *testing.T, databaseURL, query string) string {
	t.Helper()
	db := raw(t, databaseURL)
	defer func() { noError(t, db.Close()) }()
	var text sql.NullString
	if err := db.QueryRow(query).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text.String
}

// texts returns the rows of a query with one column.
func texts(t *testing.T, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(query, args...)
	noError(t, err)
	defer func() { noError(t, rows.Close()) }()
	var out []string
	for rows.Next() {
		var text string
		noError(t, rows.Scan(&text))
		out = append(out, text)
	}
	noError(t, rows.Err())
	return out
}

func isPostgres(databaseURL string) bool { return strings.HasPrefix(databaseURL, "postgres") }

// tableNames returns what the migrations made, by the catalogue of the engine.
func tableNames(t *testing.T, db *sql.DB, postgres bool) []string {
	t.Helper()
	query := `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'schema_migrations' ORDER BY name`
	if postgres {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'schema_migrations' ORDER BY table_name COLLATE "C"`
	}
	return texts(t, db, query)
}

// fixtureRows is how many rows each table gets.
const fixtureRows = 5

var oddTexts = []string{
	"", "plain", "Üñï çødé \u202e漢字 🎉 e\u0301", "line\nbreak\ttab \"quoted\" 'single' \\N \\.", strings.Repeat("long ", 4000),
}

var oddInts = []int64{0, math.MaxInt64, math.MinInt64, 1_700_000_000_123_456, -1}

var oddFloats = []float64{1, 0.1, math.SmallestNonzeroFloat64, 1.0 / 3, math.Nextafter(1, 0)}

// special are values that the schema prescribes. Everything else is made up of
// the kind of its column, so that a new column is filled without more.
var special = map[string]func(i int) any{
	"users.role":                     word("user", "moderator", "admin"),
	"users.status":                   word("active", "disabled"),
	"audit_events.outcome":           word("success", "failure", "refused"),
	"audit_events.seq":               func(i int) any { return int64(i + 1) },
	"sources.status":                 word("active", "paused", "failing", "gone"),
	"sources.fetch_interval_seconds": func(i int) any { return int64(i) },
	"source_fetches.outcome":         word("new_content", "unchanged", "not_modified", "failed"),
	"contents.identity_kind":         word("guid", "url", "hash"),
	"contents.status":                word("new", "processing", "processed", "failed", "skipped"),
	"sources.health":                 word("pending", "ok", "quiet", "failing", "throttled"),
	"content_deletions.reason":       word("deleted", "expired"),
	"source_imports.state":           word("pending", "running", "done", "canceled"),
	"source_import_lines.outcome":    word("pending", "added", "existing", "failed"),
	// Pairs of which the first is the smaller one.
	"duplicate_exclusions.content_id": func(i int) any { return key("contents", i/4) },
	"duplicate_exclusions.other_id":   func(i int) any { return key("contents", i%4+1+i/4) },
	"contents.revision":               func(i int) any { return int64(i + 1) },
	// To an item that comes later, and none.
	"contents.duplicate_of":              func(i int) any { return []any{key("contents", 4), key("contents", 3), nil, nil, nil}[i] },
	"enrichment_tasks.state":             word("pending", "waiting", "leased", "withheld", "done", "dead"),
	"entities.status":                    word("active", "merged", "rejected"),
	"entities.merged_into":               func(i int) any { return []any{nil, key("entities", 4), nil, nil, nil}[i] },
	"relationships.status":               word("active", "rejected", "suppressed", "merged"),
	"relationships.merged_into":          func(i int) any { return []any{nil, nil, nil, key("relationships", 4), nil}[i] },
	"extraction_runs.status":             word("current", "superseded", "retracted"),
	"extraction_requests.status":         word("pending", "running", "succeeded", "failed"),
	"source_consents.purpose":            word("ai_processing", "publication"),
	"relationships.to_entity_id":         func(i int) any { return key("entities", (i+1)%fixtureRows) },
	"mentions.start_offset":              func(i int) any { return int64(i) },
	"mentions.end_offset":                func(i int) any { return int64(math.MaxInt64) },
	"relationship_evidence.start_offset": func(i int) any { return int64(i) },
	"relationship_evidence.end_offset":   func(i int) any { return int64(i + 1) },
	"events.seq":                         func(i int) any { return int64(10 * (i + 1)) },
	"events.tx_id":                       func(i int) any { return int64(1000 + i/2) },
}

func word(words ...string) func(int) any {
	return func(i int) any { return words[i%len(words)] }
}

// key returns the primary key of row i of a table, and whatever else must be
// unique in it.
func key(table string, i int) string { return fmt.Sprintf("%s-%d é", table, i) }

type testColumn struct {
	name, kind string
	nullable   bool
	unique     bool   // part of a key or a unique constraint
	parent     string // the table that it refers to
}

// columnsOf reads the columns from the schema of SQLite, which both engines
// share but for the names of types.
func columnsOf(t *testing.T, db *sql.DB, table string) []testColumn {
	t.Helper()
	rows, err := db.Query(`SELECT name, type, "notnull" = 0 AND pk = 0,
		EXISTS (SELECT 1 FROM pragma_index_list(?1) l JOIN pragma_index_info(l.name) i ON i.name = c.name WHERE l."unique") OR pk > 0,
		coalesce((SELECT "table" FROM pragma_foreign_key_list(?1) WHERE "from" = c.name), '')
		FROM pragma_table_info(?1) c ORDER BY cid`, table)
	noError(t, err)
	defer func() { noError(t, rows.Close()) }()
	var columns []testColumn
	for rows.Next() {
		var c testColumn
		noError(t, rows.Scan(&c.name, &c.kind, &c.nullable, &c.unique, &c.parent))
		columns = append(columns, c)
	}
	noError(t, rows.Err())
	return columns
}

func (c testColumn) value(table string, i int) any {
	if f := special[table+"."+c.name]; f != nil {
		return f(i)
	}
	switch {
	case c.parent != "":
		return key(c.parent, i)
	case c.nullable && i%2 == 0:
		return nil
	}
	switch c.kind {
	case "BIGINT", "INTEGER":
		return oddInts[i]
	case "BOOLEAN":
		return i%2 == 1
	case "DOUBLE PRECISION":
		return oddFloats[i]
	case "BLOB":
		return [][]byte{{}, {0}, {0, 255, 'a', 0}, []byte(oddTexts[2]), []byte(oddTexts[4])}[i]
	}
	if c.unique {
		return key(table, i)
	}
	return oddTexts[i]
}

// fill puts rows into every table of a migrated database.
func fill(t *testing.T, databaseURL string) {
	t.Helper()
	schema := raw(t, newMigrated(t, "sqlite"))
	defer func() { noError(t, schema.Close()) }()
	db := raw(t, databaseURL)
	defer func() { noError(t, db.Close()) }()
	if isPostgres(databaseURL) { // without foreign keys, as SQLite's raw connections are
		_, err := db.Exec("SET session_replication_role = replica")
		noError(t, err)
	}
	for _, table := range tableNames(t, schema, false) {
		switch table {
		case "audit_head":
			_, err := db.Exec("UPDATE audit_head SET seq = 5, hash = 'h'")
			noError(t, err)
			continue
		case "event_clock":
			_, err := db.Exec("UPDATE event_clock SET tx_offset = 4000")
			noError(t, err)
			continue
		}
		columns := columnsOf(t, schema, table)
		var names, places []string
		for n, c := range columns {
			names, places = append(names, c.name), append(places, "$"+strconv.Itoa(n+1))
		}
		insert := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(places, ", ") + ")"
		for i := range fixtureRows {
			args := make([]any, len(columns))
			for n, c := range columns {
				args[n] = c.value(table, i)
			}
			if _, err := db.Exec(insert, args...); err != nil {
				t.Fatalf("%s, row %d: %v", table, i, err)
			}
		}
	}
	if isPostgres(databaseURL) {
		_, err := db.Exec("SELECT setval(pg_get_serial_sequence('events', 'seq'), 77)")
		noError(t, err)
	} else {
		_, err := db.Exec("UPDATE sqlite_sequence SET seq = 77 WHERE name = 'events'")
		noError(t, err)
	}
}

// dump returns every row of every table as text, but for the clock of events.
func dump(t *testing.T, databaseURL string) map[string][]string {
	t.Helper()
	db := raw(t, databaseURL)
	defer func() { noError(t, db.Close()) }()
	all := map[string][]string{}
	for _, table := range tableNames(t, db, isPostgres(databaseURL)) {
		if table == "event_clock" {
			continue
		}
		rows, err := db.Query("SELECT * FROM " + table)
		noError(t, err)
		names, err := rows.Columns()
		noError(t, err)
		all[table] = nil
		for rows.Next() {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			noError(t, rows.Scan(into...))
			parts := make([]string, len(names))
			for i, v := range values {
				parts[i] = names[i] + "=" + render(v)
			}
			slices.Sort(parts)
			all[table] = append(all[table], strings.Join(parts, "|"))
		}
		noError(t, rows.Err())
		slices.Sort(all[table])
	}
	return all
}

func render(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'x', -1, 64)
	case []byte:
		return "bytes " + hex.EncodeToString(v)
	default:
		return fmt.Sprintf("%T %v", v, v)
	}
}

// wantSame compares two dumps.
func wantSame(t *testing.T, have, want map[string][]string) {
	t.Helper()
	for table := range want {
		if !slices.Equal(have[table], want[table]) {
			t.Errorf("%s differs:\nhave %.2000s\nwant %.2000s", table, have[table], want[table])
		}
	}
	if len(have) != len(want) {
		t.Errorf("%d tables, want %d", len(have), len(want))
	}
}

// schemaOf returns the definitions of a database, sorted.
func schemaOf(t *testing.T, databaseURL string) []string {
	t.Helper()
	db := raw(t, databaseURL)
	defer func() { noError(t, db.Close()) }()
	if !isPostgres(databaseURL) {
		return texts(t, db, "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1")
	}
	return texts(t, db, `SELECT text COLLATE "C" FROM (
		SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
			FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || coalesce(column_default, '') || is_identity || coalesce(collation_name, '')
			FROM information_schema.columns WHERE table_schema = 'public') AS d (text) ORDER BY 1`)
}

// pairs runs a test for every direction.
func pairs(t *testing.T, test func(t *testing.T, from, to string)) {
	t.Helper()
	for _, from := range []string{"sqlite", "postgres"} {
		for _, to := range []string{"sqlite", "postgres"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				test(t, from, to)
			})
		}
	}
}

// crossings runs a test from each engine to the other one, which stand for all
// directions where only the source or only the target matters.
func crossings(t *testing.T, test func(t *testing.T, from, to string)) {
	t.Helper()
	for from, to := range map[string]string{"sqlite": "postgres", "postgres": "sqlite"} {
		t.Run(from+" to "+to, func(t *testing.T) {
			t.Parallel()
			test(t, from, to)
		})
	}
}

// move copies a database that can be copied.
func move(t *testing.T, opts transfer.Options) transfer.Report {
	t.Helper()
	report, err := transfer.Run(t.Context(), opts)
	noError(t, err)
	return report
}

// check is what a server asks of its database before it opens it.
func check(t *testing.T, databaseURL string) error {
	t.Helper()
	m, err := store.NewMigrator(databaseURL)
	noError(t, err)
	return m.Check(t.Context())
}

// appendEvent writes an event as the service does, and returns its position.
func appendEvent(t *testing.T, databaseURL string) kgl.EventPosition {
	t.Helper()
	db := open(t, databaseURL)
	defer func() { noError(t, db.Close()) }()
	id := rand.Text()
	event := kgl.Event{ID: id, Type: kgl.EventContentCreated, SubjectType: "content", OccurredAt: time.Unix(1_700_000_000, 0)}
	noError(t, db.AppendEvents(t.Context(), []kgl.Event{event}))
	var at kgl.EventPosition
	until(t, "the event is seen", func() bool {
		for _, e := range events(t, db) {
			if e.ID == id {
				at = e.Position
			}
		}
		return at != kgl.EventPosition{}
	})
	return at
}

// until waits for what other transactions of the server hold back.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func events(t *testing.T, db *store.DB) []kgl.Event {
	t.Helper()
	list, err := db.EventsAfter(t.Context(), kgl.EventPosition{}, 1000)
	noError(t, err)
	return list
}

func eventsOf(t *testing.T, databaseURL string) []kgl.EventPosition {
	t.Helper()
	db := open(t, databaseURL)
	defer func() { noError(t, db.Close()) }()
	var at []kgl.EventPosition
	for _, e := range events(t, db) {
		at = append(at, e.Position)
	}
	return at
}

func open(t *testing.T, databaseURL string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: databaseURL, AcquireTimeout: time.Second})
	noError(t, err)
	return db
}

func comparePositions(a, b kgl.EventPosition) int {
	return cmp.Or(cmp.Compare(a.Tx, b.Tx), cmp.Compare(a.Seq, b.Seq))
}
