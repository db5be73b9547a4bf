package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

const sqliteSchema = `
CREATE TABLE feeds(id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE items(
 id INTEGER PRIMARY KEY, feed_id INTEGER NOT NULL, guid TEXT NOT NULL, url TEXT NOT NULL, title TEXT NOT NULL,
 summary TEXT NOT NULL, content TEXT NOT NULL, author TEXT NOT NULL, published INTEGER NOT NULL, fetched INTEGER NOT NULL, hash BLOB NOT NULL);
CREATE UNIQUE INDEX items_guid ON items(feed_id, guid);
CREATE INDEX items_time ON items(published DESC, id DESC);
CREATE INDEX items_feed ON items(feed_id, published DESC, id DESC);
`

const sqliteFTS = `CREATE VIRTUAL TABLE fts USING fts5(title, body, content='', tokenize='unicode61 remove_diacritics 2');`

type lite struct {
	db       *sql.DB
	path     string
	fts      bool
	ins, ftx *sql.Stmt
}

// openLite opens an empty store; sync is NORMAL or FULL.
func openLite(path, sync string, fts bool) *lite {
	for _, s := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + s)
	}
	dsn := "file:" + path + "?_journal_mode=WAL&_busy_timeout=5000&_synchronous=" + sync + "&_cache_size=-65536"
	db, err := sql.Open("sqlite3", dsn)
	must(err)
	db.SetMaxOpenConns(1)
	l := &lite{db: db, path: path, fts: fts}
	_, err = db.Exec(sqliteSchema)
	must(err)
	if fts {
		_, err = db.Exec(sqliteFTS)
		must(err)
	}
	l.ins, err = db.Prepare(`INSERT INTO items(feed_id,guid,url,title,summary,content,author,published,fetched,hash) VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(feed_id,guid) DO NOTHING`)
	must(err)
	if fts {
		l.ftx, err = db.Prepare(`INSERT INTO fts(rowid,title,body) VALUES(?,?,?)`)
		must(err)
	}
	return l
}

func (l *lite) put(rows []row) {
	tx, err := l.db.Begin()
	must(err)
	ins := tx.Stmt(l.ins)
	var ftx *sql.Stmt
	if l.fts {
		ftx = tx.Stmt(l.ftx)
	}
	for i := range rows {
		r := &rows[i]
		res, err := ins.Exec(r.feed, r.guid, r.url, r.title, r.summary, r.content, r.author, r.published, r.fetched, r.hash)
		must(err)
		if n, _ := res.RowsAffected(); n == 1 && l.fts {
			id, _ := res.LastInsertId()
			_, err = ftx.Exec(id, r.title, r.text)
			must(err)
		}
	}
	must(tx.Commit())
}

func (l *lite) close() { must(l.db.Close()) }

func sqliteBlocks(d *data) []*block {
	file := func(n string) string { return filepath.Join(*dir, n) }
	var bs []*block
	insert := func(sync string, fts bool, per int) {
		var l *lite
		idx := map[bool]string{true: "fts5", false: "plain"}[fts]
		bs = append(bs, &block{
			name: fmt.Sprintf("sqlite/insert/%s/%s/tx%d", sync, idx, per), unit: "rows",
			prep:  func() { l = openLite(file("insert.db"), sync, fts) },
			after: func() { l.close() },
			run: func(deadline time.Time) (n int, size int64) {
				rows := make([]row, 0, per)
				for time.Now().Before(deadline) {
					rows = rows[:0]
					for range per {
						r := d.row(n)
						n++
						size += int64(len(r.content))
						rows = append(rows, r)
					}
					l.put(rows)
				}
				return n, size
			},
		})
	}
	for _, sync := range []string{"NORMAL", "FULL"} {
		for _, fts := range []bool{false, true} {
			insert(sync, fts, 30)
		}
	}
	insert("NORMAL", false, 1000)
	insert("NORMAL", true, 1000)

	var l *lite
	bs = append(bs, &block{
		name: "sqlite/insert-known/NORMAL/tx30", unit: "rows",
		prep: func() {
			l = openLite(file("insert.db"), "NORMAL", true)
			for n := 0; n < 3000; n += 30 {
				l.put(d.rows(n, 30))
			}
		},
		after: func() { l.close() },
		run:   repeatRows(d, 3000, func(rows []row) { l.put(rows) }),
	})
	pipe := func(name, sync string, fts bool) {
		bs = append(bs, &block{
			name: name, unit: "items",
			prep:  func() { l = openLite(file("pipe.db"), sync, fts) },
			after: func() { l.close() },
			run:   d.pipeline(func(rows []row) { l.put(rows) }),
		})
	}
	pipe("pipeline/parse+sanitise+sqlite-fts5", "NORMAL", true)
	pipe("pipeline/parse+sanitise+sqlite-plain", "NORMAL", false)
	pipe("pipeline/parse+sanitise+sqlite-full-sync", "FULL", false)
	bs = append(bs, &block{name: "pipeline/parse+sanitise", unit: "items", run: d.pipeline(nil)})

	return bs
}

func (d *data) rows(from, n int) []row {
	out := make([]row, n)
	for i := range out {
		out[i] = d.row(from + i)
	}
	return out
}

// repeatRows puts rows 0 to total again and again, 30 at once.
func repeatRows(d *data, total int, put func([]row)) func(time.Time) (int, int64) {
	var all [][]row
	return func(deadline time.Time) (n int, size int64) {
		if all == nil {
			for k := 0; k < total; k += 30 {
				all = append(all, d.rows(k, 30))
			}
		}
		for k := 0; time.Now().Before(deadline); k++ {
			put(all[k%len(all)])
			n += 30
		}
		return n, 0
	}
}
