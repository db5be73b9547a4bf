package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// PoolStats is the state of a pool of database connections. Counts that only
// grow start at 0 with the pool.
type PoolStats struct {
	Max      int           // connections at most
	Open     int           // connections now, busy or idle
	InUse    int           // busy connections now
	Waits    int64         // how often a caller had to wait for one, so far
	WaitTime time.Duration // how long all of them waited, so far
}

// poolCollector reads the state of a pool whenever metrics are read.
type poolCollector struct {
	stats func() PoolStats

	max, open, inUse, waits, waitTime *prometheus.Desc
}

// NewPoolCollector returns metrics of a pool, such as "postgres" or
// "sqlite-readers", named kgl_db_pool_*, from a function that returns its state.
func NewPoolCollector(pool string, stats func() PoolStats) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "db_pool", name), help, nil, prometheus.Labels{"pool": pool})
	}
	return &poolCollector{
		stats:    stats,
		max:      desc("max_connections", "Connections that the pool may open."),
		open:     desc("open_connections", "Connections that are open."),
		inUse:    desc("in_use_connections", "Connections that are busy."),
		waits:    desc("waits_total", "How often a caller had to wait for a connection."),
		waitTime: desc("wait_seconds_total", "How long callers waited for a connection."),
	}
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.max, c.open, c.inUse, c.waits, c.waitTime} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(metrics chan<- prometheus.Metric) {
	s := c.stats()
	metrics <- prometheus.MustNewConstMetric(c.max, prometheus.GaugeValue, float64(s.Max))
	metrics <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(s.Open))
	metrics <- prometheus.MustNewConstMetric(c.inUse, prometheus.GaugeValue, float64(s.InUse))
	metrics <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(s.Waits))
	metrics <- prometheus.MustNewConstMetric(c.waitTime, prometheus.CounterValue, s.WaitTime.Seconds())
}
