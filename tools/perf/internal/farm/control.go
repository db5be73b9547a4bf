package farm

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
)

func intParam(r *http.Request, name string, def int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil {
		return n
	}
	return def
}

// span is the range of feeds a control request asks for with from= and n=.
func (fm *Farm) span(r *http.Request) []*feed {
	from := min(max(intParam(r, "from", 0), 0), len(fm.feeds))
	n := min(max(intParam(r, "n", len(fm.feeds)), 0), len(fm.feeds)-from)
	return fm.feeds[from : from+n]
}

// control answers the requests under /_farm/.
func (fm *Farm) control(w http.ResponseWriter, r *http.Request) {
	commands := map[string]func(http.ResponseWriter, *http.Request){
		"stats": func(w http.ResponseWriter, _ *http.Request) { reply(w, fm.Stats()) },
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			fm.reset()
			reply(w, fm.Stats())
		},
		"prewarm": func(w http.ResponseWriter, _ *http.Request) { reply(w, map[string]int64{"bytes": fm.Prewarm()}) },
		"tick":    fm.tick,
		"latency": func(w http.ResponseWriter, r *http.Request) {
			fm.latency.Store(int64(time.Duration(intParam(r, "ms", 0)) * time.Millisecond))
			reply(w, map[string]int64{"ms": fm.latency.Load() / 1e6})
		},
		"urls": func(w http.ResponseWriter, r *http.Request) {
			for _, f := range fm.span(r) {
				fmt.Fprintln(w, fm.url(f))
			}
		},
		"feeds": fm.list,
		"opml":  fm.opml,
		"truth": fm.truth,
		"terms": func(w http.ResponseWriter, r *http.Request) {
			for _, t := range corpus.Terms(intParam(r, "from", 0), intParam(r, "to", 1000), intParam(r, "n", 100)) {
				fmt.Fprintln(w, t)
			}
		},
	}
	if command := commands[strings.TrimPrefix(r.URL.Path, "/_farm/")]; command != nil {
		command(w, r)
		return
	}
	_, _ = io.WriteString(w, strings.Join(slices.Sorted(maps.Keys(commands)), " ")+"\n")
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// tick lets time pass: a share of the feeds gains items.
func (fm *Farm) tick(w http.ResponseWriter, r *http.Request) {
	share, err := strconv.ParseFloat(r.URL.Query().Get("feeds"), 64)
	if err != nil {
		share = 1
	}
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	fed, total := fm.Tick(share, intParam(r, "items", 1))
	reply(w, map[string]int{"feeds": fed, "items": total})
}

// list tells what the feeds are, one JSON object a line.
func (fm *Farm) list(w http.ResponseWriter, r *http.Request) {
	type row struct {
		ID        int    `json:"id"`
		URL       string `json:"url"`
		Site      string `json:"site"`
		Format    string `json:"format"`
		Title     string `json:"title"`
		Items     int    `json:"items"`
		Added     int64  `json:"added"`
		Behaviour string `json:"behaviour"`
	}
	enc := json.NewEncoder(w)
	for _, f := range fm.span(r) {
		_ = enc.Encode(row{f.ID, fm.url(f), f.site.Base + corpus.SitePath(f.Feed), f.Format.String(), f.Title, f.Items, f.added.Load(), f.behaviour})
	}
}

func (fm *Farm) opml(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/x-opml")
	fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><opml version="2.0"><head><title>feedfarm</title></head><body>`+"\n")
	for _, f := range fm.span(r) {
		fmt.Fprintf(w, `<outline type="rss" text="%s" title="%s" xmlUrl="%s" htmlUrl="%s"/>`+"\n", f.Title, f.Title, fm.url(f), f.site.Base+corpus.SitePath(f.Feed))
	}
	fmt.Fprint(w, "</body></opml>\n")
}

// truth tells which items there are, and which retell the same story. Items of
// RDF have no id but their URL.
func (fm *Farm) truth(w http.ResponseWriter, r *http.Request) {
	enc := json.NewEncoder(w)
	for _, f := range fm.span(r) {
		for n := range f.Items + int(f.added.Load()) {
			it := fm.opt.Corpus.Item(f.Feed, n)
			guid := it.GUID()
			if f.Format == corpus.RDF {
				guid = it.ItemURL(f.site)
			}
			_ = enc.Encode(map[string]any{"feed": f.ID, "n": n, "guid": guid, "url": it.ItemURL(f.site), "title": it.Title, "story": it.Story, "published": it.Published})
		}
	}
}
