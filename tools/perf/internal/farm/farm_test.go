package farm

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
)

func newFarm(t *testing.T, mix map[string]float64) *Farm {
	t.Helper()
	fm, err := New(Options{Corpus: corpus.Default(), Feeds: 40, Hosts: 3, Port: 9700, Gzip: true, Mix: mix})
	if err != nil {
		t.Fatal(err)
	}
	return fm
}

func get(fm *Farm, path string, header ...string) *http.Response {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	fm.ServeHTTP(w, r)
	return w.Result()
}

func TestSameSeedSameBytesAndWellFormed(t *testing.T) {
	a, b := newFarm(t, nil), newFarm(t, nil)
	for i, f := range a.feeds {
		x, y := a.document(f), b.document(b.feeds[i])
		if !bytes.Equal(x.plain, y.plain) || x.etag != y.etag {
			t.Fatalf("feed %d differs between two farms of one seed", i)
		}
		if f.Format == corpus.JSONFeed {
			continue
		}
		for dec := xml.NewDecoder(bytes.NewReader(x.plain)); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("feed %d (%v): %v", i, f.Format, err)
			}
		}
	}
}

func TestConditionalRequestsAndTick(t *testing.T) {
	fm := newFarm(t, nil)
	path := corpus.FeedPath(fm.feeds[3].Feed)
	first := get(fm, path)
	if first.StatusCode != 200 {
		t.Fatal(first.Status)
	}
	etag, mod := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	if c := get(fm, path, "If-None-Match", etag).StatusCode; c != 304 {
		t.Errorf("If-None-Match: %d", c)
	}
	if c := get(fm, path, "If-Modified-Since", mod).StatusCode; c != 304 {
		t.Errorf("If-Modified-Since: %d", c)
	}
	if fed, items := fm.Tick(1, 2); fed != 40 || items != 80 {
		t.Errorf("tick: %d feeds, %d items", fed, items)
	}
	if c := get(fm, path, "If-None-Match", etag, "If-Modified-Since", mod).StatusCode; c != 200 {
		t.Errorf("after a tick: %d", c)
	}
	if s := fm.Stats(); s.NotModified != 2 || s.Feeds != 2 {
		t.Errorf("counted %+v", s)
	}
}

func TestBehaviours(t *testing.T) {
	for name, want := range map[string]int{"404": 404, "410": 410, "429": 429, "500": 500, "503": 503, "moved": 301, "found": 302, "loop": 302, "html": 200, "truncated": 200, "utf16": 200, "cp1252": 200} {
		fm := newFarm(t, map[string]float64{name: 1})
		if c := get(fm, corpus.FeedPath(fm.feeds[0].Feed)).StatusCode; c != want {
			t.Errorf("%s: status %d, want %d", name, c, want)
		}
	}
	if _, err := New(Options{Mix: map[string]float64{"nonsense": 1}, Hosts: 1}); err == nil {
		t.Error("an unknown behaviour was accepted")
	}
}
