package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// published is an item as its feed names it.
type published struct {
	Feed int    `json:"feed"`
	GUID string `json:"guid"`
	URL  string `json:"url"`
}

// checkTruth compares what is stored with what the farm published so far, by
// feed, id and URL: no item may be missing, stored twice or made up. It returns
// how many items were compared.
func (f *fetching) checkTruth(ctx context.Context) (int, error) {
	want, err := farmTruth(ctx, f.farm)
	if err != nil {
		return 0, err
	}
	got, err := f.stored(ctx)
	if err != nil {
		return 0, err
	}
	return len(want), differences(want, got)
}

// farmTruth returns what the farm has published.
func farmTruth(ctx context.Context, farm *process) ([]published, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, farm.base+"/_farm/truth", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var list []published
	for decoder := json.NewDecoder(answer.Body); ; {
		var item published
		if err := decoder.Decode(&item); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("the farm's list of items: %w", err)
		}
		list = append(list, item)
	}
}

// stored returns the items in the database, each with the number of the farm's
// feed that its source's URL names.
func (f *fetching) stored(ctx context.Context) (list []published, err error) {
	rows, err := f.db.QueryContext(ctx, "SELECT s.url, c.guid, c.url FROM contents c JOIN sources s ON s.id = c.source_id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var source string
		var item published
		if err := rows.Scan(&source, &item.GUID, &item.URL); err != nil {
			return nil, err
		}
		_, path, _ := strings.Cut(source, "/f/")
		number, _, _ := strings.Cut(path, "/")
		if item.GUID == "" {
			item.GUID = item.URL // the only id that it has
		}
		if item.Feed, err = strconv.Atoi(number); err != nil {
			return nil, fmt.Errorf("%s is no feed of the farm", source)
		}
		list = append(list, item)
	}
	return list, rows.Err()
}

// differences says which items are missing, stored more than once, or stored
// without having been published.
func differences(want, got []published) error {
	count := make(map[published]int, len(want))
	for _, item := range got {
		count[item]++
	}
	var missing, twice, unknown int
	var example string
	note := func(n *int, what string, item published) {
		if *n++; example == "" {
			example = fmt.Sprintf("%s: feed %d, %s, %s", what, item.Feed, item.GUID, item.URL)
		}
	}
	for _, item := range want {
		switch n := count[item]; {
		case n == 0:
			note(&missing, "missing", item)
		case n > 1:
			note(&twice, "stored more than once", item)
		}
		delete(count, item)
	}
	for item := range count {
		note(&unknown, "never published", item)
	}
	if missing+twice+unknown == 0 {
		return nil
	}
	return fmt.Errorf("of %d published items %d are missing, %d are stored more than once, and %d were never published; %s",
		len(want), missing, twice, unknown, example)
}
