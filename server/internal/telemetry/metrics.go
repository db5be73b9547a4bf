package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// namespace starts the name of every metric of ours.
const namespace = "kgl"

// taskBuckets are upper bounds in seconds of one enrichment task, which takes
// microseconds here and seconds in the AI module.
var taskBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// fetchBuckets are upper bounds in seconds of one fetch of a source.
var fetchBuckets = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}

// Metrics are the metric sets of one server. Each is safe for concurrent use
// and, as a nil pointer, does nothing.
type Metrics struct {
	Ingest *IngestMetrics
	Enrich *EnrichMetrics
	AI     *AIMetrics

	registry *prometheus.Registry
}

// NewMetrics returns the metrics of a server of the given version, on a registry
// of their own.
func NewMetrics(version string) *Metrics {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the label tells the version.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m := &Metrics{Ingest: newIngestMetrics(), Enrich: newEnrichMetrics(), AI: newAIMetrics(), registry: registry}
	registry.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(m.Ingest.duration, m.Ingest.bytes, m.Ingest.items, m.Ingest.removed)
	registry.MustRegister(m.Enrich.duration)
	registry.MustRegister(m.AI.duration, m.AI.open, m.AI.busy, m.AI.limit, m.AI.adjusted)
	return m
}

// Registry returns the registry that /metrics shows, for packages that add
// metrics of their own.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// IngestMetrics count fetches and the items that they brought.
type IngestMetrics struct {
	duration *prometheus.HistogramVec
	bytes    prometheus.Counter
	items    *prometheus.CounterVec
	removed  *prometheus.CounterVec
}

func newIngestMetrics() *IngestMetrics {
	return &IngestMetrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "ingest", Name: "fetch_duration_seconds",
			Help: "Time of one fetch of a source, by how it ended.", Buckets: fetchBuckets,
		}, []string{"outcome"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "ingest", Name: "fetched_bytes_total", Help: "Bytes of feeds after decompression.",
		}),
		items: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "ingest", Name: "items_total", Help: "Items of feeds, by what became of them.",
		}, []string{"result"}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "ingest", Name: "removed_total", Help: "Rows that retention removed, by kind.",
		}, []string{"kind"}),
	}
}

// FetchDone counts one fetch: how it ended, how long it took, decoded bytes.
func (m *IngestMetrics) FetchDone(outcome kgl.FetchOutcome, took time.Duration, bytes int64) {
	if m == nil {
		return
	}
	m.duration.WithLabelValues(string(outcome)).Observe(took.Seconds())
	m.bytes.Add(float64(max(bytes, 0)))
}

// ItemsStored counts items that were committed, or could not be.
func (m *IngestMetrics) ItemsStored(created, updated, failed int) {
	if m == nil {
		return
	}
	m.items.WithLabelValues("created").Add(float64(created))
	m.items.WithLabelValues("updated").Add(float64(updated))
	m.items.WithLabelValues("failed").Add(float64(failed))
}

// Removed counts rows of a kind, such as content, that retention removed.
func (m *IngestMetrics) Removed(kind string, n int) {
	if m == nil {
		return
	}
	m.removed.WithLabelValues(kind).Add(float64(n))
}

// EnrichMetrics count enrichment tasks.
type EnrichMetrics struct {
	duration *prometheus.HistogramVec
}

func newEnrichMetrics() *EnrichMetrics {
	return &EnrichMetrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "enrich", Name: "task_duration_seconds",
		Help: "Time of one enrichment task, by extractor and how it ended.", Buckets: taskBuckets,
	}, []string{"extractor", "outcome"})}
}

// TaskDone counts one task of an extractor; outcome is a word such as "done".
func (m *EnrichMetrics) TaskDone(extractor, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.duration.WithLabelValues(extractor, outcome).Observe(took.Seconds())
}
