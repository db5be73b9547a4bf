//go:build !linux

package pgtest

// ramDisk returns nothing: only Linux has a file system in memory at hand.
func ramDisk() string { return "" }
