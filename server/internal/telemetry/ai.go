package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// aiBuckets are upper bounds in seconds of one piece of work of the AI module.
var aiBuckets = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// AIMetrics count what the AI module is asked to do.
type AIMetrics struct {
	duration *prometheus.HistogramVec
	open     prometheus.Gauge
	busy     prometheus.Gauge
	limit    prometheus.Gauge
	adjusted *prometheus.CounterVec
}

func newAIMetrics() *AIMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: "ai", Name: name, Help: help})
	}
	m := &AIMetrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "ai", Name: "work_duration_seconds",
			Help: "Time of one piece of work of the AI module, by how it ended.", Buckets: aiBuckets,
		}, []string{"operation", "outcome"}),
		open:  gauge("breaker_open", "1 while work is held back because the AI module fails."),
		busy:  gauge("in_flight", "Work that the AI module has now."),
		limit: gauge("in_flight_limit", "How much work the AI module may have at once."),
		adjusted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "ai", Name: "adjusted_total",
			Help: "Parts of answers of the AI module that did not fit the text, by what became of them.",
		}, []string{"kind"}),
	}
	// There from the start, so that rates and alerts have something to begin with.
	m.duration.WithLabelValues("extract", "ok")
	m.Adjusted(0, 0, 0, 0)
	return m
}

// WorkDone counts one piece of work; outcome is a word such as "ok".
func (m *AIMetrics) WorkDone(operation, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.duration.WithLabelValues(operation, outcome).Observe(took.Seconds())
}

// Breaker says whether work is held back.
func (m *AIMetrics) Breaker(open bool) {
	switch {
	case m == nil:
	case open:
		m.open.Set(1)
	default:
		m.open.Set(0)
	}
}

// InFlight says how much work the module has, and how much it may have.
func (m *AIMetrics) InFlight(busy, limit int) {
	if m == nil {
		return
	}
	m.busy.Set(float64(busy))
	m.limit.Set(float64(limit))
}

// Adjusted counts places that were moved, and places, entities and relationships
// that were left out.
func (m *AIMetrics) Adjusted(moved, places, entities, relationships int) {
	if m == nil {
		return
	}
	m.adjusted.WithLabelValues("moved").Add(float64(moved))
	m.adjusted.WithLabelValues("places").Add(float64(places))
	m.adjusted.WithLabelValues("entities").Add(float64(entities))
	m.adjusted.WithLabelValues("relationships").Add(float64(relationships))
}
