package kgl

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/google/uuid"
)

// IDSource makes the ids of new resources.
type IDSource interface {
	// NewID returns a UUIDv7 in its canonical lower-case text form. Ids of one
	// IDSource sort in the order in which they were made.
	NewID() string
}

// UUIDv7 is the IDSource of the server: RFC 9562 section 5.7, with the
// sub-millisecond fraction of section 6.2 method 3 in rand_a, kept increasing
// within the process. It is safe for concurrent use.
type UUIDv7 struct {
	clock  Clock
	random io.Reader

	mu   sync.Mutex
	last uint64 // milliseconds << 12 | fraction, of the last id
}

// NewUUIDv7 returns an IDSource that reads the time from clock and its random
// bits from random, which must not fail (such as crypto/rand.Reader).
func NewUUIDv7(clock Clock, random io.Reader) *UUIDv7 {
	return &UUIDv7{clock: clock, random: random}
}

// NewID implements IDSource. It panics when the random source fails, because
// no id may be guessed or repeated.
func (g *UUIDv7) NewID() string {
	var u uuid.UUID
	if _, err := io.ReadFull(g.random, u[8:]); err != nil {
		panic(fmt.Errorf("kgl: random source failed: %w", err))
	}
	t := g.next()
	binary.BigEndian.PutUint64(u[:8], t>>12<<16|0x7000|t&0x0fff)
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

func (g *UUIDv7) next() uint64 {
	micros := uint64(g.clock.Now().UnixMicro())
	t := micros/1000<<12 | micros%1000<<12/1000
	g.mu.Lock()
	defer g.mu.Unlock()
	if t <= g.last {
		t = g.last + 1
	}
	g.last = t
	return t
}
