//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// survival says what of the unsynced writes is on the disk after the power
// came back. Anything between nothing and everything is allowed; these three
// have found the faults that others had.
type survival string

const (
	none  survival = "none"  // nothing that was not synced
	names survival = "names" // names, as a journal of metadata keeps them, and no data
	torn  survival = "torn"  // the older changes of names, and sectors by chance
)

// image is what is on the disk after a loss of power.
type image struct {
	survival survival
	chance   *rand.Rand
	folders  map[*node]map[string]*node // with the changes of names that survived
}

// newImage makes the image of a disk. The same seed gives the same image.
func (d *disk) newImage(s survival, seed uint64) *image {
	i := &image{survival: s, chance: rand.New(rand.NewPCG(seed, 0)), folders: map[*node]map[string]*node{}}
	kept := 0
	switch s {
	case names:
		kept = len(d.renames)
	case torn:
		kept = i.chance.IntN(len(d.renames) + 1)
		for kept < len(d.renames) && d.renames[kept].joined {
			kept++
		}
	}
	for _, change := range d.renames[:kept] {
		folder := i.names(change.dir)
		if change.to == nil {
			delete(folder, change.name)
		} else {
			folder[change.name] = change.to
		}
	}
	return i
}

// names returns what the names of a folder stand for in the image.
func (i *image) names(dir *node) map[string]*node {
	if i.folders[dir] == nil {
		i.folders[dir] = maps.Clone(dir.lastingNames)
	}
	return i.folders[dir]
}

// content returns the bytes of a file in the image.
func (i *image) content(n *node) []byte {
	data := slices.Clone(n.lasting)
	if i.survival != torn || len(n.dirty) == 0 {
		return data
	}
	if i.chance.IntN(2) == 0 { // the new size lasts
		data = resized(data, len(n.data))
	}
	for _, sector := range slices.Sorted(maps.Keys(n.dirty)) {
		if i.chance.IntN(2) == 0 {
			continue
		}
		if end := min((sector+1)*sectorSize, int64(len(n.data))); end > int64(len(data)) {
			data = resized(data, int(end))
		}
		copySector(data, n.data, sector)
	}
	return data
}

// save writes a folder of the image into a folder of this machine.
func (i *image) save(dir *node, path string) error {
	if err := own(dir, path, os.MkdirAll(path, 0o700)); err != nil {
		return err
	}
	folder := i.names(dir)
	for _, name := range slices.Sorted(maps.Keys(folder)) {
		n, at := folder[name], filepath.Join(path, name)
		var err error
		switch n.mode & syscall.S_IFMT {
		case syscall.S_IFDIR:
			err = i.save(n, at)
		case syscall.S_IFLNK:
			err = os.Symlink(n.target, at)
		case syscall.S_IFREG:
			err = own(n, at, os.WriteFile(at, i.content(n), 0o600))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// own gives what was written its mode and owner.
func own(n *node, path string, written error) error {
	if written != nil {
		return written
	}
	if err := errors.Join(os.Lchown(path, int(n.uid), int(n.gid)), os.Chmod(path, os.FileMode(n.mode&0o777))); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// load reads a folder of this machine into a folder of the disk, where all of
// it lasts.
func (d *disk) load(dir *node, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		at := filepath.Join(path, entry.Name())
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s: no owner is known", at)
		}
		n := d.newNode(stat.Mode, stat.Uid, stat.Gid)
		dir.names[entry.Name()], dir.lastingNames[entry.Name()] = n, n
		switch {
		case entry.IsDir():
			err = d.load(n, at)
		case info.Mode().IsRegular():
			n.data, err = os.ReadFile(at)
			n.lasting = slices.Clone(n.data)
		default:
			err = fmt.Errorf("%s is neither a file nor a folder", at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
