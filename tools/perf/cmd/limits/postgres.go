package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const pgSchema = `
DROP TABLE IF EXISTS %[1]sitems, %[1]sfeeds;
CREATE TABLE %[1]sfeeds(id bigint PRIMARY KEY, title text NOT NULL);
CREATE TABLE %[1]sitems(
 id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, feed_id bigint NOT NULL, guid text NOT NULL, url text NOT NULL, title text NOT NULL,
 summary text NOT NULL, content text NOT NULL, author text NOT NULL, published bigint NOT NULL, fetched bigint NOT NULL, hash bytea NOT NULL, tsv tsvector);
CREATE UNIQUE INDEX ON %[1]sitems(feed_id, guid);
CREATE INDEX ON %[1]sitems(published DESC, id DESC);
CREATE INDEX ON %[1]sitems(feed_id, published DESC, id DESC);
`

var pgColumns = []string{"feed_id", "guid", "url", "title", "summary", "content", "author", "published", "fetched", "hash"}

func pgConnect() *pgx.Conn {
	c, err := pgx.Connect(context.Background(), *pgDSN)
	must(err)
	return c
}

func pgCopy(c *pgx.Conn, table string, rows []row) {
	_, err := c.CopyFrom(context.Background(), pgx.Identifier{table}, pgColumns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		r := &rows[i]
		return []any{r.feed, r.guid, r.url, r.title, r.summary, r.content, r.author, r.published, r.fetched, r.hash}, nil
	}))
	must(err)
}

func pgBatch(c *pgx.Conn, table string, rows []row) {
	b := &pgx.Batch{}
	for i := range rows {
		r := &rows[i]
		b.Queue(`INSERT INTO `+table+`(feed_id,guid,url,title,summary,content,author,published,fetched,hash) VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9,$10) ON CONFLICT DO NOTHING`,
			r.feed, r.guid, r.url, r.title, r.summary, r.content, r.author, r.published, r.fetched, r.hash)
	}
	must(c.SendBatch(context.Background(), b).Close()) // a batch is one implicit transaction
}

// pgUnnest inserts rows as one statement over arrays, with or without the search vector.
func pgUnnest(c *pgx.Conn, table string, rows []row, fts bool) {
	n := len(rows)
	feed, pub, fet := make([]int64, n), make([]int64, n), make([]int64, n)
	guid, url, title, summary, content, author, text := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	hash := make([][]byte, n)
	for i := range rows {
		r := &rows[i]
		feed[i], pub[i], fet[i], guid[i], url[i], title[i], summary[i], content[i], author[i], hash[i], text[i] = r.feed, r.published, r.fetched, r.guid, r.url, r.title, r.summary, r.content, r.author, r.hash, r.text
	}
	q := `INSERT INTO ` + table + `(feed_id,guid,url,title,summary,content,author,published,fetched,hash) SELECT * FROM unnest($1::bigint[],$2::text[],$3::text[],$4::text[],$5::text[],$6::text[],$7::text[],$8::bigint[],$9::bigint[],$10::bytea[]) ON CONFLICT DO NOTHING`
	args := []any{feed, guid, url, title, summary, content, author, pub, fet, hash}
	if fts {
		q = `INSERT INTO ` + table + `(feed_id,guid,url,title,summary,content,author,published,fetched,hash,tsv) SELECT a,b,c,d,e,f,g,h,i,j, setweight(to_tsvector('simple',d),'A')||to_tsvector('simple',k) FROM unnest($1::bigint[],$2::text[],$3::text[],$4::text[],$5::text[],$6::text[],$7::text[],$8::bigint[],$9::bigint[],$10::bytea[],$11::text[]) AS t(a,b,c,d,e,f,g,h,i,j,k) ON CONFLICT DO NOTHING`
		args = append(args, text)
	}
	_, err := c.Exec(context.Background(), q, args...)
	must(err)
}

func pgBlocks(d *data) []*block {
	ctx := context.Background()
	var c *pgx.Conn
	var bs []*block
	fresh := func(async, fts bool) func() {
		return func() {
			if c == nil {
				c = pgConnect()
			}
			_, err := c.Exec(ctx, fmt.Sprintf(pgSchema, "w_"))
			must(err)
			if fts {
				_, err = c.Exec(ctx, `CREATE INDEX ON w_items USING gin(tsv)`)
				must(err)
			}
			_, err = c.Exec(ctx, `SET synchronous_commit=`+map[bool]string{true: "off", false: "on"}[async])
			must(err)
			_, err = c.Exec(ctx, `CHECKPOINT`)
			must(err)
		}
	}
	insert := func(name string, per int, async, fts bool, put func([]row)) {
		bs = append(bs, &block{
			name: fmt.Sprintf("pg/insert/%s/tx%d/%s", name, per, map[bool]string{true: "async", false: "sync"}[async]), unit: "rows", pg: true,
			prep: fresh(async, fts),
			run: func(deadline time.Time) (n int, size int64) {
				for time.Now().Before(deadline) {
					rows := d.rows(n, per)
					n += per
					put(rows)
					for i := range rows {
						size += int64(len(rows[i].content))
					}
				}
				return n, size
			},
		})
	}
	insert("copyfrom-plain", 30, false, false, func(r []row) { pgCopy(c, "w_items", r) })
	insert("copyfrom-plain", 1000, false, false, func(r []row) { pgCopy(c, "w_items", r) })
	insert("batch-plain", 30, false, false, func(r []row) { pgBatch(c, "w_items", r) })
	insert("unnest-plain", 30, false, false, func(r []row) { pgUnnest(c, "w_items", r, false) })
	insert("unnest-plain", 30, true, false, func(r []row) { pgUnnest(c, "w_items", r, false) })
	insert("unnest-tsv-gin", 30, false, true, func(r []row) { pgUnnest(c, "w_items", r, true) })
	insert("unnest-tsv-gin", 300, false, true, func(r []row) { pgUnnest(c, "w_items", r, true) })
	insert("unnest-tsv-gin", 300, true, true, func(r []row) { pgUnnest(c, "w_items", r, true) })
	bs = append(bs, &block{
		name: "pg/insert-known/unnest/tx30", unit: "rows", pg: true,
		prep: func() {
			fresh(false, true)()
			for n := 0; n < 3000; n += 300 {
				pgUnnest(c, "w_items", d.rows(n, 300), true)
			}
		},
		run: repeatRows(d, 3000, func(rows []row) { pgUnnest(c, "w_items", rows, false) }),
	}, &block{
		name: "pipeline/parse+sanitise+pg-tsv-gin", unit: "items", pg: true, prep: fresh(false, true),
		run: d.pipeline(func(rows []row) { pgUnnest(c, "w_items", rows, true) }),
	}, &block{
		name: "pipeline/parse+sanitise+pg-plain", unit: "items", pg: true, prep: fresh(false, false),
		run: d.pipeline(func(rows []row) { pgUnnest(c, "w_items", rows, false) }),
	})
	return bs
}
