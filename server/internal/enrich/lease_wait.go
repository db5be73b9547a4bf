package enrich

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// place is a caller's place in the line of those who wait for work. turn is
// closed when it may look for work, or when nobody needs to wait any more.
type place struct {
	turn chan struct{}
	at   *list.Element // nil once it had its turn
}

// line holds the callers that wait for work. One look at the database serves all
// of them: when it finds work the first one gets its turn, and whoever found
// some passes the turn on.
type line struct {
	most    int
	arrived chan struct{} // somebody waits
	woken   chan struct{} // there may be work

	gone chan struct{} // nobody is to wait any more

	mu      sync.Mutex
	waiting *list.List // of *place, longest first
}

func newLine(most int) *line {
	return &line{most: most, arrived: make(chan struct{}, 1), woken: make(chan struct{}, 1), gone: make(chan struct{}), waiting: list.New()}
}

// enter takes the last place; nil when nobody is to wait any more.
// CodeRateLimited: too many wait.
func (l *line) enter() (*place, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
		return nil, nil
	}
	if l.waiting.Len() >= l.most {
		return nil, &kgl.Error{Code: kgl.CodeRateLimited, Message: "too many callers wait for work", RetryAfter: leasePoll}
	}
	p := &place{turn: make(chan struct{})}
	p.at = l.waiting.PushBack(p)
	signal(l.arrived)
	return p, nil
}

// leave gives a place up. Whose turn had come passes it on.
func (l *line) leave(p *place) {
	l.mu.Lock()
	had := p.at == nil
	if !had {
		l.waiting.Remove(p.at)
	}
	l.mu.Unlock()
	if had {
		l.next()
	}
}

// next gives the first one its turn.
func (l *line) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first := l.waiting.Front(); first != nil {
		l.give(first)
	}
}

func (l *line) give(at *list.Element) {
	p := l.waiting.Remove(at).(*place)
	p.at = nil
	close(p.turn)
}

// close lets all go, and nobody wait any more. It is called once.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.gone)
	for l.waiting.Len() > 0 {
		l.give(l.waiting.Front())
	}
}

func (l *line) isClosed() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// idle waits for nothing, without a place in the line.
func (l *line) idle(ctx context.Context, d time.Duration) error {
	end := time.NewTimer(d)
	defer end.Stop()
	select {
	case <-end.C:
	case <-l.gone:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (l *line) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting.Len()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is set already
	}
}

// Waiting returns how many callers wait for work.
func (l *Leases) Waiting() int { return l.line.length() }

// Notify tells waiting callers that there may be new tasks. It never blocks.
func (l *Leases) Notify() { signal(l.line.woken) }

// Run looks for work while callers wait: when Notify says so, when a task
// becomes due, and once in a while for what other processes did. When ctx ends
// all waiting callers are answered, and later ones do not wait.
func (l *Leases) Run(ctx context.Context) {
	defer l.line.close()
	for ctx.Err() == nil {
		if l.line.length() == 0 {
			select {
			case <-ctx.Done():
				return
			case <-l.line.arrived:
			}
			continue // at the next look nobody has to wait for the poll
		}
		timer := time.NewTimer(l.look(ctx))
		select {
		case <-ctx.Done():
		case <-l.line.woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look gives the first caller its turn when there is work, and returns how long
// to wait before the next look.
func (l *Leases) look(ctx context.Context) time.Duration {
	next, err := l.store.NextTaskAt(ctx, l.cfg.Lane)
	if err != nil {
		l.log.WarnContext(ctx, "the tasks that wait could not be read", "error", err)
		return l.cfg.Poll
	}
	if next == nil {
		return l.cfg.Poll
	}
	left := next.Sub(l.clock.Now())
	if left <= 0 {
		l.line.next()
		return l.cfg.Poll
	}
	return min(left+time.Millisecond, l.cfg.Poll)
}
