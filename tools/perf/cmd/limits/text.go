package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
)

// plain takes the text out of HTML, as a search index wants it.
func plain(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.Write(z.Text())
			b.WriteByte(' ')
		}
	}
}

func textBlocks(d *data) []*block {
	policy := bluemonday.UGCPolicy()
	for i := range d.items {
		c := policy.Sanitize(d.items[i].HTML)
		d.clean = append(d.clean, c)
		d.text = append(d.text, plain(c))
	}
	var xmlDocs [][]byte
	byFormat := map[corpus.Format][][]byte{}
	for i, f := range d.feeds {
		byFormat[f.Format] = append(byFormat[f.Format], d.docs[i])
		if f.Format != corpus.JSONFeed {
			xmlDocs = append(xmlDocs, d.docs[i])
		}
	}
	parse := func(docs [][]byte) func(int) int64 {
		return func(i int) int64 {
			p := gofeed.NewParser()
			f, err := p.Parse(bytes.NewReader(docs[i]))
			must(err)
			if len(f.Items) != 30 {
				panic("items")
			}
			return int64(len(docs[i]))
		}
	}
	bs := []*block{{name: "parse/gofeed/mix", unit: "feeds of 30 items", run: repeat(len(d.docs), parse(d.docs))}}
	for _, f := range []corpus.Format{corpus.RSS, corpus.Atom, corpus.RDF, corpus.JSONFeed} {
		if docs := byFormat[f]; len(docs) > 0 {
			bs = append(bs, &block{name: "parse/gofeed/" + f.String(), unit: "feeds of 30 items", run: repeat(len(docs), parse(docs))})
		}
	}
	tokens := func(raw bool) func(int) int64 {
		return func(i int) int64 {
			dec := xml.NewDecoder(bytes.NewReader(xmlDocs[i]))
			for {
				var err error
				if raw {
					_, err = dec.RawToken()
				} else {
					_, err = dec.Token()
				}
				if errors.Is(err, io.EOF) {
					break
				}
				must(err)
			}
			return int64(len(xmlDocs[i]))
		}
	}
	n := len(d.items)
	return append(bs,
		&block{name: "tokenise/encoding-xml/raw", unit: "feeds of 30 items", run: repeat(len(xmlDocs), tokens(true))},
		&block{name: "tokenise/encoding-xml/token", unit: "feeds of 30 items", run: repeat(len(xmlDocs), tokens(false))},
		&block{name: "sanitise/bluemonday-ugc", unit: "bodies", run: repeat(n, func(i int) int64 {
			_ = policy.Sanitize(d.items[i].HTML)
			return int64(len(d.items[i].HTML))
		})},
		&block{name: "sanitise/html-tokenise-only", unit: "bodies", run: repeat(n, func(i int) int64 {
			z := html.NewTokenizer(strings.NewReader(d.items[i].HTML))
			for z.Next() != html.ErrorToken {
				_ = z.Token()
			}
			return int64(len(d.items[i].HTML))
		})},
		&block{name: "sanitise/html-parse-render", unit: "bodies", run: repeat(n, func(i int) int64 {
			t, err := html.Parse(strings.NewReader(d.items[i].HTML))
			must(err)
			must(html.Render(io.Discard, t))
			return int64(len(d.items[i].HTML))
		})},
		&block{name: "text/plain-from-html", unit: "bodies", run: repeat(n, func(i int) int64 {
			_ = plain(d.clean[i])
			return int64(len(d.clean[i]))
		})},
		&block{name: "text/sha256", unit: "bodies", run: repeat(n, func(i int) int64 {
			_ = sha256.Sum256([]byte(d.items[i].HTML))
			return int64(len(d.items[i].HTML))
		})},
	)
}
