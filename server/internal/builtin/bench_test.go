//go:build unix

package builtin

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// BenchmarkExtract reads labelled texts, with co-occurrence. It counts items per
// second of processor time, because others may use the machine as well.
func BenchmarkExtract(b *testing.B) {
	for _, set := range []struct {
		name string
		read func(testing.TB) []labelled
	}{{"news", news}, {"wikigold", wikigold}} {
		b.Run(set.name, func(b *testing.B) {
			docs := set.read(b)
			x := New()
			bytes := 0
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime(b)
			for i := range b.N {
				text := docs[i%len(docs)].text
				found, err := x.Extract(context.Background(), kgl.Content{ContentBody: kgl.ContentBody{Text: text}})
				if err != nil {
					b.Fatal(err)
				}
				CoOccurrences(found, text)
				bytes += len(text)
			}
			took := (processorTime(b) - began).Seconds()
			b.ReportMetric(float64(b.N)/took, "documents/cpu-s")
			b.ReportMetric(float64(bytes)/took/1e6, "MB/cpu-s")
			b.ReportMetric(float64(bytes)/float64(b.N), "bytes/document")
		})
	}
}

// processorTime returns how much of the processor the process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkNew(b *testing.B) {
	for range b.N {
		New()
	}
}
