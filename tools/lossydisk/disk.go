//go:build linux

package main

import (
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// sectorSize is what a disk writes as a whole: less than that is never torn.
const sectorSize = 512

// disk is a file system in memory that knows, besides what programs see, what
// would be there after the power failed at this moment. Its rules are the least
// that POSIX promises, which is less than ext4, XFS or APFS keep:
//
//   - the content and the size of a file last once fsync or fdatasync of that
//     file has succeeded, and not before;
//   - the names in a folder last once fsync of that folder has succeeded;
//   - modes and owners last at once, which is more than POSIX promises.
type disk struct {
	mu      sync.Mutex
	root    *node
	lastIno uint64
	off     bool         // the power was cut: everything fails
	lying   bool         // fsync says yes and does nothing
	failing int          // how many of the next syncs of files fail
	renames []nameChange // changes of names that do not last yet, in order
	syncs   int
}

// nameChange is a name in a folder that now stands for another node, or for
// none.
type nameChange struct {
	dir    *node
	name   string
	to     *node
	joined bool // lasts with the change before it or not at all: the two halves of a rename
}

// node is a file, a folder or a symbolic link.
type node struct {
	ino      uint64
	mode     uint32 // type and permissions, as in struct stat
	uid, gid uint32
	links    uint32
	modified time.Time

	// Of a folder: what its names stand for now, and after a loss of power.
	names, lastingNames map[string]*node
	// Of a file: its bytes now, and after a loss of power; and the sectors that
	// may differ.
	data, lasting []byte
	dirty         map[int64]struct{}

	target string // of a link
}

func newDisk() *disk {
	d := &disk{}
	d.root = d.newNode(syscall.S_IFDIR|0o755, 0, 0)
	return d
}

func (d *disk) newNode(mode, uid, gid uint32) *node {
	d.lastIno++
	n := &node{ino: d.lastIno, mode: mode, uid: uid, gid: gid, links: 1, modified: time.Now()}
	switch mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		n.names, n.lastingNames, n.links = map[string]*node{}, map[string]*node{}, 2
	case syscall.S_IFREG:
		n.dirty = map[int64]struct{}{}
	}
	return n
}

// setName lets a name in a folder stand for a node, or for none (nil).
func (d *disk) setName(dir *node, name string, to *node) {
	if old := dir.names[name]; old != nil && old.links > 0 {
		old.links--
	}
	if to == nil {
		delete(dir.names, name)
	} else {
		dir.names[name] = to
	}
	dir.modified = time.Now()
	d.renames = append(d.renames, nameChange{dir: dir, name: name, to: to})
}

// rename moves a node to another name, in one step.
func (d *disk) rename(from *node, name string, to *node, newName string) {
	n := from.names[name]
	n.links++
	d.setName(to, newName, n)
	d.setName(from, name, nil)
	d.renames[len(d.renames)-1].joined = true
}

// write writes bytes at an offset, as pwrite(2) does.
func (n *node) write(data []byte, at int64) {
	n.grow(at + int64(len(data)))
	copy(n.data[at:], data)
	n.soil(at, at+int64(len(data)))
	n.modified = time.Now()
}

// grow makes a file at least so long.
func (n *node) grow(size int64) {
	if old := int64(len(n.data)); size > old {
		n.data = append(n.data, make([]byte, size-old)...)
		n.soil(old, size)
	}
}

// truncate sets the size of a file.
func (n *node) truncate(size int64) {
	if old := int64(len(n.data)); size < old {
		clear(n.data[size:])
		n.data = n.data[:size]
		n.soil(size, old)
	}
	n.grow(size)
	n.modified = time.Now()
}

// soil marks the sectors of [from, to) as written.
func (n *node) soil(from, to int64) {
	for s := from / sectorSize; s*sectorSize < to; s++ {
		n.dirty[s] = struct{}{}
	}
}

// syncFile is fsync of a file. One that fails is like Linux's: what was to be
// written is forgotten, and the next fsync says nothing about it
// (https://wiki.postgresql.org/wiki/Fsync_Errors).
func (d *disk) syncFile(n *node) syscall.Errno {
	d.syncs++
	if d.lying {
		return 0
	}
	if d.failing > 0 {
		d.failing--
		clear(n.dirty)
		return syscall.EIO
	}
	n.lasting = resized(n.lasting, len(n.data))
	for s := range n.dirty {
		copySector(n.lasting, n.data, s)
	}
	clear(n.dirty)
	return 0
}

// syncFolder is fsync of a folder.
func (d *disk) syncFolder(n *node) syscall.Errno {
	d.syncs++
	if d.lying {
		return 0
	}
	n.lastingNames = maps.Clone(n.names)
	d.renames = slices.DeleteFunc(d.renames, func(c nameChange) bool { return c.dir == n })
	return 0
}

// resized returns data with another size.
func resized(data []byte, size int) []byte {
	if size <= len(data) {
		return data[:size]
	}
	return append(data, make([]byte, size-len(data))...)
}

// copySector copies one sector from a file to another of any size.
func copySector(to, from []byte, sector int64) {
	start := min(sector*sectorSize, int64(len(to)))
	end := min((sector+1)*sectorSize, int64(len(to)))
	part := to[start:end]
	var n int
	if start < int64(len(from)) {
		n = copy(part, from[start:])
	}
	clear(part[n:])
}
