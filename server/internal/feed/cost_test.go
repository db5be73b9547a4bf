//go:build unix

package feed

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"github.com/mmcdole/gofeed"
)

// costDocuments returns the documents of the folder that KGL_FEED_DOCS names,
// such as those of the feed farm, else the own fixtures.
func costDocuments(b *testing.B) [][]byte {
	pattern := "testdata/*.*"
	if dir := os.Getenv("KGL_FEED_DOCS"); dir != "" {
		pattern = filepath.Join(dir, "*")
	}
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		b.Fatalf("no documents: %v", err)
	}
	var docs [][]byte
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		docs = append(docs, body)
	}
	return docs
}

// BenchmarkCost compares what reading documents costs here with the bound:
// gofeed, and bluemonday's policy for user-generated content over the same
// bodies. One operation reads all documents once.
//
//	KGL_FEED_DOCS=folder go test -run '^$' -bench Cost -benchmem ./server/internal/feed
func BenchmarkCost(b *testing.B) {
	docs := costDocuments(b)
	ctx := context.Background()
	size := 0
	for _, d := range docs {
		size += len(d)
	}
	run := func(name string, read func(body []byte) (items int, err error)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			items, start := 0, cpuTime(b)
			for b.Loop() {
				for _, d := range docs {
					n, err := read(d)
					if err != nil {
						b.Fatal(err)
					}
					items += n
				}
			}
			b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/float64(items), "cpu-us/item")
		})
	}
	run("gofeed", func(body []byte) (int, error) {
		f, err := gofeed.NewParser().Parse(bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		return len(f.Items), nil
	})
	ugc := bluemonday.UGCPolicy()
	run("bound", func(body []byte) (int, error) {
		f, err := gofeed.NewParser().Parse(bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		for _, it := range f.Items {
			if it.Content == "" {
				it.Content = it.Description
			}
			ugc.Sanitize(it.Content)
		}
		return len(f.Items), nil
	})
	run("deferred", func(body []byte) (int, error) {
		doc, err := ParseDeferred(ctx, body, testOptions())
		if err != nil {
			return 0, err
		}
		return len(doc.Items), nil
	})
	run("whole", func(body []byte) (int, error) {
		doc, err := Parse(ctx, body, testOptions())
		if err != nil {
			return 0, err
		}
		return len(doc.Items), nil
	})
}

// cpuTime returns the processor time that the process has taken, which other
// work of the machine changes less than it changes the time that passes.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
