package enrich

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// BenchmarkWorker measures claiming, extracting with the mock and storing, by the
// item: ten entities of two hundred, and three relationships, in each.
//
//	go test ./server/internal/enrich -run '^$' -bench Worker -benchtime 2000x
func BenchmarkWorker(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) *world{
		"sqlite":   func(b *testing.B) *world { return newWorld(b) },
		"postgres": func(b *testing.B) *world { return newWorldOn(b, postgresTemplate.NewDatabase(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			w := open(b)
			for i := range b.N {
				w.add("fake", crowd(i))
			}
			worker := w.worker(fake(peopleOf), Config{})
			b.ResetTimer()
			for done := 0; done < b.N; {
				n, err := worker.RunOnce(b.Context())
				if err != nil || n == 0 {
					b.Fatalf("%d items of %d: %v", done, b.N, err)
				}
				done += n
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

// crowd returns a text that names ten people.
func crowd(i int) string {
	var names []string
	for k := range 10 {
		names = append(names, fmt.Sprintf("P%03d", (i*7+k*k*13)%200))
	}
	return strings.Join(names, " ") + "."
}

// peopleOf finds the people that crowd names, and that neighbors know each other.
func peopleOf(_ context.Context, c kgl.Content) (kgl.Extraction, error) {
	x := kgl.Extraction{Extractor: "fake"}
	index := map[string]int{}
	for k := range int64(10) {
		name := c.Text[5*k : 5*k+4]
		i, ok := index[name]
		if !ok {
			i = len(x.Entities)
			index[name] = i
			x.Entities = append(x.Entities, kgl.ExtractedEntity{Name: name, Type: "person", Confidence: 0.5})
		}
		x.Entities[i].Spans = append(x.Entities[i].Spans, kgl.Span{Start: 5 * k, End: 5*k + 4, Quote: name})
	}
	for k := range min(3, len(x.Entities)-1) {
		x.Relationships = append(x.Relationships, kgl.ExtractedRelationship{
			From: k, To: k + 1, Type: "knows", Confidence: 0.5, Evidence: kgl.Span{Start: 0, End: 9, Quote: c.Text[:9]},
		})
	}
	return x, nil
}
