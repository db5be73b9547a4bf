package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestPlainFetchPlans reads the plans of the statements that every fetch which
// finds nothing new costs: each finds its rows by a key.
func TestPlainFetchPlans(t *testing.T) {
	next := time.UnixMicro(9)
	result := kgl.FetchResult{Fetch: kgl.Fetch{ID: "f1", SourceID: "s7"}, NextFetchAt: &next}
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			seedPlans(t, db)
			execute(t, db, "ANALYZE")
			statements, err := store.PlainFetch(db.Engine(), kgl.HostLease{Host: "h4"}, result)
			if err != nil {
				t.Fatal(err)
			}
			for query, args := range statements {
				plan, err := db.PlanOf(t.Context(), query, args)
				if err != nil {
					t.Fatalf("%v\n%s", err, query)
				}
				if step := wholeTable(plan); step != "" {
					t.Errorf("a whole table is read (%s):\n%s", step, plan)
				}
				if !strings.Contains(plan, "Index") && !strings.Contains(plan, "USING INDEX") {
					t.Errorf("no index is used:\n%s", plan)
				}
			}
		})
	}
}
