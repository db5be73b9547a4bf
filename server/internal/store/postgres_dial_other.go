//go:build !linux

package store

import (
	"syscall"
	"time"
)

// limitUnacknowledged does nothing where TCP has no such option: there the
// limit of the statement ends the wait.
func limitUnacknowledged(syscall.RawConn, time.Duration) error { return nil }
