//go:build !unix

package pgtest

import (
	"errors"
	"os/exec"
)

// account is the user that runs the server. Temporary clusters need a Unix
// system; elsewhere KGL_TEST_POSTGRES_URL names the server.
type account struct{}

func unprivileged() (account, error) {
	return account{}, errors.New("temporary clusters need a Unix system")
}

func (account) run(*exec.Cmd) {}

func (account) take(string) error { return nil }

func (account) tempDir(kind) (string, error) {
	return "", errors.New("temporary clusters need a Unix system")
}

func detach(*exec.Cmd) {}
