package store_test

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// TestPingAfterAFullDisk lets the file be as large as it may become: Ping says
// so from the first write on that found no room, until there is some again.
func TestPingAfterAFullDisk(t *testing.T) {
	url := "sqlite:///" + filepath.Join(t.TempDir(), "kgl.db")
	noError(t, migrateUp(t.Context(), url))
	db, err := store.Open(t.Context(), store.Config{URL: url, Random: rand.Reader})
	noError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	noError(t, db.Ping(t.Context()))
	noError(t, db.ExecRaw(t.Context(), "PRAGMA max_page_count = 1")) // means: as many as there are
	noError(t, db.Ping(t.Context()))

	large := strings.Repeat("x", 1<<20)
	wantCode(t, db.SetSetting(t.Context(), "k", large, now), kgl.CodeStorageFull)
	for range 2 {
		wantCode(t, db.Ping(t.Context()), kgl.CodeStorageFull)
	}
	noError(t, db.SetSetting(t.Context(), "small", "v", now))
	wantCode(t, db.Ping(t.Context()), kgl.CodeStorageFull) // a little room is not enough

	noError(t, db.ExecRaw(t.Context(), "PRAGMA max_page_count = 1000000"))
	noError(t, db.Ping(t.Context()))
	noError(t, db.SetSetting(t.Context(), "k", large, now))
	v, err := db.Setting(t.Context(), "ping")
	if noError(t, err); v != "" {
		t.Errorf("%d bytes are left of the search for room", len(v))
	}
}
