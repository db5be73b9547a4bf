package pgtest

import "syscall"

// ramDiskRoom is the free space, in bytes, that a cluster in memory wants.
const ramDiskRoom = 2 << 30

// ramDisk returns the folder of a file system in memory with room for a
// cluster, or nothing.
func ramDisk() string {
	const dir = "/dev/shm"
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return ""
	}
	if stat.Bavail*uint64(stat.Bsize) < ramDiskRoom {
		return ""
	}
	return dir
}
