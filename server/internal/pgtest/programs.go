package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program returns the path of a program that comes with the server, such as
// pg_dump: the one beside the server that tests use, else one of the PATH.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := findProgram(context.Background(), name)
	if err != nil {
		t.Fatalf("%s of PostgreSQL %d or newer is needed (Debian, Ubuntu: apt-get install postgresql): %v", name, MinMajor, err)
	}
	return path
}

func findProgram(ctx context.Context, name string) (string, error) {
	dir, err := findBinaries(ctx)
	if err != nil {
		return "", err
	}
	// The folder may hold links to some of the programs only.
	real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return "", err
	}
	for _, path := range []string{filepath.Join(dir, name), filepath.Join(filepath.Dir(real), name)} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, lookup := exec.LookPath(name)
	if lookup != nil {
		return "", errors.Join(fmt.Errorf("it is not in %s", dir), lookup)
	}
	return path, nil
}
