package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// signatureRow is the keys of an item as PutSignatures takes it, and with the
// fields of sqlitedb.PutSignatureParams.
type signatureRow struct {
	ContentID  string `json:"content_id"`
	KeyVersion int64  `json:"key_version"`
	SeenAt     int64  `json:"seen_at"`
	Key0       *int64 `json:"key0"`
	Key1       *int64 `json:"key1"`
	Key2       *int64 `json:"key2"`
	Key3       *int64 `json:"key3"`
	Key4       *int64 `json:"key4"`
	Key5       *int64 `json:"key5"`
}

func signatureOf(k kgl.ContentKeys) signatureRow {
	row := signatureRow{ContentID: k.ContentID, KeyVersion: k.Version, SeenAt: micros(k.SeenAt)}
	if keys := k.Keys; len(keys) == kgl.NearKeys {
		row.Key0, row.Key1, row.Key2, row.Key3, row.Key4, row.Key5 = &keys[0], &keys[1], &keys[2], &keys[3], &keys[4], &keys[5]
	}
	return row
}

// PutContentKeys implements kgl.NearStore. As for items, SQLite gets one row at
// a time and Postgres all at once.
func (db *DB) PutContentKeys(ctx context.Context, ks []kgl.ContentKeys) error {
	if len(ks) == 0 {
		return nil
	}
	rows := make([]signatureRow, len(ks))
	for i, k := range ks {
		rows[i] = signatureOf(k)
	}
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		if c.engine == SQLite {
			for _, row := range rows {
				if err := c.PutSignature(ctx, sqlitedb.PutSignatureParams(row)); err != nil {
					return err
				}
			}
			return nil
		}
		text, err := jsonText(rows)
		if err != nil {
			return err
		}
		return c.PutSignatures(ctx, text)
	})
}

// nearKey asks for items that share a key with one; Idx is its place in the
// list.
type nearKey struct {
	Idx      int    `json:"idx"`
	SourceID string `json:"source_id"`
	Since    int64  `json:"since"`
	Key0     int64  `json:"key0"`
	Key1     int64  `json:"key1"`
	Key2     int64  `json:"key2"`
	Key3     int64  `json:"key3"`
	Key4     int64  `json:"key4"`
	Key5     int64  `json:"key5"`
}

// nearHead is a head with how many keys an item of its group shares.
type nearHead struct {
	id     string
	shared int
	seenAt int64
}

// NearHeads implements kgl.NearStore. SQLite is asked item by item, and Postgres
// for all at once, because that takes either the least time.
func (db *DB) NearHeads(ctx context.Context, ks []kgl.ContentKeys, since time.Time, limit int) ([][]string, error) {
	found := make([]map[string]nearHead, len(ks))
	err := db.read(ctx, func(c *conn) error {
		if c.engine == Postgres {
			return nearItems(ctx, c, ks, micros(since), found)
		}
		for i, k := range ks {
			n := k.Keys
			if len(n) != kgl.NearKeys {
				continue
			}
			rows, err := c.NearItemsOf(ctx, sqlitedb.NearItemsOfParams{
				SourceID: k.SourceID, Since: micros(since), Key0: n[0], Key1: n[1], Key2: n[2], Key3: n[3], Key4: n[4], Key5: n[5],
			})
			if err != nil {
				return err
			}
			for _, r := range rows {
				addNear(found, i, k.Keys, r)
			}
		}
		return nil
	})
	heads := make([][]string, len(ks))
	for i, byID := range found {
		list := slices.SortedFunc(maps.Values(byID), compareNear)
		for _, h := range list[:min(len(list), limit)] {
			heads[i] = append(heads[i], h.id)
		}
	}
	return heads, err
}

// nearItems asks for the candidates of all items at once.
func nearItems(ctx context.Context, c *conn, ks []kgl.ContentKeys, since int64, found []map[string]nearHead) error {
	var keys []nearKey
	for i, k := range ks {
		if n := k.Keys; len(n) == kgl.NearKeys {
			keys = append(keys, nearKey{i, k.SourceID, since, n[0], n[1], n[2], n[3], n[4], n[5]})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	text, err := jsonText(keys)
	if err != nil {
		return err
	}
	rows, err := c.NearItems(ctx, text)
	for _, r := range rows {
		addNear(found, int(r.Idx), ks[r.Idx].Keys, sqlitedb.NearItemsOfRow{
			HeadID: r.HeadID, SeenAt: r.SeenAt, Key0: r.Key0, Key1: r.Key1, Key2: r.Key2, Key3: r.Key3, Key4: r.Key4, Key5: r.Key5,
		})
	}
	return err
}

// addNear keeps the nearest item of each group.
func addNear(found []map[string]nearHead, i int, keys []int64, r sqlitedb.NearItemsOfRow) {
	if found[i] == nil {
		found[i] = map[string]nearHead{}
	}
	h := nearHead{r.HeadID, sharedKeys(r, keys), r.SeenAt}
	if old, ok := found[i][h.id]; !ok || compareNear(h, old) < 0 {
		found[i][h.id] = h
	}
}

// compareNear orders by shared keys, the most first; then the first-seen first.
func compareNear(a, b nearHead) int {
	return cmp.Or(b.shared-a.shared, cmp.Compare(a.seenAt, b.seenAt), cmp.Compare(a.id, b.id))
}

func sharedKeys(r sqlitedb.NearItemsOfRow, keys []int64) int {
	n := 0
	for i, k := range []*int64{r.Key0, r.Key1, r.Key2, r.Key3, r.Key4, r.Key5} {
		if k != nil && *k == keys[i] {
			n++
		}
	}
	return n
}

// ContentTexts implements kgl.NearStore.
func (db *DB) ContentTexts(ctx context.Context, ids []string) ([]kgl.ContentText, error) {
	list, err := listText(unique(ids))
	if err != nil {
		return nil, failure(err)
	}
	var texts []kgl.ContentText
	err = db.read(ctx, func(c *conn) error {
		rows, err := c.ContentTexts(ctx, list)
		for _, r := range rows {
			texts = append(texts, contentTextOf(r))
		}
		return err
	})
	return texts, err
}

// ContentsWithoutKeys implements kgl.NearStore.
func (db *DB) ContentsWithoutKeys(ctx context.Context, version int64, since time.Time, limit int) ([]kgl.ContentText, error) {
	var texts []kgl.ContentText
	err := db.read(ctx, func(c *conn) error {
		rows, err := c.UnsignedContents(ctx, sqlitedb.UnsignedContentsParams{Since: micros(since), KeyVersion: version, RowLimit: int64(limit)})
		for _, r := range rows {
			texts = append(texts, contentTextOf(sqlitedb.ContentTextsRow(r)))
		}
		return err
	})
	return texts, err
}

func contentTextOf(r sqlitedb.ContentTextsRow) kgl.ContentText {
	return kgl.ContentText{ID: r.ID, SourceID: r.SourceID, FetchedAt: timeOf(r.FetchedAt), Title: r.Title, Text: r.Body}
}

// DeleteOldKeys implements kgl.NearStore.
func (db *DB) DeleteOldKeys(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.DeleteOldSignatures(ctx, sqlitedb.DeleteOldSignaturesParams{Before: micros(before), RowLimit: int64(limit)})
		return err
	})
	return n, err
}
