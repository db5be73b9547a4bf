package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// acceptFeeds prefers feeds over the web pages that some servers keep at the
// same URL.
const acceptFeeds = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"

// Fetcher makes the outgoing request. An *outbound.Client is one.
type Fetcher interface {
	Get(ctx context.Context, r outbound.Request) (*outbound.Response, error)
}

// attempt is one fetch of one source, from the request to what is to be
// stored.
type attempt struct {
	source kgl.Source
	result kgl.FetchResult
	items  []feed.Item

	asked      time.Duration // how long the server or the feed asks to wait after a success
	retryAfter time.Duration // how long it asks to wait after a failure
	hostPause  time.Duration // how long the whole host is left alone
}

// fetch requests the source's document and reads it. What goes wrong is part
// of the attempt; an error means that the attempt does not count, because the
// worker is stopping.
func (w *Worker) fetch(ctx context.Context, src kgl.Source) (*attempt, error) {
	a := &attempt{source: src, result: kgl.FetchResult{
		ETag: src.ETag, LastModified: src.LastModified, BodyHash: src.BodyHash,
		Fetch: kgl.Fetch{ID: w.ids.NewID(), SourceID: src.ID, StartedAt: w.clock.Now(), Warnings: []kgl.Warning{}},
	}}
	err := w.request(ctx, a)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		w.log.InfoContext(ctx, "fetch failed", "source_id", src.ID, "host", src.Host, "code", kgl.ErrorCode(err), "reason", outbound.ReasonOf(err), "error", err)
		a.fail(err)
	}
	a.result.Fetch.Duration = w.clock.Now().Sub(a.result.Fetch.StartedAt)
	w.plan(a)
	return a, nil
}

func (w *Worker) request(ctx context.Context, a *attempt) error {
	resp, err := w.fetcher.Get(ctx, outbound.Request{
		URL: a.source.URL, Header: outbound.Conditional(a.source.ETag, a.source.LastModified), Accept: acceptFeeds,
	})
	if err != nil {
		return err
	}
	now := w.clock.Now()
	f := &a.result.Fetch
	f.HTTPStatus, f.Bytes = int64(resp.Status), int64(len(resp.Body))
	a.asked, _ = outbound.Freshness(resp.Header, now, w.schedule.MaxDelay)
	a.retryAfter, _ = outbound.RetryAfter(resp.Header, now, w.schedule.MaxDelay)
	switch {
	case resp.Status == http.StatusNotModified:
		f.Outcome = kgl.FetchNotModified
		return nil
	case resp.Status == http.StatusGone:
		a.result.Status = kgl.SourceGone
		return kgl.Errorf(kgl.CodeFetchFailed, "the server answered 410: the feed is gone for good")
	case resp.Status == http.StatusTooManyRequests, resp.Status == http.StatusServiceUnavailable:
		a.hostPause = max(a.retryAfter, w.schedule.RetryFirst)
		return kgl.Errorf(kgl.CodeFetchFailed, "the server answered %d and asks for patience", resp.Status)
	case resp.Status < 200 || resp.Status > 299:
		return kgl.Errorf(kgl.CodeFetchFailed, "the server answered %d", resp.Status)
	}
	return w.read(ctx, a, resp)
}

// read takes the document in, unless it is byte for byte the stored one. The
// validators are kept only when the document could be read: a broken one is
// asked for again.
func (w *Worker) read(ctx context.Context, a *attempt, resp *outbound.Response) error {
	sum := sha256.Sum256(resp.Body)
	hash := hex.EncodeToString(sum[:])
	if hash == a.source.BodyHash {
		a.result.Fetch.Outcome = kgl.FetchUnchanged
	} else {
		doc, err := w.parse(ctx, resp)
		if err != nil {
			return err
		}
		a.take(doc)
	}
	a.result.BodyHash = hash
	a.result.ETag, a.result.LastModified = outbound.Validators(resp.Header)
	return nil
}

// parse reads a document while at most ParseBudget bytes of documents are in
// work in the whole process: a parsed feed takes many times its size.
func (w *Worker) parse(ctx context.Context, resp *outbound.Response) (doc *feed.Document, err error) {
	weight := min(int64(len(resp.Body)), w.parseBudget)
	if err := w.parsing.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	defer w.parsing.Release(weight)
	defer func() {
		if p := recover(); p != nil {
			err = kgl.Wrap(fmt.Errorf("panic: %v", p), kgl.CodeFeedInvalid, "the document could not be read")
		}
	}()
	return feed.Parse(ctx, resp.Body, feed.Options{
		ContentType: resp.Header.Get("Content-Type"), BaseURL: resp.FinalURL, Now: w.clock.Now(),
	})
}

// take keeps what the document says about its feed, and its items.
func (a *attempt) take(doc *feed.Document) {
	r := &a.result
	r.Document = true
	r.Title = firstRunes(doc.Feed.Title, maxTitleRunes)
	r.Description = doc.Feed.Description
	r.SiteURL = doc.Feed.Link
	r.Format = string(doc.Feed.Format)
	r.Language = doc.Feed.Language
	r.Fetch.ItemsSeen = int64(len(doc.Items) + doc.Skipped)
	r.Fetch.ItemsFailed = int64(doc.Skipped)
	for _, warning := range doc.Warnings {
		r.Fetch.Warnings = append(r.Fetch.Warnings, kgl.Warning{Code: string(warning.Code), Message: warning.Message})
	}
	a.items = doc.Items
	a.asked = max(a.asked, doc.Feed.TTL)
}

// fail turns the attempt into a failed one. Validators stay those of the
// stored document.
func (a *attempt) fail(err error) {
	f := &a.result.Fetch
	f.Outcome = kgl.FetchFailed
	f.ErrorCode = string(kgl.ErrorCode(err))
	f.Error = userMessage(err)
	a.items = nil
	a.result.Document = false
	a.result.ETag, a.result.LastModified, a.result.BodyHash = a.source.ETag, a.source.LastModified, a.source.BodyHash
}

// plan decides the source's next state and when it is fetched again.
func (w *Worker) plan(a *attempt) {
	r := &a.result
	if r.Fetch.Outcome != kgl.FetchFailed {
		r.Status, r.ConsecutiveFailures = kgl.SourceActive, 0
		next := w.clock.Now().Add(w.schedule.AfterSuccess(a.source.FetchInterval, a.asked))
		r.NextFetchAt = &next
		return
	}
	r.ConsecutiveFailures = a.source.ConsecutiveFailures + 1
	if r.Status == kgl.SourceGone {
		r.NextFetchAt = nil
		return
	}
	r.Status = kgl.SourceFailing
	next := w.clock.Now().Add(w.schedule.AfterFailure(r.ConsecutiveFailures, a.retryAfter))
	r.NextFetchAt = &next
}
