package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"time"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

// region work

// errLost says that the task is not ours any more: its lease ended, its item was
// edited or removed, or its source does not allow it any more. Whoever it is
// given to next does it again.
var errLost = errors.New("the lease is lost")

// work does one task, and brings it to an end whatever happens.
func (w *worker) work(ctx context.Context, task client.WorkItem) {
	// The end of a task is told even when the program has been asked to stop.
	tell, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.think+30*time.Second)
	defer cancel()

	found, err := w.thinkAbout(ctx, task)
	switch {
	case ctx.Err() != nil:
		err = w.release(tell, task)
	case errors.Is(err, errLost):
	case err != nil:
		err = w.fail(tell, task, err, true)
	default:
		err = w.complete(tell, task, found)
	}
	if err != nil {
		log.Printf("%s: %v", task.ID, err) // the lease ends by itself
	}
}

// thinkAbout asks the model, and extends the lease until it has answered.
func (w *worker) thinkAbout(ctx context.Context, task client.WorkItem) (client.WorkCompletion, error) {
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(w.lease / 3):
			}
			res, err := w.kgl.ExtendWorkWithResponse(ctx, task.ID, client.WorkExtend{
				LeaseToken: task.LeaseToken, LeaseSeconds: int(w.lease / time.Second),
			})
			if err == nil && (res.StatusCode() == http.StatusConflict || res.StatusCode() == http.StatusNotFound) {
				lost(errLost)
			}
		}
	}()
	found, err := extract(ctx, task, w.think)
	if cause := context.Cause(ctx); cause != nil {
		return found, cause
	}
	return found, err
}

// complete hands a result in. Sent twice it counts once, so it is sent again
// when no answer came (see examples.Retrying).
func (w *worker) complete(ctx context.Context, task client.WorkItem, found client.WorkCompletion) error {
	res, err := w.kgl.CompleteWorkWithResponse(ctx, task.ID, found)
	if err != nil {
		return err
	}
	switch res.StatusCode() {
	case http.StatusOK:
		log.Printf("%s: run %s, %d entities in %q", task.ID, res.JSON200.ID, res.JSON200.EntityCount, task.Content.Title)
		return nil
	case http.StatusConflict, http.StatusNotFound:
		return errLost
	case http.StatusUnprocessableEntity:
		// Our fault: the fields are named in the answer. No other attempt of this
		// version would do better.
		return w.fail(ctx, task, examples.Failed("result", res.StatusCode(), res.Body), false)
	}
	return examples.Failed("complete", res.StatusCode(), res.Body)
}

// fail says why an attempt gave nothing.
func (w *worker) fail(ctx context.Context, task client.WorkItem, why error, again bool) error {
	reason := []rune(why.Error())
	res, err := w.kgl.FailWorkWithResponse(ctx, task.ID, client.WorkFailure{
		LeaseToken: task.LeaseToken, Reason: string(reason[:min(len(reason), 500)]), Retriable: again,
	})
	if err == nil && res.StatusCode() != http.StatusOK {
		err = examples.Failed("fail", res.StatusCode(), res.Body)
	}
	return err
}

// release gives a task back untried, for another worker to take at once.
func (w *worker) release(ctx context.Context, task client.WorkItem) error {
	res, err := w.kgl.ReleaseWorkWithResponse(ctx, task.ID, client.WorkRelease{LeaseToken: task.LeaseToken})
	if err == nil && res.StatusCode() != http.StatusOK {
		err = examples.Failed("release", res.StatusCode(), res.Body)
	}
	return err
}

// endregion work
