package httpapi

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// slowReader counts its counts, each of which takes a while.
type slowReader struct {
	clock *kgl.FakeClock
	takes time.Duration
	err   error
	calls int
}

func (r *slowReader) Dashboard(_ context.Context, now time.Time) (kgl.Dashboard, error) {
	r.calls++
	r.clock.Advance(r.takes)
	return kgl.Dashboard{GeneratedAt: now, Content: kgl.DashboardContent{Total: int64(r.calls)}}, r.err
}

func TestSharedCounts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration
		pause time.Duration // between two callers
		fresh bool          // whether the second one gets counts of its own
	}{
		{"a small installation", 5 * time.Millisecond, 0, true},
		{"at once", 100 * time.Millisecond, 0, false},
		{"within twenty times", 100 * time.Millisecond, 1999 * time.Millisecond, false},
		{"after twenty times", 100 * time.Millisecond, 2 * time.Second, true},
		{"within ten seconds", time.Minute, 9999 * time.Millisecond, false},
		{"after ten seconds", time.Minute, 10 * time.Second, true},
		{"a clock that was set back", 100 * time.Millisecond, -time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := kgl.NewFakeClock(testTime)
			counts := newSharedCounts((&slowReader{clock: clock, takes: tt.takes}).Dashboard, clock)
			first, err := counts.get(t.Context())
			if err != nil || first.Content.Total != 1 || !first.GeneratedAt.Equal(testTime) {
				t.Fatal(first, err)
			}
			clock.Advance(tt.pause)
			second, err := counts.get(t.Context())
			if err != nil || (second.Content.Total == 2) != tt.fresh || second.GeneratedAt.Equal(testTime) == tt.fresh {
				t.Errorf("the second caller gets %+v, %v", second, err)
			}
		})
	}
}

func TestFailedCountsAreNotShared(t *testing.T) {
	clock := kgl.NewFakeClock(testTime)
	reader := &slowReader{clock: clock, takes: time.Second, err: errors.New("away")}
	counts := newSharedCounts(reader.Dashboard, clock)
	if _, err := counts.get(t.Context()); err == nil {
		t.Error("no error")
	}
	reader.err = nil
	if d, err := counts.get(t.Context()); err != nil || d.Content.Total != 2 {
		t.Error(d, err)
	}
}

// waitingReader counts when it is let.
type waitingReader struct {
	clock *kgl.FakeClock
	let   chan struct{}
	calls int
}

func (r *waitingReader) Dashboard(ctx context.Context, now time.Time) (kgl.Dashboard, error) {
	r.calls++
	select {
	case <-r.let:
	case <-ctx.Done():
		return kgl.Dashboard{}, ctx.Err()
	}
	r.clock.Advance(time.Second)
	return kgl.Dashboard{GeneratedAt: now}, nil
}

// TestCallersShareACount has many ask while one counts, of whom one leaves.
func TestCallersShareACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := kgl.NewFakeClock(testTime)
		reader := &waitingReader{clock: clock, let: make(chan struct{})}
		counts := newSharedCounts(reader.Dashboard, clock)
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				if d, err := counts.get(t.Context()); err != nil || !d.GeneratedAt.Equal(testTime) {
					t.Error(d, err)
				}
			})
		}
		synctest.Wait()
		gone, leave := context.WithCancel(t.Context())
		callers.Go(func() {
			if _, err := counts.get(gone); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		close(reader.let)
		callers.Wait()
		if reader.calls != 1 {
			t.Errorf("%d counts", reader.calls)
		}
	})
}
