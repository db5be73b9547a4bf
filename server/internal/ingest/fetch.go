package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// AcceptFeeds is the Accept header of requests for feeds. It prefers feeds over
// the web pages that some servers keep at the same URL.
const AcceptFeeds = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"

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
	heard  heard
	ahead  announcement

	isLast   bool // of the worker's turn with the host
	released bool // the host, with what was stored
}

// heard is what an answer says beside the items of its document.
type heard struct {
	fresh      time.Duration // how long the answer stays fresh
	isFresh    bool          // the server says so
	retryAfter time.Duration // how long it asks to wait after a failure; 0: it does not
	throttled  bool          // it asks for patience
	gone       bool          // it answered 410

	redirects int
	finalURL  string // after redirects; empty without any
	moved     string // finalURL, when all redirects to it were permanent

	title     string // of the document
	movedTo   string // the URL at which the document says that the feed lives
	published []time.Time
	ttl       time.Duration
	skipHours []int
	skipDays  []time.Weekday
}

func (w *Worker) newAttempt(src kgl.Source) *attempt {
	src = reread(src, w.clock.Now())
	return &attempt{source: src, result: kgl.FetchResult{
		FetchedURL: src.URL, ETag: src.ETag, LastModified: src.LastModified, BodyHash: src.BodyHash, State: src.State,
		Fetch: kgl.Fetch{
			ID: w.ids.NewID(), SourceID: src.ID, StartedAt: w.clock.Now(), Warnings: []kgl.Warning{},
			Details: kgl.FetchDetails{Trigger: triggerOf(src)},
		},
	}}
}

// attempt requests the source's document, reads it and stores what it means.
// What goes wrong with the source becomes part of what is stored; an error is
// one of storing, or ctx's.
//
// At most ParseBudget bytes of documents are read and stored at once in the
// whole process: a parsed feed takes many times its size.
func (w *Worker) attempt(ctx context.Context, lease kgl.HostLease, a *attempt) (stored, error) {
	resp, err := w.request(ctx, a)
	if err == nil && resp != nil {
		weight := min(w.weight(resp.Body), w.cfg.ParseBudget)
		if err := w.budget.Acquire(ctx, weight); err != nil {
			return stored{}, err
		}
		defer w.budget.Release(weight)
		err = recovered(func() error { return w.read(ctx, a, resp) })
	}
	if ctx.Err() != nil {
		return stored{}, ctx.Err() // broken off by us: the source is not to blame
	}
	if err != nil {
		w.log.InfoContext(ctx, "fetch failed", "source_id", a.source.ID, "host", a.source.Host,
			"code", kgl.ErrorCode(err), "reason", outbound.ReasonOf(err), "error", err)
		a.fail(err)
	}
	a.result.Fetch.Duration = w.clock.Now().Sub(a.result.Fetch.StartedAt)
	if err == nil {
		if err := w.lookAhead(ctx, a); err != nil {
			return stored{}, err
		}
	}
	return w.write(ctx, lease, a)
}

// weight returns how many bytes a body may have once it is unpacked: one that is
// a gzip file shows it only then.
func (w *Worker) weight(body []byte) int64 {
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return w.cfg.MaxDocument
	}
	return int64(len(body))
}

// request asks for the document, unless the stored one is still current: then
// both results are nil.
func (w *Worker) request(ctx context.Context, a *attempt) (*outbound.Response, error) {
	credentials, err := w.cfg.Vault.OpenCredentials(a.source.ID, a.source.Secrets)
	if err != nil {
		return nil, err
	}
	condition := outbound.Conditional(a.source.ETag, a.source.LastModified)
	resp, err := w.fetcher.Get(ctx, outbound.Request{URL: a.source.URL, Header: condition, Accept: AcceptFeeds, Credentials: credentials})
	if err != nil {
		return nil, err
	}
	f := &a.result.Fetch
	f.HTTPStatus, f.Bytes = int64(resp.Status), int64(len(resp.Body))
	a.hear(resp, w.clock.Now(), w.cfg.Schedule.MaxDelay)
	switch {
	// Other answers of 2xx hold no document, or a part of one.
	case resp.Status == http.StatusOK, resp.Status == http.StatusNonAuthoritativeInfo:
		return resp, nil
	case resp.Status == http.StatusNotModified && len(condition) > 0:
		f.Outcome = kgl.FetchNotModified
		return nil, nil
	case a.heard.gone:
		return nil, kgl.Errorf(kgl.CodeFetchFailed, "the server answered 410: the feed is gone for good")
	case a.heard.throttled:
		return nil, kgl.Errorf(kgl.CodeFetchFailed, "the server answered %d and asks for patience", resp.Status)
	default:
		return nil, kgl.Errorf(kgl.CodeFetchFailed, "the server answered %d", resp.Status)
	}
}

