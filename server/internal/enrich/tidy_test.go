package enrich

import (
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestRecordTidiesNames holds that names of extractors are stored as those of
// people are, and that what looks the same becomes one entity.
func TestRecordTidiesNames(t *testing.T) {
	onBoth(t, func(w *world) {
		c := w.add(kgl.LaneAI, "Cafe\u0301 and more")
		task := w.claim(kgl.LaneAI)
		res := w.result("large@1", task, c, "Cafe\u0301")
		res.Extraction.Entities[0].Aliases = []string{"The\n Cafe\u0301\a"}
		again := res.Extraction.Entities[0]
		again.Name, again.Aliases = "  Caf\u00e9\t", nil
		res.Extraction.Entities = append(res.Extraction.Entities, again)
		given := slices.Clone(res.Extraction.Entities)
		w.record(res)
		list, err := w.db.Entities(t.Context(), kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 5})
		w.must(err)
		if len(list.Rows) != 1 || list.Rows[0].Name != "Caf\u00e9" || !slices.Equal(list.Rows[0].Aliases, []string{"The Caf\u00e9"}) {
			t.Errorf("stored %+v", list.Rows)
		}
		if res.Extraction.Entities[0].Name != given[0].Name || res.Extraction.Entities[0].Aliases[0] != "The\n Cafe\u0301\a" {
			t.Errorf("the result was changed: %+v", res.Extraction.Entities[0])
		}
	})
}
