package main

import (
	"context"
	"database/sql"
	"fmt"
)

// table is a table of the schema.
type table struct {
	name    string
	virtual bool // a full-text index and the like, which Postgres does otherwise
	columns []column
	foreign []foreignKey
	indexes []index
}

type column struct {
	name       string
	kind       string
	nullable   bool
	initial    string // SQL text of the default, empty when there is none
	primaryKey bool
}

type foreignKey struct {
	id       int // of the constraint; one with several columns has several rows
	parent   string
	from, to string
	onDelete string
}

type index struct {
	name    string
	unique  bool
	origin  string // c: CREATE INDEX, u: UNIQUE, pk: PRIMARY KEY
	columns []string
	sql     string // of the statement that made it; empty for constraints
}

// query runs a statement and calls scan for each row.
func query(ctx context.Context, db *sql.DB, scan func(*sql.Rows) error, statement string, args ...any) (err error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return rows.Err()
}

// readTables returns the tables by name, without those that SQLite and the
// migration tool keep for themselves.
func readTables(ctx context.Context, db *sql.DB) ([]table, error) {
	var tables []table
	err := query(ctx, db, func(rows *sql.Rows) error {
		var t table
		var kind string
		err := rows.Scan(&t.name, &kind)
		t.virtual = kind == "virtual"
		tables = append(tables, t)
		return err
	}, `SELECT name, type FROM pragma_table_list
		WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'schema_migrations'
		ORDER BY name`)
	if err != nil {
		return nil, err
	}
	for i := range tables {
		if err := readTable(ctx, db, &tables[i]); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

func readTable(ctx context.Context, db *sql.DB, t *table) error {
	err := query(ctx, db, func(rows *sql.Rows) error {
		var c column
		var notNull bool
		var position int
		var initial sql.NullString
		err := rows.Scan(&c.name, &c.kind, &notNull, &initial, &position)
		c.primaryKey, c.nullable, c.initial = position > 0, !notNull && position == 0, initial.String
		t.columns = append(t.columns, c)
		return err
	}, `SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?) ORDER BY cid`, t.name)
	if err != nil {
		return err
	}
	err = query(ctx, db, func(rows *sql.Rows) error {
		var k foreignKey
		var to sql.NullString // null: the primary key
		err := rows.Scan(&k.id, &k.parent, &k.from, &to, &k.onDelete)
		k.to = to.String
		t.foreign = append(t.foreign, k)
		return err
	}, `SELECT id, "table", "from", "to", on_delete FROM pragma_foreign_key_list(?) ORDER BY "from", id, seq`, t.name)
	if err != nil {
		return err
	}
	err = query(ctx, db, func(rows *sql.Rows) error {
		var x index
		var text sql.NullString
		err := rows.Scan(&x.name, &x.unique, &x.origin, &text)
		x.sql = text.String
		t.indexes = append(t.indexes, x)
		return err
	}, `SELECT l.name, l."unique", l.origin, s.sql FROM pragma_index_list(?) AS l
		LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name ORDER BY l.name`, t.name)
	if err != nil {
		return err
	}
	for i := range t.indexes {
		x := &t.indexes[i]
		err := query(ctx, db, func(rows *sql.Rows) error {
			var name sql.NullString // null: an expression
			var descending bool
			err := rows.Scan(&name, &descending)
			if !name.Valid {
				name.String = "(expression)"
			}
			if descending {
				name.String += " DESC"
			}
			x.columns = append(x.columns, name.String)
			return err
		}, `SELECT name, "desc" FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno`, x.name)
		if err != nil {
			return err
		}
	}
	return nil
}

// isForeign reports whether a column refers to another table.
func (t table) isForeign(name string) bool {
	for _, k := range t.foreign {
		if k.from == name {
			return true
		}
	}
	return false
}

// isUnique reports whether a column alone is unique.
func (t table) isUnique(name string) bool {
	for _, x := range t.indexes {
		if x.unique && len(x.columns) == 1 && x.columns[0] == name {
			return true
		}
	}
	alone := 0
	for _, c := range t.columns {
		if c.primaryKey {
			alone++
		}
	}
	for _, c := range t.columns {
		if c.name == name && c.primaryKey && alone == 1 {
			return true
		}
	}
	return false
}
