package cli

import (
	"strings"
	"testing"
)

// On a terminal long work is one line that changes, and goes at the end.
func TestMeterOnATerminal(t *testing.T) {
	master, terminal := newTerminal(t)
	shown := screen(master)
	workOn(newMeter(terminal), 1<<20)
	until(t, shown, `checking +\r\x1b\[K$`)
	if text := shown(); strings.Contains(text, "\n") || strings.Count(text, "\r") > 110 {
		t.Errorf("%q", text)
	}
}
