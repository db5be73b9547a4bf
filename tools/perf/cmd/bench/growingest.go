package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// growIngest adds feeds to filled databases and measures what one new item
// costs at each size.
func (b *bench) growIngest(ctx context.Context, engine string, sites []site, farm *process) (Growth, error) {
	g := Growth{Engine: engine, Kind: "ingest", Unit: "new item"}
	us := make([][]float64, len(sites))
	for i, s := range sites {
		cpu, noise, err := b.addFeeds(ctx, engine, s, farm, i*deltaFeeds)
		if err != nil {
			return g, fmt.Errorf("at %d items: %w", s.items, err)
		}
		g.Items = append(g.Items, s.items)
		us[i] = []float64{cpu}
		g.Noise.add(noise, len(sites))
	}
	g.fill(us)
	b.say("  ingest: %s", g.text())
	return g, nil
}

// addFeeds subscribes some of the farm's feeds, waits until they were fetched,
// and removes them again. It returns the CPU microseconds for one item.
func (b *bench) addFeeds(ctx context.Context, engine string, s site, farm *process, from int) (us float64, noise Noise, err error) {
	client, err := b.login(s.service)
	if err != nil {
		return 0, Noise{}, err
	}
	databaseURL, err := b.filled(ctx, engine, s.items)
	if err != nil {
		return 0, Noise{}, err
	}
	db, err := connect(databaseURL)
	if err != nil {
		return 0, Noise{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	urls, err := b.download(fmt.Sprintf("%s/_farm/urls?from=%d&n=%d", farm.base, from, deltaFeeds), "urls.txt")
	if err != nil {
		return 0, Noise{}, err
	}
	list, err := readLines(urls)
	if err != nil {
		return 0, Noise{}, err
	}
	postmaster := b.postgresPID(engine)
	w := measure([]int{s.service.pid(), postmaster}, farm.pid())
	since := time.Now()
	var ids []string
	defer func() {
		for _, id := range ids {
			err = errors.Join(err, client.Delete("/api/v1/sources/"+id))
		}
	}()
	for _, u := range list {
		id, err := client.Create("/api/v1/sources", map[string]string{"url": u})
		if err != nil {
			return 0, Noise{}, err
		}
		ids = append(ids, id)
	}
	if err := awaitAll(ctx, db, ids, since); err != nil {
		return 0, Noise{}, err
	}
	cpu, _, noise := w.end()
	return sum(cpu) * 1e6 / float64(len(ids)*itemsPerFeed), noise, nil
}

// awaitAll waits until the sources with these ids were fetched.
func awaitAll(ctx context.Context, db *sql.DB, ids []string, since time.Time) error {
	return awaitFetches(ctx, db, " AND id IN ('"+strings.Join(ids, "','")+"')", since, len(ids))
}

func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	return strings.Fields(string(text)), err
}
