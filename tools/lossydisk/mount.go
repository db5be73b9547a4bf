//go:build linux

package main

import (
	"context"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// mount shows the disk at a folder. Whoever mounts is the only one who changes
// the disk, so the kernel may remember what it saw; every write and every sync
// comes here at once, for write-back caching stays off.
func mount(d *disk, at string) error {
	forever := time.Hour
	_, err := fs.Mount(at, &entry{d: d, n: d.root}, &fs.Options{
		MountOptions: fuse.MountOptions{
			FsName: "lossydisk", Name: "lossydisk", DirectMountStrict: true, AllowOther: true,
			Options: []string{"default_permissions"}, MaxWrite: 1 << 20,
		},
		EntryTimeout: &forever, AttrTimeout: &forever,
		RootStableAttr:  &fs.StableAttr{Ino: d.root.ino},
		NullPermissions: true,
	})
	return err
}

// entry is a node as the kernel knows it.
type entry struct {
	fs.Inode
	d *disk
	n *node
}

var (
	_ fs.NodeGetattrer  = (*entry)(nil)
	_ fs.NodeSetattrer  = (*entry)(nil)
	_ fs.NodeLookuper   = (*entry)(nil)
	_ fs.NodeReaddirer  = (*entry)(nil)
	_ fs.NodeCreater    = (*entry)(nil)
	_ fs.NodeMkdirer    = (*entry)(nil)
	_ fs.NodeLinker     = (*entry)(nil)
	_ fs.NodeSymlinker  = (*entry)(nil)
	_ fs.NodeReadlinker = (*entry)(nil)
	_ fs.NodeUnlinker   = (*entry)(nil)
	_ fs.NodeRmdirer    = (*entry)(nil)
	_ fs.NodeRenamer    = (*entry)(nil)
	_ fs.NodeOpener     = (*entry)(nil)
	_ fs.NodeReader     = (*entry)(nil)
	_ fs.NodeWriter     = (*entry)(nil)
	_ fs.NodeAllocater  = (*entry)(nil)
	_ fs.NodeFsyncer    = (*entry)(nil)
	_ fs.NodeStatfser   = (*entry)(nil)
)

// locked runs what a call does, unless the power is off.
func (e *entry) locked(do func() syscall.Errno) syscall.Errno {
	e.d.mu.Lock()
	defer e.d.mu.Unlock()
	if e.d.off {
		return syscall.EIO
	}
	return do()
}

// inode returns the kernel's inode of a node.
func (e *entry) inode(ctx context.Context, n *node, out *fuse.EntryOut) *fs.Inode {
	n.stat(&out.Attr)
	return e.NewInode(ctx, &entry{d: e.d, n: n}, fs.StableAttr{Mode: n.mode & syscall.S_IFMT, Ino: n.ino})
}

func (n *node) stat(out *fuse.Attr) {
	out.Ino, out.Mode, out.Nlink, out.Owner = n.ino, n.mode, n.links, fuse.Owner{Uid: n.uid, Gid: n.gid}
	out.Size, out.Blksize = uint64(len(n.data)), 4096
	if n.target != "" {
		out.Size = uint64(len(n.target))
	}
	out.Blocks = (out.Size + sectorSize - 1) / sectorSize
	out.SetTimes(&n.modified, &n.modified, &n.modified)
}

// add makes a node under a name.
func (e *entry) add(ctx context.Context, name string, mode uint32, out *fuse.EntryOut, target string) (child *fs.Inode, errno syscall.Errno) {
	errno = e.locked(func() syscall.Errno {
		if e.n.names[name] != nil {
			return syscall.EEXIST
		}
		var uid, gid uint32
		if caller, ok := fuse.FromContext(ctx); ok {
			uid, gid = caller.Uid, caller.Gid
		}
		n := e.d.newNode(mode, uid, gid)
		n.target = target
		e.d.setName(e.n, name, n)
		child = e.inode(ctx, n, out)
		return 0
	})
	return child, errno
}

func (e *entry) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child, errno := e.add(ctx, name, syscall.S_IFREG|mode&0o7777, out, "")
	return child, nil, fuse.FOPEN_KEEP_CACHE, errno
}

func (e *entry) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return e.add(ctx, name, syscall.S_IFDIR|mode&0o7777, out, "")
}

func (e *entry) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return e.add(ctx, name, syscall.S_IFLNK|0o777, out, target)
}

