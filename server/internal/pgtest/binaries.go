package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// EnvBin names the environment variable that holds the folder of the server's
// binaries, for a machine with several versions.
const EnvBin = "KGL_TEST_POSTGRES_BIN"

// binaryFolders are where packages put the server's binaries, which often are
// not on the PATH.
var binaryFolders = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // Fedora, RHEL
	"/usr/libexec/postgresql*",                           // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on Apple silicon
	"/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
	"/usr/local/pgsql/bin",                               // built from source
}

// findBinaries returns the folder of the newest server that is new enough.
func findBinaries(ctx context.Context) (string, error) {
	if dir := os.Getenv(EnvBin); dir != "" {
		if _, err := serverMajor(ctx, dir); err != nil {
			return "", fmt.Errorf("%s: %w", EnvBin, err)
		}
		return dir, nil
	}
	folders := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range binaryFolders {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		folders = append(folders, found...)
	}
	best, newest := "", 0
	var faults error
	for _, dir := range folders {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		major, err := serverMajor(ctx, dir)
		faults = errors.Join(faults, err)
		if major > newest {
			best, newest = dir, major
		}
	}
	switch {
	case best == "" && faults != nil:
		return "", faults
	case best == "":
		return "", errors.New("neither on the PATH nor in the usual folders")
	case newest < MinMajor:
		return "", fmt.Errorf("the newest is PostgreSQL %d in %s, %d is needed", newest, best, MinMajor)
	}
	return best, nil
}

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// serverMajor returns the major version of the server in a folder.
func serverMajor(ctx context.Context, dir string) (int, error) {
	program := filepath.Join(dir, "postgres")
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("%s --version: %w", program, err)
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("%s --version printed %q", program, out)
	}
	return strconv.Atoi(string(match[1]))
}
