// Package archtest holds the rules of the house as tests: which package may
// import which, what SQL may look like so that both dialects stay equal, and
// what code may not do because it must be given it (clock, random source,
// logger). `make verify` runs each group as a target of its own.
//
// Every rule is a function from what it reads to the list of its violations, so
// that it can be tested on text that breaks it.
package archtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// modulePath is the path of the module whose rules these are.
const modulePath = "github.com/peermesh/kgl-backend"

// moduleRoot returns the folder of go.mod above the working folder.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the working folder: %w", err)
		}
		dir = filepath.Dir(dir)
	}
}
