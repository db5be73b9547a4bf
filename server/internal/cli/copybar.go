package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store/transfer"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// How often a copy is spoken of: a line that changes on a terminal, and lines
// elsewhere.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second
	barWidth    = 24
)

// copyBar shows how far a copy has come: as a bar on a terminal, as plain lines
// elsewhere. A nil copyBar shows nothing.
type copyBar struct {
	w        io.Writer
	clock    kgl.Clock
	terminal bool
	phase    transfer.Phase
	began    time.Time // of the phase
	first    int64     // what had been done then
	shown    time.Time
	drawn    bool // a bar stands in the last line
	finished bool // the end of the phase was told
}

func newCopyBar(w io.Writer, clock kgl.Clock) *copyBar {
	return &copyBar{w: w, clock: clock, terminal: telemetry.IsTerminal(w)}
}

// note prints a sentence on a line of its own.
func (b *copyBar) note(text string) {
	b.clear()
	fmt.Fprintln(b.w, text)
}

// show takes in how far the copy has come, and draws it when it is time.
func (b *copyBar) show(p app.CopyProgress) {
	now := b.clock.Now()
	if p.Phase != b.phase {
		b.phase, b.began, b.first, b.shown, b.finished = p.Phase, now, p.Done, now, false
	}
	complete := p.Done == p.Total
	if b.terminal {
		if complete || now.Sub(b.shown) >= redrawEvery || !b.drawn {
			b.shown, b.drawn = now, true
			fmt.Fprint(b.w, "\r\033[K"+b.fit(b.line(p, now)))
		}
		return
	}
	tableDone := p.Phase == transfer.PhaseCopy && p.Rows == p.Of && !complete
	if tableDone || complete && !b.finished || now.Sub(b.shown) >= lineEvery {
		b.shown, b.finished = now, complete
		fmt.Fprintln(b.w, b.plain(p, now))
	}
}

// words are what a phase does.
func words(p transfer.Phase) string {
	switch p {
	case transfer.PhaseRecheck:
		return "rechecking"
	case transfer.PhaseCopy:
		return "copying"
	case transfer.PhaseIndex:
		return "indexing"
	default:
		return "comparing"
	}
}

// line returns the bar.
func (b *copyBar) line(p app.CopyProgress, now time.Time) string {
	filled := barWidth
	if p.Total > 0 {
		filled = int(barWidth * p.Done / p.Total)
	}
	text := fmt.Sprintf("%-10s [%s%s] %3d %%  %s of %s", words(p.Phase), strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled),
		percent(p.Done, p.Total), thousands(p.Done), thousands(p.Total))
	return text + b.speed(p, now) + "  " + p.Table
}

// plain returns the same without a bar.
func (b *copyBar) plain(p app.CopyProgress, now time.Time) string {
	if p.Phase == transfer.PhaseIndex {
		return fmt.Sprintf("%s: %d of %d indexes and foreign keys", words(p.Phase), p.Done, p.Total)
	}
	return fmt.Sprintf("%s %s: %s of %s rows; %d %% of all%s", words(p.Phase), p.Table, thousands(p.Rows), thousands(p.Of),
		percent(p.Done, p.Total), b.speed(p, now))
}

func percent(done, total int64) int64 {
	if total == 0 {
		return 100
	}
	return 100 * done / total
}

// speed returns the rows a second and the time that is left, when there is
// enough to tell them from.
func (b *copyBar) speed(p app.CopyProgress, now time.Time) string {
	took := now.Sub(b.began)
	done := p.Done - b.first
	if took < time.Second || done <= 0 || p.Phase == transfer.PhaseIndex {
		return ""
	}
	text := fmt.Sprintf("  %s/s", thousands(int64(float64(done)/took.Seconds())))
	if left := time.Duration(float64(took) / float64(done) * float64(p.Total-p.Done)).Round(time.Second); left > 0 {
		text += fmt.Sprintf("  %v left", left)
	}
	return text
}

// fit cuts a line that the terminal would break in two.
func (b *copyBar) fit(line string) string {
	width := 80
	if f, ok := b.w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			width = columns
		}
	}
	return line[:min(len(line), width-1)]
}

// clear removes the bar.
func (b *copyBar) clear() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\033[K")
		b.drawn = false
	}
}

// end removes the bar for what is printed next.
func (b *copyBar) end() {
	if b != nil {
		b.clear()
	}
}
