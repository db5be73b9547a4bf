package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// LaneTasks are the tasks of a lane at a time.
type LaneTasks struct {
	Lane    string
	ByState map[string]int64
	Oldest  time.Duration // age of the oldest pending task; 0: there is none
}

// workCollector shows the queue of tasks. It asks for the state at each scrape.
type workCollector struct {
	lanes   func() []LaneTasks
	waiting func() int

	tasks, oldest, callers *prometheus.Desc
}

// NewWorkCollector returns metrics of the queue of tasks, named kgl_work_*, from
// functions that return the tasks, nil when they are not known, and the number
// of callers that wait for some.
func NewWorkCollector(lanes func() []LaneTasks, waiting func() int) prometheus.Collector {
	name := func(name string) string { return prometheus.BuildFQName(namespace, "work", name) }
	return &workCollector{
		lanes: lanes, waiting: waiting,
		tasks:   prometheus.NewDesc(name("tasks"), "Tasks of extractors, by lane and state.", []string{"lane", "state"}, nil),
		oldest:  prometheus.NewDesc(name("oldest_pending_seconds"), "Age of the oldest task that can be worked on.", []string{"lane"}, nil),
		callers: prometheus.NewDesc(name("waiting_callers"), "Callers that wait for a task.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *workCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.tasks, c.oldest, c.callers} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *workCollector) Collect(metrics chan<- prometheus.Metric) {
	metrics <- prometheus.MustNewConstMetric(c.callers, prometheus.GaugeValue, float64(c.waiting()))
	for _, l := range c.lanes() {
		for state, n := range l.ByState {
			metrics <- prometheus.MustNewConstMetric(c.tasks, prometheus.GaugeValue, float64(n), l.Lane, state)
		}
		metrics <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, l.Oldest.Seconds(), l.Lane)
	}
}
