//go:build drill

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lossyDisk is a file system that loses what was not synced when its power is
// cut: see tools/lossydisk.
type lossyDisk struct {
	t       *testing.T
	folder  string // holds the images of cuts
	mount   string
	input   io.WriteCloser
	answers *bufio.Scanner
	cuts    int
}

// newLossyDisk mounts a disk with the files of a folder, or an empty one when
// that is "".
func newLossyDisk(t *testing.T, load string) *lossyDisk {
	t.Helper()
	d := &lossyDisk{t: t, folder: openTempDir(t)}
	d.mount = filepath.Join(d.folder, "mount")
	if err := os.Mkdir(d.mount, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(buildLossyDisk(t), "--load", load, d.mount)
	cmd.Stderr = os.Stderr
	var err error
	if d.input, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.answers = bufio.NewScanner(output)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.input.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("lossydisk: %v", err)
		}
	})
	d.answer()
	return d
}

// openTempDir returns a folder that other users can enter, as Postgres's user
// must.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "kgl-drill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func buildLossyDisk(t *testing.T) string {
	t.Helper()
	program := filepath.Join(filepath.Dir(binary.path(t)), "lossydisk")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = "../../../tools/lossydisk"
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false -trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build lossydisk: %v\n%s", err, out)
	}
	return program
}

// tell gives the disk a command and returns its answer.
func (d *lossyDisk) tell(format string, args ...any) string {
	d.t.Helper()
	if _, err := fmt.Fprintf(d.input, format+"\n", args...); err != nil {
		d.t.Fatal(err)
	}
	return d.answer()
}

func (d *lossyDisk) answer() string {
	d.t.Helper()
	if !d.answers.Scan() {
		d.t.Fatal("lossydisk ended: it needs Linux, root and /dev/fuse")
	}
	text, ok := strings.CutPrefix(d.answers.Text(), "ok")
	if !ok {
		d.t.Fatalf("lossydisk: %s", d.answers.Text())
	}
	return strings.TrimSpace(text)
}

// survivals are what may be left of unsynced writes: nothing, the names only,
// or sectors by chance.
var survivals = []string{"none", "names", "torn"}

// cut cuts the power, and returns the folder of the images.
func (d *lossyDisk) cut(seed uint64) string {
	d.t.Helper()
	d.cuts++
	images := filepath.Join(d.folder, fmt.Sprint("cut", d.cuts))
	if err := os.Mkdir(images, 0o755); err != nil {
		d.t.Fatal(err)
	}
	d.tell("cut %s %d", images, seed)
	return images
}
