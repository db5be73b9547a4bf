package feed

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// benchDocuments returns the documents that the benchmarks read: own fixtures,
// and the captured feeds where KGL_SHARED names their folder.
func benchDocuments(b *testing.B) map[string][]byte {
	docs := map[string][]byte{
		"rss2": fixture(b, "rss2.xml"),
		"atom": fixture(b, "atom10.xml"),
	}
	if root := os.Getenv("KGL_SHARED"); root != "" {
		for name, path := range map[string]string{
			"captured-rss":  "feeds/feedjira/TechCrunch.xml",
			"captured-atom": "feeds/netnewswire/DaringFireball.atom",
		} {
			body, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				b.Fatal(err)
			}
			docs[name] = body
		}
	}
	return docs
}

// BenchmarkStages measures the stages of sound documents one by one, and all of
// them: go test -run '^$' -bench Stages -benchmem ./server/internal/feed
func BenchmarkStages(b *testing.B) {
	limits := Limits{}.withDefaults()
	for name, body := range benchDocuments(b) {
		stage := func(stage string, run func() error) {
			b.Run(name+"/"+stage, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		ctx := context.Background()
		text, err := decode(body, "", limits.MaxBytes, &notes{})
		if err != nil {
			b.Fatal(err)
		}
		o, err := scan(text, limits, &notes{})
		if err != nil || !o.sound {
			b.Fatalf("%s: not sound: %v", name, err)
		}
		doc := o.document()
		stage("decode", func() error { _, err := decode(body, "", limits.MaxBytes, &notes{}); return err })
		stage("scan", func() error { _, err := scan(text, limits, &notes{}); return err })
		stage("render", func() error { o.document(); return nil })
		stage("gofeed", func() error { _, err := o.parse(ctx, doc); return err })
		stage("xml", func() error { _, err := parseXML(ctx, text, limits, &notes{}); return err })
		stage("all", func() error { _, err := Parse(ctx, body, testOptions()); return err })
	}
}
