package builtin

import (
	"context"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// BenchmarkExtract reads the items of testdata/news.txt; documents per second is
// what one core does.
func BenchmarkExtract(b *testing.B) {
	for _, set := range []struct {
		name string
		read func(testing.TB) []labelled
	}{{"news", news}, {"wikigold", wikigold}} {
		b.Run(set.name, func(b *testing.B) {
			docs := set.read(b)
			x := New()
			b.ResetTimer()
			bytes := 0
			for i := range b.N {
				text := docs[i%len(docs)].text
				found, err := x.Extract(context.Background(), kgl.Content{ContentBody: kgl.ContentBody{Text: text}})
				if err != nil {
					b.Fatal(err)
				}
				CoOccurrences(found, text)
				bytes += len(text)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
			b.ReportMetric(float64(bytes)/b.Elapsed().Seconds()/1e6, "MB/s")
			b.ReportAllocs()
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for range b.N {
		New()
	}
}
