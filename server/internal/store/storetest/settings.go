package storetest

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runSettings(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an unknown setting is not found", func(t *testing.T, db *store.DB) {
			_, err := db.Setting(ctx(t), "seeded")
			wantCode(t, err, kgl.CodeNotFound)
		}},
		{"a setting is replaced", func(t *testing.T, db *store.DB) {
			must(t, db.SetSetting(ctx(t), "k", "one", epoch))
			must(t, db.SetSetting(ctx(t), "k", "two", after(time.Second)))
			if v := got(db.Setting(ctx(t), "k"))(t); v != "two" {
				t.Fatalf("value %q", v)
			}
		}},
		{"exactly one of many creators is told true", func(t *testing.T, db *store.DB) {
			const n = 8
			created := make([]bool, n)
			for _, err := range parallel(n, func(i int) (err error) {
				created[i], err = db.CreateSetting(ctx(t), "seeded", "yes", epoch)
				return err
			}) {
				must(t, err)
			}
			count := 0
			for _, c := range created {
				if c {
					count++
				}
			}
			if count != 1 {
				t.Fatalf("%d callers were told that they created the setting", count)
			}
		}},
	})
}
