package kglapi

import (
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type page struct {
	Data []struct {
		ID          string    `json:"id"`
		SourceID    string    `json:"source_id"` // of content
		PublishedAt time.Time `json:"published_at"`
	} `json:"data"`
	Pagination struct {
		NextCursor *string `json:"next_cursor"`
	} `json:"pagination"`
}

// Samples of the lists.
const (
	untils      = 400
	perUntil    = 5
	entitiesMax = 1000
)

// Lists writes the value lists of the scenarios into dir: moments inside the
// time over which items were published (until.txt), items around them
// (content.txt), the sources of these, so that large ones come up more often
// (sources.txt), and entities (entities.txt). The same data gives the same lists.
func (c *Client) Lists(dir string) error {
	oldest, err := c.edge("published_at")
	if err != nil {
		return err
	}
	newest, err := c.edge("-published_at")
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	var moments, items, sources []string
	for range untils {
		// The oldest tenth is left out, so that every page is full.
		part := 0.1 + 0.9*r.Float64()
		at := oldest.Add(time.Duration(part * float64(newest.Sub(oldest)))).UTC().Format(time.RFC3339)
		moments = append(moments, url.QueryEscape(at))
		var p page
		if err := c.Get("/api/v1/content?limit=5&view=summary&duplicates=all&until="+url.QueryEscape(at), &p); err != nil {
			return err
		}
		for _, item := range p.Data[:min(len(p.Data), perUntil)] {
			items, sources = append(items, item.ID), append(sources, item.SourceID)
		}
	}
	entities, err := c.ids("/api/v1/entities?limit=100&sort=-confidence", entitiesMax)
	if err != nil {
		return err
	}
	write := func(name string, values []string) error {
		return os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(values, "\n")+"\n"), 0o600)
	}
	return errors.Join(os.MkdirAll(dir, 0o700), write("until.txt", moments), write("content.txt", items), write("sources.txt", sources),
		write("entities.txt", entities))
}

// edge returns when the first item of an order was published.
func (c *Client) edge(sort string) (time.Time, error) {
	var p page
	if err := c.Get("/api/v1/content?limit=1&view=summary&duplicates=all&sort="+sort, &p); err != nil {
		return time.Time{}, err
	}
	if len(p.Data) == 0 {
		return time.Time{}, errors.New("the service holds no content")
	}
	return p.Data[0].PublishedAt, nil
}

// ids returns the ids of a list, at most a number of them.
func (c *Client) ids(path string, most int) ([]string, error) {
	var ids []string
	cursor := ""
	for {
		var p page
		if err := c.Get(path+cursor, &p); err != nil {
			return nil, err
		}
		for _, row := range p.Data {
			ids = append(ids, row.ID)
		}
		if p.Pagination.NextCursor == nil || *p.Pagination.NextCursor == "" || len(ids) >= most {
			return ids[:min(len(ids), most)], nil
		}
		cursor = "&cursor=" + url.QueryEscape(*p.Pagination.NextCursor)
	}
}
