package enrich

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/peermesh/kgl-backend/gen/aiclient"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Defaults of AIConfig.
const (
	DefaultAITimeout     = 2 * time.Minute
	DefaultAIConcurrency = 100
)

// MaxAIAnswer is the size of the largest answer of the AI module that is read,
// in bytes.
const MaxAIAnswer = 4 << 20

// noSource is the source of a text that is no item.
const noSource = "none"

const (
	// probeTimeout bounds the question whether the module is alive.
	probeTimeout = 5 * time.Second
	// readers is how many answers are read and taken apart at once: an answer in
	// pieces takes several times the memory of its bytes.
	readers = 8
)

// AIConfig says how the AI module is called. A zero value takes its default.
type AIConfig struct {
	URL         string        // of the module, without the paths of openapi/ai.yaml
	Token       string        // sent as a bearer token; empty: none
	Timeout     time.Duration // for one piece of work, its job included
	Concurrency int           // calls under way at once, at most

	// Allowed reports whether the items of a source may be handed to the module.
	// It is asked just before one is; nil: all may.
	Allowed func(ctx context.Context, sourceID string) (bool, error)
}

// AIMetrics is told of the calls of the AI module, from several goroutines.
type AIMetrics interface {
	// AIWork counts one piece of work: an operation of openapi/ai.yaml, and how
	// it ended: ok, or why not in a word.
	AIWork(operation, outcome string, took time.Duration)
	// AIBreaker says that calls are kept back, or not any more.
	AIBreaker(open bool)
	// AICalls says how many calls are under way and how many may be.
	AICalls(busy, limit int)
	// AIAdjusted counts parts of answers that were mended or left out.
	AIAdjusted(adjusted AIAdjustments)
}

// AIModule is the extractor of an AI module that implements openapi/ai.yaml. It
// is also the client of that contract's other operations.
//
// At most AIConfig.Concurrency calls are under way at once, fewer when the module
// says that it has too much to do. When the module does not answer, a breaker
// keeps calls back, and Ready says for how long.
type AIModule struct {
	client  *aiclient.Client
	clock   kgl.Clock
	log     *slog.Logger
	metrics AIMetrics
	cfg     AIConfig
	breaker *breaker
	limiter *limiter
	readers chan struct{}
	cause   atomic.Pointer[string] // of the last failure of the module, for the log
	sleep   func(context.Context, time.Duration) error
}

// NewAIModule returns the extractor that calls the module through doer, which
// bounds the answers in size (MaxAIAnswer) and the connections in number, and
// follows no redirects. metrics may be nil. The error is about cfg.URL.
func NewAIModule(doer aiclient.HttpRequestDoer, clock kgl.Clock, log *slog.Logger, metrics AIMetrics, cfg AIConfig) (*AIModule, error) {
	defaultTo(&cfg.Timeout, DefaultAITimeout)
	defaultTo(&cfg.Concurrency, DefaultAIConcurrency)
	if metrics == nil {
		metrics = noAIMetrics{}
	}
	if at, err := url.Parse(cfg.URL); err != nil || at.Host == "" {
		return nil, errors.New("the URL of the AI module cannot be used")
	}
	m := &AIModule{clock: clock, log: log, metrics: metrics, cfg: cfg, readers: make(chan struct{}, readers), sleep: sleep}
	options := []aiclient.ClientOption{aiclient.WithHTTPClient(doer)}
	if cfg.Token != "" {
		options = append(options, aiclient.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+cfg.Token)
			return nil
		}))
	}
	var err error
	if m.client, err = aiclient.NewClient(strings.TrimRight(cfg.URL, "/"), options...); err != nil {
		return nil, fmt.Errorf("the URL of the AI module: %w", err)
	}
	m.limiter = newLimiter(cfg.Concurrency, metrics.AICalls)
	m.breaker = newBreaker(clock, func(open bool) {
		metrics.AIBreaker(open)
		if open {
			m.limiter.restart()
			log.Warn("the AI module fails, its work waits", "error", deref(m.cause.Load()))
		} else {
			log.Info("the AI module answers again")
		}
	})
	return m, nil
}

// Name implements Extractor: the lane of the AI module. Results carry the name
// and version that the module gives itself.
func (m *AIModule) Name() string { return kgl.LaneAI }

// Ready implements Pacer. After an outage it asks the module for its health: any
// answer below 500 will do, and 501 of a module that knows no such question.
func (m *AIModule) Ready(ctx context.Context) time.Duration {
	return m.breaker.probe(func() error {
		err := m.askHealth(ctx)
		m.blame(err)
		return err
	})
}

