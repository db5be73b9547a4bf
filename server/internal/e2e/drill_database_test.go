//go:build drill

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// rows runs a query on the database of the installation, beside its server.
func (in *installation) rows(t *testing.T, query string) [][]string {
	t.Helper()
	if in.engine == "sqlite" {
		return in.sqliteRows(t, query)
	}
	conn, err := pgx.Connect(context.Background(), in.setting("KGL_DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rs, err := conn.Query(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rs, func(row pgx.CollectableRow) ([]string, error) {
		values, err := row.Values()
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = fmt.Sprint(v)
		}
		return line, err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return list
}

func (in *installation) sqliteRows(t *testing.T, query string) [][]string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+in.databaseFile()+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rs, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rs.Close()
	columns, err := rs.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var list [][]string
	for rs.Next() {
		values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rs.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		line := make([]string, len(columns))
		for i, v := range values {
			line[i] = v.String
		}
		list = append(list, line)
	}
	if err := rs.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return list
}

// checkEffects holds what must be true of the database at any time: it is whole,
// nothing is there twice, and each event and task belongs to a change.
func (in *installation) checkEffects(t *testing.T) {
	t.Helper()
	if in.engine == "sqlite" {
		checkIntegrity(t, in)
	}
	if out, err := in.run(t, "audit", "verify"); err != nil {
		t.Errorf("audit verify: %v %s", err, out)
	}
	for what, query := range map[string]string{
		"an item twice":                       "SELECT source_id, identity_key FROM contents GROUP BY 1, 2 HAVING count(*) > 1",
		"an item without an event":            "SELECT id FROM contents WHERE NOT EXISTS (SELECT 1 FROM events WHERE subject_id = contents.id AND type = 'content.created')",
		"an item without a task":              "SELECT id FROM contents WHERE NOT EXISTS (SELECT 1 FROM enrichment_tasks t WHERE t.content_id = contents.id AND t.revision = contents.revision)",
		"a processed item with an open task":  "SELECT t.id FROM enrichment_tasks t JOIN contents c ON c.id = t.content_id WHERE c.status = 'processed' AND t.revision = c.revision AND t.state <> 'done'",
		"an event of an effect twice":         "SELECT type, subject_id FROM events WHERE type IN ('source.created', 'source.deleted', 'content.created', 'content.processed', 'entity.created', 'entity.deleted') GROUP BY 1, 2 HAVING count(*) > 1",
		"a source without an event":           "SELECT id FROM sources WHERE NOT EXISTS (SELECT 1 FROM events WHERE subject_id = sources.id AND type = 'source.created')",
		"an entity without an event":          "SELECT id FROM entities WHERE NOT EXISTS (SELECT 1 FROM events WHERE subject_id = entities.id AND type = 'entity.created')",
		"a deletion of what is there":         "SELECT subject_id FROM events WHERE (type = 'source.deleted' AND subject_id IN (SELECT id FROM sources)) OR (type = 'entity.deleted' AND subject_id IN (SELECT id FROM entities))",
		"an event before its subject's first": "SELECT e.id FROM events e JOIN events c ON c.subject_id = e.subject_id AND c.type = e.subject_type || '.created' WHERE e.seq < c.seq",
		"a wrong count of mentions":           "SELECT id FROM entities WHERE mention_count <> (SELECT count(*) FROM mentions WHERE entity_id = entities.id)",
	} {
		if found := in.rows(t, query); len(found) > 0 {
			t.Errorf("%d times %s, such as %v", len(found), what, found[0])
		}
	}
}

// checkFeed reads the change feed as its readers do: whole and in order.
func (in *installation) checkFeed(t *testing.T) {
	t.Helper()
	a, err := app.Open(t.Context(), in.config(t), in.env())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	// The server may go on writing, and the feed withholds what comes after a
	// transaction that is under way.
	written, err := strconv.Atoi(in.rows(t, "SELECT count(*) FROM events")[0][0])
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var at kgl.EventPosition
	eventually(t, "the change feed tells all events", func() string {
		list, err := a.Store.EventsAfter(t.Context(), at, 1000)
		if err != nil {
			return err.Error()
		}
		for _, e := range list {
			if seen[e.ID] || e.Position.Tx < at.Tx || e.Position.Tx == at.Tx && e.Position.Seq <= at.Seq {
				t.Errorf("the event %s is told twice or out of order", e.ID)
			}
			seen[e.ID], at = true, e.Position
		}
		if len(seen) < written {
			return fmt.Sprintf("%d of %d", len(seen), written)
		}
		return ""
	})
}
