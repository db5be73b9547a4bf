package store

import (
	"net/url"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// Connections compress with LZ4 where the server can, unless the URL names
// another way.
func TestCompression(t *testing.T) {
	address := pgtest.NewDatabase(t)
	for named, want := range map[string]string{"": "lz4", "pglz": "pglz"} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		if named != "" {
			query.Set("default_toast_compression", named)
		}
		u.RawQuery = query.Encode()
		db, err := Open(t.Context(), Config{URL: u.String()})
		if err != nil {
			t.Fatal(err)
		}
		pool := db.engine.(*postgresEngine).pool.pool
		var able bool
		var have string
		err = pool.QueryRow(t.Context(), "SELECT 'lz4' = ANY (enumvals), current_setting(name) FROM pg_settings WHERE name = 'default_toast_compression'").Scan(&able, &have)
		if err != nil {
			t.Fatal(err)
		}
		if !able {
			want = "pglz"
		}
		if have != want {
			t.Errorf("with %q in the URL: %s, want %s", named, have, want)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