// hear keeps what the headers of an answer say. 503 asks for patience only with
// a time: without one it is what any broken server says.
func (a *attempt) hear(resp *outbound.Response, now time.Time, most time.Duration) {
	h, d := &a.heard, &a.result.Fetch.Details
	h.fresh, h.isFresh = outbound.Freshness(resp.Header, now, most)
	var named bool
	h.retryAfter, named = outbound.RetryAfter(resp.Header, now, most)
	h.throttled = resp.Status == http.StatusTooManyRequests || resp.Status == http.StatusServiceUnavailable && named
	h.gone = resp.Status == http.StatusGone
	if h.redirects = len(resp.Redirects); h.redirects > 0 {
		h.finalURL = resp.FinalURL
		if resp.PermanentURL() == resp.FinalURL {
			h.moved = resp.FinalURL
		}
	}
	d.Redirects, d.FinalURL = int64(h.redirects), h.finalURL
}

// read takes the document in, unless it is byte for byte the stored one. Its
// validators and hash are kept only when all of it could be read: a broken or
// truncated one is asked for again.
func (w *Worker) read(ctx context.Context, a *attempt, resp *outbound.Response) error {
	r := &a.result
	sum := sha256.Sum256(resp.Body)
	hash := hex.EncodeToString(sum[:])
	if hash == a.source.BodyHash {
		r.Fetch.Outcome = kgl.FetchUnchanged
	} else {
		doc, err := feed.ParseDeferred(ctx, resp.Body, feed.Options{
			ContentType: resp.Header.Get("Content-Type"), BaseURL: resp.FinalURL, Now: w.clock.Now(),
			Limits: feed.Limits{MaxBytes: int(w.cfg.MaxDocument)},
		})
		if err != nil {
			return err
		}
		a.take(doc)
		if hasWarning(doc.Warnings, feed.WarnTruncated) {
			r.BodyHash, r.ETag, r.LastModified = "", "", ""
			return nil
		}
	}
	etag, lastModified := outbound.Validators(resp.Header)
	r.BodyHash, r.ETag, r.LastModified = hash, storable(etag), storable(lastModified)
	return nil
}

func hasWarning(list []feed.Warning, code feed.WarningCode) bool {
	return slices.ContainsFunc(list, func(w feed.Warning) bool { return w.Code == code })
}

// storable drops a validator that the database may refuse: headers are bytes,
// columns are text.
func storable(validator string) string {
	if !utf8.ValidString(validator) {
		return ""
	}
	return validator
}

// take keeps what the document says about its feed, and its items.
func (a *attempt) take(doc *feed.Document) {
	r, h := &a.result, &a.heard
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
	r.State.Repaired, r.State.Warnings = doc.Repaired, r.Fetch.Warnings
	a.items = doc.Items
	h.movedTo = doc.Feed.MovedTo
	h.title, h.ttl, h.skipHours, h.skipDays = doc.Feed.Title, doc.Feed.TTL, doc.Feed.SkipHours, doc.Feed.SkipDays
	for i := range doc.Items {
		if doc.Items[i].Repaired {
			r.Fetch.Details.ItemsRepaired++
		}
		if !doc.Items[i].PublishedInferred {
			h.published = append(h.published, doc.Items[i].PublishedAt)
		}
	}
}

// fail turns the attempt into a failed one. Validators stay those of the
// stored document.
func (a *attempt) fail(err error) {
	r := &a.result
	r.Fetch.Outcome = kgl.FetchFailed
	r.Fetch.ErrorCode = string(kgl.ErrorCode(err))
	r.Fetch.Error = userMessage(err)
	r.Document = false
	r.ETag, r.LastModified, r.BodyHash = a.source.ETag, a.source.LastModified, a.source.BodyHash
	a.items = nil
}
