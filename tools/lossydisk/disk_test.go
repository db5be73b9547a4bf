//go:build linux

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// file makes a file in the root of a disk.
func (d *disk) file(name, content string) *node {
	n := d.newNode(syscall.S_IFREG|0o600, uint32(os.Getuid()), uint32(os.Getgid()))
	d.setName(d.root, name, n)
	n.write([]byte(content), 0)
	return n
}

// cutNow cuts the power and returns what the files of each image hold.
func cutNow(t *testing.T, d *disk, seed uint64) map[survival]map[string]string {
	t.Helper()
	d.root.uid, d.root.gid = uint32(os.Getuid()), uint32(os.Getgid())
	folder := t.TempDir()
	if err := d.cut(folder, seed); err != nil {
		t.Fatal(err)
	}
	images := map[survival]map[string]string{}
	for _, s := range []survival{none, names, torn} {
		images[s] = map[string]string{}
		root := filepath.Join(folder, string(s))
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			images[s][strings.TrimPrefix(path, root+"/")] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return images
}

func TestWhatLasts(t *testing.T) {
	d := newDisk()
	synced := d.file("synced", "old")
	d.syncFile(synced)
	d.syncFolder(d.root)
	synced.write([]byte("NEW, and longer"), 0)
	d.file("never synced", "data")
	nameless := d.file("file synced, folder not", "data")
	d.syncFile(nameless)
	d.rename(d.root, "synced", d.root, "renamed")
	images := cutNow(t, d, 1)
	if got := images[none]; len(got) != 1 || got["synced"] != "old" {
		t.Errorf("none: %v", got)
	}
	got := images[names]
	if len(got) != 3 || got["renamed"] != "old" || got["never synced"] != "" || got["file synced, folder not"] != "data" {
		t.Errorf("names: %v", got)
	}
	if !d.off {
		t.Error("the power is on")
	}
}

func TestTornSectors(t *testing.T) {
	d := newDisk()
	n := d.file("f", strings.Repeat("o", 100*sectorSize))
	d.syncFile(n)
	d.syncFolder(d.root)
	n.write(bytes.Repeat([]byte("n"), 100*sectorSize), 0)
	first, again, other := cutNow(t, d, 1)[torn]["f"], cutNow(t, d, 1)[torn]["f"], cutNow(t, d, 2)[torn]["f"]
	if first != again || first == other {
		t.Error("the image does not follow from the seed")
	}
	kept := 0
	for sector := range slices.Chunk([]byte(first), sectorSize) {
		switch string(sector) {
		case strings.Repeat("n", sectorSize):
			kept++
		case strings.Repeat("o", sectorSize):
		default:
			t.Fatal("a sector is torn within")
		}
	}
	if kept < 25 || kept > 75 {
		t.Errorf("%d of 100 sectors survived", kept)
	}
}

func TestTruncation(t *testing.T) {
	d := newDisk()
	n := d.file("f", strings.Repeat("o", 3*sectorSize))
	d.syncFile(n)
	d.syncFolder(d.root)
	n.truncate(10)
	n.grow(2 * sectorSize)
	if got := string(n.data); got != "oooooooooo"+strings.Repeat("\x00", 2*sectorSize-10) {
		t.Errorf("now: %q", got)
	}
	if got := cutNow(t, d, 1)[none]["f"]; got != strings.Repeat("o", 3*sectorSize) {
		t.Error("an unsynced truncation lasts")
	}
	d.syncFile(n)
	if got := cutNow(t, d, 1)[none]["f"]; got != string(n.data) {
		t.Error("a synced truncation does not last")
	}
}

func TestSyncsThatFail(t *testing.T) {
	d := newDisk()
	n := d.file("f", "old")
	d.syncFile(n)
	d.syncFolder(d.root)
	n.write([]byte("new"), 0)
	if _, err := d.command([]string{"fail", "1"}); err != nil {
		t.Fatal(err)
	}
	if errno := d.syncFile(n); errno != syscall.EIO {
		t.Errorf("the sync that should fail: %v", errno)
	}
	// As on Linux: what the failed sync was about is not written by the next one.
	if errno := d.syncFile(n); errno != 0 {
		t.Error(errno)
	}
	if got := cutNow(t, d, 1)[none]["f"]; got != "old" {
		t.Errorf("after a failed sync: %q", got)
	}
	if _, err := d.command([]string{"lie", "on"}); err != nil {
		t.Fatal(err)
	}
	n.write([]byte("lie"), 0)
	if errno := d.syncFile(n); errno != 0 || cutNow(t, d, 1)[none]["f"] != "old" {
		t.Error("a lying disk kept what it was given")
	}
	if _, err := d.command([]string{"explode"}); !errors.Is(err, errUsage) {
		t.Error(err)
	}
}

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "a/b"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a/b/f"), []byte("data"), 0o640); err != nil {
		t.Fatal(err)
	}
	d := newDisk()
	if err := d.load(d.root, folder); err != nil {
		t.Fatal(err)
	}
	if got := cutNow(t, d, 1)[none]; len(got) != 1 || got["a/b/f"] != "data" {
		t.Errorf("what was loaded does not last: %v", got)
	}
}