func (m *AIModule) askHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	resp, err := m.client.GetHealth(ctx)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusNotImplemented {
		return fmt.Errorf("its health has status %d", resp.StatusCode)
	}
	return nil
}

// blame keeps what is wrong with the module, as far as it is to blame.
func (m *AIModule) blame(err error) {
	if err != nil && !errors.Is(err, errNeutral) {
		text := err.Error()
		m.cause.Store(&text)
	}
}

// Extract implements Extractor. Its errors are of type *Failure, but for that of
// a ctx that ended.
func (m *AIModule) Extract(ctx context.Context, c kgl.Content) (kgl.Extraction, error) {
	request := aiclient.ExtractRequest{
		Text: c.Text, SourceID: cmp.Or(c.SourceID, noSource),
		ContentID: optional(c.ID), Revision: optional(c.Revision), Title: optional(clip(c.Title, 10_000)), Language: optional(clip(c.Language, 35)),
	}
	var x kgl.Extraction
	err := m.run(ctx, "extract", aiCall{
		source: c.SourceID,
		send: func(ctx context.Context) (*http.Response, error) {
			return m.client.Extract(ctx, &aiclient.ExtractParams{IdempotencyKey: workKey("extract", c.ID, c.Revision)}, request)
		},
		take: answer(func(job aiclient.Job) *aiclient.Extraction { return job.Extraction }, func(a aiclient.Extraction) error {
			found, adjusted, err := readExtraction(a, c.Text)
			if err != nil {
				return err
			}
			m.metrics.AIAdjusted(adjusted)
			if adjusted.any() {
				m.log.InfoContext(ctx, "the answer of the AI module was adjusted", "extractor", found.Extractor, "adjusted", adjusted)
			}
			x = found
			return nil
		}),
	})
	return x, err
}

// Embed returns one vector for each text, and the model that made them. Whether
// the texts may be handed out is for the caller to know. Errors are those of
// Extract.
func (m *AIModule) Embed(ctx context.Context, texts []string) (aiclient.Embeddings, error) {
	var found aiclient.Embeddings
	err := m.run(ctx, "embed", aiCall{
		send: func(ctx context.Context) (*http.Response, error) {
			return m.client.Embed(ctx, nil, aiclient.EmbedRequest{Texts: &texts})
		},
		take: answer(func(job aiclient.Job) *aiclient.Embeddings { return job.Embeddings }, func(a aiclient.Embeddings) error {
			found = a
			return checkEmbeddings(a, len(texts))
		}),
	})
	return found, err
}

// Summarize returns a summary of an item of at most maxWords words, as far as
// the module heeds that; 0: of the module's choice. Errors are those of Extract.
func (m *AIModule) Summarize(ctx context.Context, c kgl.Content, maxWords int) (aiclient.Summary, error) {
	request := aiclient.SummarizeRequest{
		Text: c.Text, SourceID: optional(c.SourceID), ContentID: optional(c.ID), Revision: optional(c.Revision),
		Title: optional(clip(c.Title, 10_000)), Language: optional(clip(c.Language, 35)), MaxWords: optional(maxWords),
	}
	var found aiclient.Summary
	err := m.run(ctx, "summarize", aiCall{
		source: c.SourceID,
		send: func(ctx context.Context) (*http.Response, error) {
			return m.client.Summarize(ctx, &aiclient.SummarizeParams{IdempotencyKey: workKey("summarize", c.ID, c.Revision)}, request)
		},
		take: answer(func(job aiclient.Job) *aiclient.Summary { return job.Summary }, func(a aiclient.Summary) error {
			found = a
			return checkSummary(a)
		}),
	})
	return found, err
}

// workKey names a piece of work, the same at every attempt; nil for a text that
// is no item.
func workKey(operation, contentID string, revision int64) *string {
	if contentID == "" {
		return nil
	}
	key := fmt.Sprintf("%s-%s-%d", operation, contentID, revision)
	return &key
}

// optional returns a pointer to a value, nil for the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// clip returns the first n code points of a text.
func clip(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// noAIMetrics counts nothing.
type noAIMetrics struct{}

func (noAIMetrics) AIWork(string, string, time.Duration) {}
func (noAIMetrics) AIBreaker(bool)                       {}
func (noAIMetrics) AICalls(int, int)                     {}
func (noAIMetrics) AIAdjusted(AIAdjustments)             {}
