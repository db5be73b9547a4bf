package enrich

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxLastError bounds the text of a failure that is stored with a task, in bytes.
const maxLastError = 500

func hasText(c kgl.Content) bool { return strings.TrimSpace(c.Text) != "" }

// storeResult stores an extraction and the end of its task. It has the same
// effect however often it is repeated.
func (w *Worker) storeResult(ctx context.Context, t kgl.EnrichmentTask, c kgl.Content, x kgl.Extraction, started time.Time) (Outcome, error) {
	outcome := OutcomeProcessed
	var err error
	if hasText(c) {
		_, err = w.recorder.Record(ctx, Result{
			Lane: t.Extractor, Task: &t, Content: c, Extraction: x, Actor: ownerOf(kgl.PrincipalFrom(ctx)), StartedAt: started,
		})
	} else {
		outcome, err = OutcomeSkipped, w.recorder.Skip(ctx, t.Extractor, t, c)
	}
	switch {
	case errors.Is(err, ErrSuperseded):
		return OutcomeSuperseded, w.store.CompleteTask(ctx, t, w.clock.Now())
	case kgl.Is(err, kgl.CodeConsentDenied):
		return OutcomeWithheld, nil // the task was withheld with the consent
	}
	return outcome, err
}

// fail stores a failed attempt: the task waits for the next one or, after the
// last or when no other would do better, is given up.
func (w *Worker) fail(ctx context.Context, t kgl.EnrichmentTask, cause error) (Outcome, error) {
	blame, after := blameOf(cause)
	if t.Attempts < w.cfg.MaxAttempts && blame != BlameItem {
		w.log.WarnContext(ctx, "enrichment attempt failed", "error", cause)
		return OutcomeRetried, w.retry(ctx, t, errorText(cause), cmp.Or(after, backoff(t.Attempts, w.cfg.RetryBase, w.cfg.RetryMax)))
	}
	w.log.ErrorContext(ctx, "enrichment task given up", "error", cause)
	err := endAttempt(ctx, w.store, w.clock, t, kgl.ContentFailed, func(ctx context.Context, tx kgl.Store, now time.Time) error {
		return tx.BuryTask(ctx, t, errorText(cause), now)
	}, failedEvent(w.ids, w.clock, t))
	return OutcomeBuried, err
}

func (w *Worker) retry(ctx context.Context, t kgl.EnrichmentTask, lastError string, delay time.Duration) error {
	return endAttempt(ctx, w.store, w.clock, t, kgl.ContentNew, func(ctx context.Context, tx kgl.Store, now time.Time) error {
		return tx.RetryTask(ctx, t, lastError, now, now.Add(delay))
	})
}

// endAttempt stores an attempt that gave no result. The task of a revision that
// was superseded is completed instead: nobody waits for it.
func endAttempt(ctx context.Context, store kgl.Store, clock kgl.Clock, t kgl.EnrichmentTask, status kgl.ContentStatus,
	end func(context.Context, kgl.Store, time.Time) error, events ...kgl.Event) error {
	err := store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		now := clock.Now()
		if _, err := holdRevision(ctx, tx, t.ContentID, t.Revision, status, now); err != nil {
			return err
		}
		if err := end(ctx, tx, now); err != nil || len(events) == 0 {
			return err
		}
		return tx.AppendEvents(ctx, events)
	})
	if errors.Is(err, ErrSuperseded) {
		return store.CompleteTask(ctx, t, clock.Now())
	}
	return err
}

// failedEvent tells that the work on an item was given up.
func failedEvent(ids kgl.IDSource, clock kgl.Clock, t kgl.EnrichmentTask) kgl.Event {
	return kgl.NewEvent(ids, clock, kgl.EventContentFailed, "content", t.ContentID, map[string]any{
		"revision": t.Revision, "extractor": t.Extractor, "attempts": t.Attempts,
	})
}

// errorText returns the text of a failure in a form that every database takes.
func errorText(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "")
	if len(text) <= maxLastError {
		return text
	}
	cut := maxLastError
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
