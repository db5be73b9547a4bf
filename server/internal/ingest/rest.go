package ingest

import (
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// How long at most a worker leaves a database alone that failed. One that is
// away may be back at once; a full disk waits for a person, and what is fetched
// meanwhile is fetched in vain.
const (
	restAway = 4 * time.Second
	restFull = 30 * time.Second
)

// rest is the pause of a worker after the database failed: a second at first,
// and twice as long with each failure in a row.
type rest struct {
	mu    sync.Mutex
	until time.Time
	pause time.Duration
}

// begin starts a pause because of err, unless one is under way.
func (r *rest) begin(now time.Time, err error) {
	longest := restAway
	if kgl.Is(err, kgl.CodeStorageFull) {
		longest = restFull
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.until) {
		return
	}
	r.pause = min(max(2*r.pause, outagePause), longest)
	r.until = now.Add(r.pause)
}

// end forgets the failures: the database took something.
func (r *rest) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until, r.pause = time.Time{}, 0
}

// left returns how long the pause still lasts.
func (r *rest) left(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.until.Sub(now))
}

// outage reports whether an error says that the database takes nothing at the
// moment, whatever it is asked.
func outage(err error) bool {
	return kgl.Is(err, kgl.CodeUnavailable) || kgl.Is(err, kgl.CodeStorageFull)
}
