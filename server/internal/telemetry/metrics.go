package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// namespace starts the name of every metric of ours.
const namespace = "kgl"

// latencyBuckets are upper bounds in seconds. They are close together around the
// service's budgets: 200 ms for a read, 400 ms for the graph, 800 ms for search.
var latencyBuckets = []float64{.001, .0025, .005, .01, .02, .035, .05, .1, .2, .4, .8, 2, 5, 10}

// fetchBuckets are upper bounds in seconds of one fetch of a source.
var fetchBuckets = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}

// Metrics are the metric sets of one server. Each is safe for concurrent use
// and, as a nil pointer, does nothing.
type Metrics struct {
	HTTP   *HTTPMetrics
	Ingest *IngestMetrics
	Enrich *EnrichMetrics
	Auth   *AuthMetrics

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
	m := &Metrics{
		HTTP: newHTTPMetrics(), Ingest: newIngestMetrics(), Enrich: newEnrichMetrics(), Auth: newAuthMetrics(),
		registry: registry,
	}
	registry.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(m.HTTP.duration, m.HTTP.inFlight)
	registry.MustRegister(m.Ingest.duration, m.Ingest.bytes, m.Ingest.items)
	registry.MustRegister(m.Enrich.duration)
	registry.MustRegister(m.Auth.logins)
	return m
}

// Gatherer returns what /metrics shows.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Register adds a collector of another package, such as NewPoolCollector's.
func (m *Metrics) Register(c prometheus.Collector) error { return m.registry.Register(c) }

// HTTPMetrics count the API's requests.
type HTTPMetrics struct {
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newHTTPMetrics() *HTTPMetrics {
	return &HTTPMetrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "http", Name: "request_duration_seconds",
			Help: "Time to answer a request, by operation of the contract, method and status.", Buckets: latencyBuckets,
		}, []string{"operation", "method", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "http", Name: "requests_in_flight", Help: "Requests being answered now.",
		}),
	}
}

// Begin counts a request as being answered until the returned function is
// called with how it ended. operation is the operationId of the contract, never
// a path: a label must have few values.
func (m *HTTPMetrics) Begin() (done func(operation, method string, status int, took time.Duration)) {
	if m == nil {
		return func(string, string, int, time.Duration) {}
	}
	m.inFlight.Inc()
	return func(operation, method string, status int, took time.Duration) {
		m.inFlight.Dec()
		if operation == "" {
			operation = "unknown"
		}
		m.duration.WithLabelValues(operation, knownMethod(method), strconv.Itoa(status)).Observe(took.Seconds())
	}
}

// knownMethod bounds the label: a client may send any word as a method.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	default:
		return "other"
	}
}

// IngestMetrics count fetches and the items that they brought.
type IngestMetrics struct {
	duration *prometheus.HistogramVec
	bytes    prometheus.Counter
	items    *prometheus.CounterVec
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

// EnrichMetrics count enrichment tasks.
type EnrichMetrics struct {
	duration *prometheus.HistogramVec
}

func newEnrichMetrics() *EnrichMetrics {
	return &EnrichMetrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "enrich", Name: "task_duration_seconds",
		Help: "Time of one enrichment task, by extractor and how it ended.", Buckets: latencyBuckets,
	}, []string{"extractor", "outcome"})}
}

// TaskDone counts one task of an extractor; outcome is a word such as "done".
func (m *EnrichMetrics) TaskDone(extractor, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.duration.WithLabelValues(extractor, outcome).Observe(took.Seconds())
}

// AuthMetrics count logins.
type AuthMetrics struct {
	logins *prometheus.CounterVec
}

func newAuthMetrics() *AuthMetrics {
	return &AuthMetrics{logins: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "auth", Name: "logins_total", Help: "Attempts to log in, by how they ended.",
	}, []string{"outcome"})}
}

// Login counts one attempt; outcome is a word such as "success".
func (m *AuthMetrics) Login(outcome string) {
	if m == nil {
		return
	}
	m.logins.WithLabelValues(outcome).Inc()
}
