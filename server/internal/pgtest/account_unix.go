//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that runs the server: this process's own, or another one
// when this process runs as root.
type account struct {
	credential *syscall.Credential // nil: this process's own
}

// unprivileged returns an account that the server accepts.
func unprivileged() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, errors.New("this process runs as root, and there is neither a user postgres nor nobody to run the server")
}

// run makes cmd run as the account.
func (a account) run(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential}
}

// take gives a file or folder to the account.
func (a account) take(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// tempDir makes a folder that the account owns, in memory when there is room and
// the server may forget.
func (a account) tempDir(k kind) (string, error) {
	parents := []string{os.TempDir(), "/tmp", "/var/tmp"}
	if k == forgetful {
		parents = append([]string{ramDisk()}, parents...)
	}
	var failure error
	for _, parent := range parents {
		if parent == "" || !a.reaches(parent) {
			continue
		}
		dir, err := os.MkdirTemp(parent, "kgl-pg-")
		if err != nil {
			failure = errors.Join(failure, err)
			continue
		}
		if err := a.take(dir); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
		return dir, nil
	}
	return "", errors.Join(errors.New("no folder for a temporary cluster"), failure)
}

// reaches reports whether the account can use a folder below parent: root's own
// temporary folders are closed to others.
func (a account) reaches(parent string) bool {
	if a.credential == nil {
		return true
	}
	info, err := os.Stat(parent)
	return err == nil && info.Mode().Perm()&0o003 == 0o003
}

// detach gives cmd a session of its own, so that an interrupt typed at the
// terminal ends the tests first and the server after them.
func detach(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}
