package app

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// TestMetricsShowThePools reads the pools' metrics of each engine while one
// transaction is open.
func TestMetricsShowThePools(t *testing.T) {
	for name, tt := range map[string]struct {
		url  string
		want map[string]float64 // busy connections by pool
	}{
		"sqlite":   {"sqlite:///" + filepath.Join(t.TempDir(), "kgl.db"), map[string]float64{"sqlite-writer": 1, "sqlite-readers": 0}},
		"postgres": {pgtest.NewDatabase(t), map[string]float64{"postgres": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), store.Config{URL: tt.url})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			metrics := telemetry.NewMetrics("test")
			if err := (&App{Store: db}).registerPools(metrics); err != nil {
				t.Fatal(err)
			}
			var got map[string]float64
			err = db.InTx(t.Context(), func(context.Context, kgl.Store) error {
				got = gauges(t, metrics, "kgl_db_pool_in_use_connections")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("pools %v, want %v", got, tt.want)
			}
			for pool, busy := range tt.want {
				if got[pool] != busy {
					t.Errorf("%s has %v busy connections, want %v", pool, got[pool], busy)
				}
			}
		})
	}
}

// gauges returns the values of a metric by its only label.
func gauges(t *testing.T, metrics *telemetry.Metrics, name string) map[string]float64 {
	t.Helper()
	families, err := metrics.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name {
				values[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}
