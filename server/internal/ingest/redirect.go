package ingest

import (
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// movedReason says what a redirect that is not adopted yet means.
func movedReason(r kgl.PermanentRedirect) string {
	return fmt.Sprintf("it redirects for good to %s, %d times in a row since %s", r.URL, r.Fetches, r.Since.UTC().Format(time.DateOnly))
}
