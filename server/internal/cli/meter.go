package cli

import (
	"fmt"
	"io"

	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// meterLines is from how many bytes on work is worth a line for each tenth of
// it where there is no terminal.
const meterLines = 256 << 20

// meter shows how far long work is: one line that changes on a terminal, a few
// plain lines elsewhere.
type meter struct {
	w        io.Writer
	terminal bool
	stage    string
	percent  int64 // that was shown last
}

func newMeter(w io.Writer) *meter { return &meter{w: w, terminal: telemetry.IsTerminal(w)} }

// show takes the stage of the work and how many of how many bytes it has done;
// 0 of 0 where that is not known.
func (m *meter) show(stage string, done, total int64) {
	var percent int64
	if total > 0 {
		percent = 100 * done / total
	}
	began := stage != m.stage
	if !began && percent == m.percent {
		return
	}
	amount := ""
	if total > 0 {
		amount = fmt.Sprintf("  %3d %%  %s of %s", percent, bytesText(done), bytesText(total))
	}
	switch {
	case m.terminal:
		fmt.Fprintf(m.w, "\r\033[K%-9s%s", stage, amount)
	case began && total >= meterLines, !began && total >= meterLines && percent/10 != m.percent/10:
		fmt.Fprintf(m.w, "%-9s%s\n", stage, amount)
	case began:
		fmt.Fprintln(m.w, stage)
	}
	m.stage, m.percent = stage, percent
}

// end removes the line from a terminal.
func (m *meter) end() {
	if m.terminal && m.stage != "" {
		fmt.Fprint(m.w, "\r\033[K")
	}
}

// bytesText writes a size for people, in binary units.
func bytesText(n int64) string {
	unit, units := float64(n), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	for unit >= 1024 && len(units) > 1 {
		unit /= 1024
		units = units[1:]
	}
	if units[0] == "bytes" {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", unit, units[0])
}
