package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Program returns the path of a program that comes with the server, such as
// pg_dump. It is the one of the newest server on this machine.
func Program(t testing.TB, name string) string {
	t.Helper()
	dir, err := findBinaries(context.Background())
	path := filepath.Join(dir, name)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("%s of PostgreSQL %d or newer (Debian, Ubuntu: apt-get install postgresql): %w", name, MinMajor, err))
	}
	return path
}
