//go:build linux

// Command lossydisk shows a file system in memory at a folder, which loses what
// was not synced when its power is cut. Drills run a database on it.
//
//	lossydisk [--load FOLDER] MOUNTPOINT
//
// It takes commands on its standard input, one a line, answers each with a line
// that begins with ok or error, and unmounts at the end of its input:
//
//	lie on|off        fsync says yes and does nothing
//	fail N            the next N syncs of files fail with EIO
//	failing           answers how many syncs are still to fail
//	syncs             answers how many syncs there were
//	cut FOLDER SEED   cuts the power: everything fails from now on; writes what is
//	                  left to FOLDER/none, FOLDER/names and FOLDER/torn (see image.go)
//
// The idea is that of LazyFS (https://github.com/dsrhaslab/lazyfs). It needs
// Linux, root and /dev/fuse.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	load := flag.String("load", "", "folder whose files are on the disk from the start")
	flag.Parse()
	if err := run(*load, flag.Args(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lossydisk:", err)
		os.Exit(1)
	}
}

func run(load string, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("one argument is needed: where to mount")
	}
	d := newDisk()
	if load != "" {
		if err := d.load(d.root, load); err != nil {
			return err
		}
	}
	if err := mount(d, args[0]); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	fmt.Fprintln(out, "ok mounted")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer, err := d.command(strings.Fields(lines.Text()))
		if err != nil {
			fmt.Fprintln(out, "error", err)
			continue
		}
		fmt.Fprintln(out, "ok", answer)
	}
	// Also from under programs that still have files open.
	return syscall.Unmount(args[0], syscall.MNT_DETACH)
}

var errUsage = errors.New("no such command")

// command obeys one line.
func (d *disk) command(words []string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(words) == 2 && words[0] == "lie":
		d.lying = words[1] == "on"
		return "", nil
	case len(words) == 2 && words[0] == "fail":
		n, err := strconv.Atoi(words[1])
		d.failing = n
		return "", err
	case len(words) == 1 && words[0] == "failing":
		return strconv.Itoa(d.failing), nil
	case len(words) == 1 && words[0] == "syncs":
		return strconv.Itoa(d.syncs), nil
	case len(words) == 3 && words[0] == "cut":
		seed, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			return "", err
		}
		return "", d.cut(words[1], seed)
	}
	return "", errUsage
}

// cut switches the disk off and saves what is left of it.
func (d *disk) cut(folder string, seed uint64) error {
	d.off = true
	for _, s := range []survival{none, names, torn} {
		if err := d.newImage(s, seed).save(d.root, filepath.Join(folder, string(s))); err != nil {
			return err
		}
	}
	return nil
}
