//go:build unix

package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// TestServer breaks a server in each way and reads what was written before.
func TestServer(t *testing.T) {
	s := pgtest.NewServer(t)
	url := s.CreateDatabase(t, "kept")
	s.Execute(t, "kept", "CREATE TABLE rows AS SELECT 1 AS n")
	for _, mode := range []pgtest.StopMode{pgtest.StopFast, pgtest.StopImmediate} {
		s.Restart(t, mode)
		s.Execute(t, "kept", "INSERT INTO rows VALUES (2)")
		if n := count(t, url); n < 2 {
			t.Errorf("%d rows after a stop of mode %s", n, mode)
		}
	}
	standby := s.Standby(t)
	s.Stop(t, pgtest.StopFast)
	standby.Promote(t)
	standby.Execute(t, "kept", "INSERT INTO rows VALUES (3)")
	if n := count(t, standby.DatabaseURL(t, "kept")); n != 4 {
		t.Errorf("%d rows on the promoted standby", n)
	}
}

func count(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM rows").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
