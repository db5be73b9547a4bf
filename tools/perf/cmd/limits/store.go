package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"github.com/mmcdole/gofeed"
)

// row is what the stores keep of an item.
type row struct {
	feed                                       int64
	guid, url, title, summary, content, author string
	published, fetched                         int64
	hash                                       []byte
	text                                       string // for the search index
}

// row makes the n-th row; beyond the corpus it repeats with new GUIDs, so that
// every row is new to the store.
func (d *data) row(n int) row {
	k := n % len(d.items)
	it := &d.items[k]
	gen := n / len(d.items)
	h := sha256.Sum256([]byte(d.clean[k]))
	return row{
		feed: int64(it.Feed + 1 + gen*len(d.feeds)), guid: fmt.Sprintf("%s/%d", it.GUID(), gen), url: fmt.Sprintf("http://127.1.0.1:9700/s/%d/p/%d", it.Feed, n),
		title: it.Title, summary: it.Summary, content: d.clean[k], author: it.Author,
		published: it.Published.Unix() - int64(gen)*977, fetched: 1800000000 + int64(n), hash: h[:], text: d.text[k],
	}
}

// sink is where a pipeline puts the items of one feed, in one transaction.
type sink func([]row)

// pipeline parses feed documents, sanitises the bodies and stores the items.
func (d *data) pipeline(put sink) func(time.Time) (int, int64) {
	policy := bluemonday.UGCPolicy()
	return func(deadline time.Time) (items int, size int64) {
		for i := 0; ; i++ {
			if !time.Now().Before(deadline) {
				return items, size
			}
			doc := d.docs[i%len(d.docs)]
			size += int64(len(doc))
			f, err := gofeed.NewParser().Parse(bytes.NewReader(doc))
			must(err)
			rows := make([]row, 0, len(f.Items))
			for k, it := range f.Items {
				body := it.Content
				if body == "" {
					body = it.Description
				}
				clean := policy.Sanitize(body)
				h := sha256.Sum256([]byte(clean))
				r := row{feed: int64(i + 1), guid: it.GUID, url: it.Link, title: it.Title, summary: it.Description, content: clean, fetched: int64(i*30 + k), hash: h[:]}
				if r.guid == "" {
					r.guid = r.url
				}
				if it.PublishedParsed != nil {
					r.published = it.PublishedParsed.Unix()
				}
				if len(it.Authors) > 0 {
					r.author = it.Authors[0].Name
				}
				if put != nil {
					r.text = plain(clean)
				}
				rows = append(rows, r)
			}
			items += len(rows)
			if put != nil {
				put(rows)
			}
		}
	}
}
