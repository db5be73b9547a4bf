package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

func connect(t *testing.T, databaseURL string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestNewDatabaseIsEmptyAndDropped(t *testing.T) {
	var databaseURL string
	t.Run("use", func(t *testing.T) {
		databaseURL = pgtest.NewDatabase(t)
		conn := connect(t, databaseURL)
		var tables int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil || tables != 0 {
			t.Fatalf("tables = %d, err = %v", tables, err)
		}
	})
	if conn, err := pgx.Connect(t.Context(), databaseURL); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("the database is still there after its test")
	}
}

func TestTemplateMigratesOnceAndCopiesAreApart(t *testing.T) {
	var calls atomic.Int32
	template := pgtest.NewTemplate(func(ctx context.Context, databaseURL string) error {
		calls.Add(1)
		conn, err := pgx.Connect(ctx, databaseURL)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1)")
		return errors.Join(err, conn.Close(ctx))
	})
	t.Run("parallel", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				conn := connect(t, template.NewDatabase(t))
				if _, err := conn.Exec(t.Context(), "INSERT INTO t VALUES (2)"); err != nil {
					t.Fatal(err)
				}
				var rows int
				if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil || rows != 2 {
					t.Fatalf("rows = %d, err = %v", rows, err)
				}
			})
		}
	})
	if n := calls.Load(); n != 1 {
		t.Fatalf("migrated %d times", n)
	}
}

// TestServerSortsAsUsersServersDo fails when the temporary cluster sorts by
// bytes, because then no test would notice a forgotten COLLATE "C".
func TestServerSortsAsUsersServersDo(t *testing.T) {
	cluster, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	conn := connect(t, cluster.URL())
	var first string
	err = conn.QueryRow(t.Context(), "SELECT v FROM (VALUES ('B'), ('a')) AS x(v) ORDER BY v LIMIT 1").Scan(&first)
	if err != nil || first != "a" {
		t.Fatalf("first = %q, err = %v: the server's default collation is C", first, err)
	}
}

// TestClusterEndsWithItsProcess kills a process that holds a cluster, as `kill
// -9` or a test time-out would, and expects the server to be gone.
func TestClusterEndsWithItsProcess(t *testing.T) {
	const child = "KGL_TEST_CLUSTER_CHILD"
	if os.Getenv(child) != "" {
		cluster, err := pgtest.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("url", cluster.URL())
		time.Sleep(time.Minute) // until killed
		runtime.KeepAlive(cluster)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClusterEndsWithItsProcess$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1", pgtest.EnvURL+"=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	databaseURL := ""
	for lines := bufio.NewScanner(out); databaseURL == "" && lines.Scan(); {
		_, databaseURL, _ = strings.Cut(lines.Text(), "url ")
	}
	if databaseURL == "" {
		t.Fatalf("the child started no cluster: %v", cmd.Wait())
	}
	conn := connect(t, databaseURL)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// The open connection ends when the server does: no polling is needed.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT pg_sleep(20)"); err == nil || ctx.Err() != nil {
		t.Fatalf("the server outlived its process: %v", err)
	}
}
