package enrich

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

const (
	// A job is polled after pollMin, then ever less often, up to pollMax, unless
	// the module names a time.
	pollMin = time.Second
	pollMax = 10 * time.Second
	// maxPause bounds the time for which the module may ask to be left alone.
	maxPause = 5 * time.Minute
	// busyPause is for a module that is busy and does not say for how long.
	busyPause = 5 * time.Second
)

// aiCall is one piece of work for the module.
type aiCall struct {
	source string // whose item it is about; empty: of none
	send   func(context.Context) (*http.Response, error)
	// take reads the answer: the body of a 200, or the job that succeeded.
	take func(body []byte, job *aiclient.Job) error
}

// answer makes the take of an aiCall whose answer is a T.
func answer[T any](ofJob func(aiclient.Job) *T, use func(T) error) func([]byte, *aiclient.Job) error {
	return func(body []byte, job *aiclient.Job) error {
		var found T
		if job != nil {
			result := ofJob(*job)
			if result == nil {
				return violation(errors.New("the job succeeded without the result of its operation"))
			}
			found = *result
		} else if err := json.Unmarshal(body, &found); err != nil {
			return violation(err)
		}
		if err := use(found); err != nil {
			return violation(err)
		}
		return nil
	}
}

// run does one piece of work and counts it. The error is a *Failure, or that of a
// ctx that ended.
func (m *AIModule) run(ctx context.Context, operation string, c aiCall) error {
	start := m.clock.Now()
	word, err := m.guarded(ctx, c)
	m.metrics.AIWork(operation, word, m.clock.Now().Sub(start))
	return err
}

// guarded does the work when the breaker allows it and a place is free. It
// returns the end in a word.
func (m *AIModule) guarded(ctx context.Context, c aiCall) (word string, _ error) {
	if wait := m.Ready(ctx); wait > 0 {
		return heldBack(wait).end()
	}
	waiting, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	round, ok := m.limiter.acquire(waiting)
	if !ok {
		if ctx.Err() != nil {
			return wordStopped, ctx.Err()
		}
		return noPlace().end()
	}
	found := loadUnknown
	defer func() { m.limiter.release(round, found) }()
	if f := m.mayHave(ctx, c.source); f != nil {
		return f.end()
	}
	done, ok := m.breaker.begin()
	if !ok {
		return heldBack(m.breaker.wait()).end()
	}
	f := m.exchange(ctx, c)
	if f == nil {
		found = loadFine
		done(nil)
		return wordOK, nil
	}
	found = f.load
	if f.health != nil && !errors.Is(f.health, errNeutral) {
		m.blame(f)
	}
	done(f.health)
	if ctx.Err() != nil {
		return wordStopped, ctx.Err()
	}
	if f.pause > 0 {
		m.breaker.pause(f.pause)
	}
	if f.word == wordBusy && f.seen {
		m.breaker.askFirst()
	}
	if f.blame != BlameExtractor && f.health != nil && m.breaker.failing() {
		// So many calls failed that this item is not to blame.
		f.blame, f.seen = BlameExtractor, true
	}
	return f.end()
}

// mayHave checks the consent of a source at the last moment: since the task was
// claimed, it may have been withdrawn.
func (m *AIModule) mayHave(ctx context.Context, source string) *fault {
	if m.cfg.Allowed == nil || source == "" {
		return nil
	}
	allowed, err := m.cfg.Allowed(ctx, source)
	if err == nil && allowed {
		return nil
	}
	return withheld(err)
}

// exchange sends the work and waits for its result, within the time of one piece
// of work.
func (m *AIModule) exchange(ctx context.Context, c aiCall) *fault {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	var job aiclient.Job
	resp, err := c.send(ctx)
	f := m.receive(resp, err, func(body []byte) error {
		if resp.StatusCode == http.StatusAccepted {
			return readJob(body, "", &job)
		}
		return c.take(body, nil)
	})
	if f != nil || resp.StatusCode != http.StatusAccepted {
		return f
	}
	return m.await(ctx, resp, job, func(done aiclient.Job) error { return c.take(nil, &done) })
}

// receive reads an answer to its end and hands the body of a 200 or 202 to use.
// Only few answers are read and taken apart at the same time: they may be large.
func (m *AIModule) receive(resp *http.Response, err error, use func(body []byte) error) *fault {
	if err != nil {
		return transportFault(err)
	}
	defer func() { _ = resp.Body.Close() }()
	m.readers <- struct{}{}
	defer func() { <-m.readers }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAIAnswer+1))
	switch {
	case err != nil:
		return transportFault(err)
	case len(body) > MaxAIAnswer:
		return violation(errTooLarge)
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted:
		if err := use(body); err != nil {
			return violation(err)
		}
		return nil
	}
	after, _ := outbound.RetryAfter(resp.Header, m.clock.Now(), maxPause)
	return statusFault(resp.StatusCode, after, body)
}

// await polls a job until it ends, and hands one that succeeded to use. accepted
// is the answer that named it.
func (m *AIModule) await(ctx context.Context, accepted *http.Response, job aiclient.Job, use func(aiclient.Job) error) *fault {
	id, resp, pause := job.JobID, accepted, pollMin
	used := false
	read := func(body []byte) error {
		if err := readJob(body, id, &job); err != nil || job.Status != aiclient.JobStatusSucceeded {
			return err
		}
		used = true
		return use(job)
	}
	for {
		switch {
		case job.Status == aiclient.JobStatusFailed:
			return jobFault(job.Error)
		case used:
			return nil
		}
		wait, named := outbound.RetryAfter(resp.Header, m.clock.Now(), maxPause)
		if !named {
			wait = pause
			pause = min(pause*3/2, pollMax)
		}
		if err := m.sleep(ctx, max(wait, pollMin)); err != nil {
			return overdue(err)
		}
		next, err := m.client.GetJob(ctx, id)
		f := m.receive(next, err, read)
		if f != nil && f.word != wordBusy { // a busy module goes on with the job
			return pollFault(f, next)
		}
		resp = next
	}
}

// readJob reads the state of the job of this id; empty: any.
func readJob(body []byte, id string, job *aiclient.Job) error {
	*job = aiclient.Job{}
	if err := json.Unmarshal(body, job); err != nil {
		return err
	}
	return checkJob(*job, id)
}
