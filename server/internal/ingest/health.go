package ingest

import (
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// What a silence must be for a feed to be quiet.
const (
	quietAfter   = 30 * 24 * time.Hour // at least
	quietGaps    = 5                   // and so many times its usual gap
	quietUnknown = 90 * 24 * time.Hour // without a known rhythm
)

// checkup is all that healthOf looks at.
type checkup struct {
	now       time.Time
	fate      Fate
	failures  int64
	throttled bool
	error     string // for people; empty after a success
	redirect  *kgl.PermanentRedirect
	gap       time.Duration
	newest    *time.Time
}

// healthOf returns how a source fares after a fetch, and why, for people.
func healthOf(c checkup) (kgl.SourceHealth, string) {
	switch {
	case c.fate == FateGone:
		return kgl.HealthGone, "its publisher withdrew it: the server answered 410"
	case c.fate == FateDead:
		return kgl.HealthGone, fmt.Sprintf("%d fetches failed in more than %d days: %s", c.failures, int(deadAfter.Hours()/24), c.error)
	case c.throttled:
		return kgl.HealthThrottled, c.error
	case c.failures > 0:
		return kgl.HealthFailing, lastFetches(c.failures) + ": " + c.error
	case c.redirect != nil:
		return kgl.HealthMoved, movedReason(*c.redirect)
	}
	if c.newest == nil {
		return kgl.HealthOK, ""
	}
	silence, most := c.now.Sub(*c.newest), quietUnknown
	if c.gap > 0 {
		most = max(quietAfter, quietGaps*c.gap)
	}
	if silence <= most {
		return kgl.HealthOK, ""
	}
	if c.gap > 0 {
		return kgl.HealthQuiet, fmt.Sprintf("nothing new for %s; it used to publish about every %s", roughly(silence), roughly(c.gap))
	}
	return kgl.HealthQuiet, fmt.Sprintf("nothing new for %s", roughly(silence))
}
