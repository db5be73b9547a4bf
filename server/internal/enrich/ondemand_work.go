package enrich

import (
	"context"
	"errors"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// work brings an attempt at a request to an end. What cannot be stored is found
// again when the lease has ended.
func (d *OnDemand) work(ctx context.Context, r kgl.ExtractionRequest) {
	if r.LeaseUntil != nil && !d.clock.Now().Before(*r.LeaseUntil) {
		return // another process may have it by now
	}
	var err error
	if r.Attempts > d.cfg.MaxAttempts {
		err = kgl.Errorf(kgl.CodeInternal, "the service stopped during every attempt")
	} else {
		err = d.attempt(ctx, &r)
	}
	if err != nil {
		err = d.fail(ctx, r, err)
	}
	if err != nil && !kgl.Is(err, kgl.CodeLeaseLost) {
		d.log.ErrorContext(ctx, "the end of an extraction on demand could not be stored", "error", err)
	}
}

// attempt extracts and stores the result.
func (d *OnDemand) attempt(ctx context.Context, r *kgl.ExtractionRequest) error {
	if r.ContentID == nil {
		return d.text(ctx, *r)
	}
	c, err := d.store.Content(ctx, *r.ContentID)
	if err != nil {
		return err
	}
	started := d.clock.Now()
	x, err := safely(ctx, d.log, d.extractor, c, d.cfg.ExtractTimeout)
	if err != nil {
		return err
	}
	// It ends the request in its transaction.
	_, err = d.recorder.Record(ctx, Result{Lane: d.extractor.Name(), Content: c, Extraction: x, Actor: r.Owner, StartedAt: started})
	return err
}

// text extracts from a text. What is kept is the result, and not the text.
func (d *OnDemand) text(ctx context.Context, r kgl.ExtractionRequest) error {
	x, err := safely(ctx, d.log, d.extractor, kgl.Content{ID: r.ID, Revision: 1, ContentBody: kgl.ContentBody{Text: r.Text, Language: r.Language}}, d.cfg.ExtractTimeout)
	if err != nil {
		return err
	}
	if r.Result, err = EncodeExtraction(d.recorder.withDerived(x, r.Text)); err != nil {
		return err
	}
	return d.finish(ctx, r, kgl.RequestSucceeded, "")
}

// finish ends a request.
func (d *OnDemand) finish(ctx context.Context, r kgl.ExtractionRequest, status kgl.RequestStatus, failure string) error {
	now := d.clock.Now()
	r.Status, r.Failure, r.Text, r.LeaseUntil = status, failure, "", nil
	r.FinishedAt, r.ExpiresAt = &now, now.Add(resultKept)
	return d.store.FinishExtractionRequest(ctx, r)
}

// fail stores a failed attempt: the request waits for the next one or, when that
// would not help, fails. When the process stops it goes back as it is.
func (d *OnDemand) fail(ctx context.Context, r kgl.ExtractionRequest, cause error) error {
	stopping := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	switch {
	case stopping:
		return d.back(ctx, r, 0)
	case r.Attempts >= d.cfg.MaxAttempts || !passing(cause):
		d.log.WarnContext(ctx, "extraction on demand failed", "error", cause)
		return d.finish(ctx, r, kgl.RequestFailed, userText(cause))
	case errors.Is(cause, ErrSuperseded):
		return d.back(ctx, r, 0) // the new revision is read
	}
	return d.back(ctx, r, time.Duration(r.Attempts)*d.cfg.PollInterval)
}

// back gives a request back, to be taken up after a while.
func (d *OnDemand) back(ctx context.Context, r kgl.ExtractionRequest, after time.Duration) error {
	at := d.clock.Now().Add(after)
	r.Status, r.LeaseUntil = kgl.RequestPending, &at
	return d.store.FinishExtractionRequest(ctx, r)
}

// passing reports whether another attempt may go better.
func passing(err error) bool {
	switch kgl.ErrorCode(err) {
	case kgl.CodeInvalid, kgl.CodeNotFound, kgl.CodeConsentDenied:
		return false
	}
	return true
}

// userText returns what the caller is told about a failure.
func userText(err error) string {
	if e, ok := errors.AsType[*kgl.Error](err); ok && e.Code != kgl.CodeInternal {
		return errorText(errors.New(e.Message))
	}
	return "the extraction failed because of an internal fault"
}