func (e *entry) Readlink(context.Context) ([]byte, syscall.Errno) { return []byte(e.n.target), 0 }

func (e *entry) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	to, ok := target.(*entry)
	if !ok {
		return nil, syscall.EXDEV
	}
	errno = e.locked(func() syscall.Errno {
		if e.n.names[name] != nil {
			return syscall.EEXIST
		}
		to.n.links++
		e.d.setName(e.n, name, to.n)
		child = e.inode(ctx, to.n, out)
		return 0
	})
	return child, errno
}

func (e *entry) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (child *fs.Inode, errno syscall.Errno) {
	errno = e.locked(func() syscall.Errno {
		n := e.n.names[name]
		if n == nil {
			return syscall.ENOENT
		}
		child = e.inode(ctx, n, out)
		return 0
	})
	return child, errno
}

func (e *entry) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	var list []fuse.DirEntry
	errno := e.locked(func() syscall.Errno {
		for name, n := range e.n.names {
			list = append(list, fuse.DirEntry{Name: name, Mode: n.mode & syscall.S_IFMT, Ino: n.ino})
		}
		return 0
	})
	return fs.NewListDirStream(list), errno
}

func (e *entry) Unlink(_ context.Context, name string) syscall.Errno {
	return e.locked(func() syscall.Errno {
		if e.n.names[name] == nil {
			return syscall.ENOENT
		}
		e.d.setName(e.n, name, nil)
		return 0
	})
}

func (e *entry) Rmdir(_ context.Context, name string) syscall.Errno {
	return e.locked(func() syscall.Errno {
		n := e.n.names[name]
		switch {
		case n == nil:
			return syscall.ENOENT
		case len(n.names) > 0:
			return syscall.ENOTEMPTY
		}
		e.d.setName(e.n, name, nil)
		return 0
	})
}

func (e *entry) Rename(_ context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*entry)
	if !ok {
		return syscall.EXDEV
	}
	const noReplace = 1
	return e.locked(func() syscall.Errno {
		n, old := e.n.names[name], to.n.names[newName]
		switch {
		case n == nil:
			return syscall.ENOENT
		case flags&^noReplace != 0:
			return syscall.EINVAL
		case flags == noReplace && old != nil:
			return syscall.EEXIST
		case old != nil && len(old.names) > 0:
			return syscall.ENOTEMPTY
		case old == n:
			return 0
		}
		e.d.rename(e.n, name, to.n, newName)
		return 0
	})
}

func (e *entry) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, e.locked(func() syscall.Errno { return 0 })
}

func (e *entry) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	var n int
	errno := e.locked(func() syscall.Errno {
		n = copy(dest, e.n.data[min(off, int64(len(e.n.data))):])
		return 0
	})
	return fuse.ReadResultData(dest[:n]), errno
}

func (e *entry) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	return uint32(len(data)), e.locked(func() syscall.Errno {
		e.n.write(data, off)
		return 0
	})
}

func (e *entry) Allocate(_ context.Context, _ fs.FileHandle, off, size uint64, mode uint32) syscall.Errno {
	return e.locked(func() syscall.Errno {
		if mode != 0 {
			return syscall.EOPNOTSUPP
		}
		e.n.grow(int64(off + size))
		return 0
	})
}

func (e *entry) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return e.locked(func() syscall.Errno {
		if e.n.names != nil {
			return e.d.syncFolder(e.n)
		}
		return e.d.syncFile(e.n)
	})
}

func (e *entry) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return e.locked(func() syscall.Errno {
		e.n.stat(&out.Attr)
		return 0
	})
}

func (e *entry) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return e.locked(func() syscall.Errno {
		if mode, ok := in.GetMode(); ok {
			e.n.mode = e.n.mode&syscall.S_IFMT | mode&0o7777
		}
		if uid, ok := in.GetUID(); ok {
			e.n.uid = uid
		}
		if gid, ok := in.GetGID(); ok {
			e.n.gid = gid
		}
		if size, ok := in.GetSize(); ok {
			e.n.truncate(int64(size))
		}
		if modified, ok := in.GetMTime(); ok {
			e.n.modified = modified
		}
		e.n.stat(&out.Attr)
		return 0
	})
}

func (e *entry) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	out.Blocks, out.Bfree, out.Bavail = 1<<20, 1<<20, 1<<20
	return 0
}
