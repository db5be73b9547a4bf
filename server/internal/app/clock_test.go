package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestSharedClock follows a database whose clock is off, on a machine whose
// clock steps.
func TestSharedClock(t *testing.T) {
	var log bytes.Buffer
	ahead, failing := time.Hour, false
	ask := func(context.Context) (time.Time, error) {
		if failing {
			return time.Time{}, errors.New("away")
		}
		return time.Now().Add(ahead), nil
	}
	local := kgl.NewFakeClock(time.Now())
	c, err := newSharedClock(t.Context(), ask, local, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := func(ahead time.Duration) {
		t.Helper()
		if off := c.Now().Sub(time.Now().Add(ahead)); off.Abs() > 200*time.Millisecond {
			t.Errorf("the clock is off by %v", off)
		}
	}
	want(time.Hour)
	local.Advance(-5 * time.Hour)
	want(time.Hour)
	failing = true
	if err := c.sync(t.Context()); err == nil {
		t.Error("a database that is away told the time")
	}
	want(time.Hour)
	failing, ahead = false, -time.Hour
	if err := c.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(-time.Hour)
	if n := strings.Count(log.String(), "differ"); n != 2 || !strings.Contains(log.String(), "ahead_seconds=-3600") {
		t.Errorf("log: %s", &log)
	}
	if _, err := newSharedClock(t.Context(), func(context.Context) (time.Time, error) { return time.Time{}, errors.New("away") }, local, c.log); err == nil {
		t.Error("a clock without the time")
	}
}
