package enrich

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/enrich/aifake"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// aiWorld is an AI module, its client, and what the client's metrics were told.
type aiWorld struct {
	*aifake.Fake
	t      testing.TB
	clock  *kgl.FakeClock
	module *AIModule

	mu       sync.Mutex
	outcomes []string
	open     bool
	adjusted AIAdjustments
	slept    []time.Duration
}

func (w *aiWorld) AIWork(operation, outcome string, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outcomes = append(w.outcomes, operation+" "+outcome)
}

func (w *aiWorld) AIBreaker(open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = open
}

func (w *aiWorld) AICalls(int, int) {}

func (w *aiWorld) AIAdjusted(a AIAdjustments) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.adjusted = a
}

// newAIWorld starts an AI module. Waits between polls take no time.
func newAIWorld(t testing.TB, cfg AIConfig) *aiWorld {
	t.Helper()
	w := &aiWorld{Fake: aifake.New(t), t: t, clock: kgl.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	cfg.URL = w.URL()
	w.module = newTestModule(t, w.clock, w, cfg)
	w.module.sleep = func(ctx context.Context, d time.Duration) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.slept = append(w.slept, d)
		return ctx.Err()
	}
	return w
}

func newTestModule(t testing.TB, clock kgl.Clock, metrics AIMetrics, cfg AIConfig) *AIModule {
	t.Helper()
	client, err := outbound.New(outbound.Config{
		UserAgent: "test", Policy: outbound.Policy{TrustedOrigins: []string{cfg.URL}},
		Limits: outbound.Limits{MaxBody: MaxAIAnswer, ConnsPerHost: 200, IdleConns: 200, IdlePerHost: 200, Total: time.Hour, Header: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	m, err := NewAIModule(client, clock, slog.New(slog.DiscardHandler), metrics, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func aiContent(text string) kgl.Content {
	c := kgl.Content{ID: "0198c6f0-0000-7000-8000-000000000003", SourceID: "0198c6f0-0000-7000-8000-000000000002", Revision: 2}
	c.Text, c.Title, c.Language = text, "A title", "en"
	return c
}

// wantFailure wants an extraction to fail so, with a text that holds a part.
func (w *aiWorld) wantFailure(blame Blame, part string) *Failure {
	w.t.Helper()
	_, err := w.module.Extract(w.t.Context(), aiContent(sentence))
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		w.t.Fatalf("error %v is no Failure", err)
	}
	if f.Blame != blame || !strings.Contains(f.Error(), part) {
		w.t.Errorf("blame %d, %q; want blame %d and %q", f.Blame, f, blame, part)
	}
	return f
}

func (w *aiWorld) wantOutcome(want string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.outcomes) == 0 || w.outcomes[len(w.outcomes)-1] != want {
		w.t.Errorf("outcomes %q, want the last one to be %q", w.outcomes, want)
	}
}

func TestAIModuleExtracts(t *testing.T) {
	w := newAIWorld(t, AIConfig{Token: "secret"})
	x, err := w.module.Extract(t.Context(), aiContent(sentence))
	if err != nil {
		t.Fatal(err)
	}
	if x.Extractor != "fake-ner@1.0" || x.Model != "capitals" || x.ConfigHash != "0" {
		t.Errorf("extraction by %q, model %q, configuration %q", x.Extractor, x.Model, x.ConfigHash)
	}
	got := describe(x)
	want := []string{"Polar Press concept 0-11", "Pictura Studios concept 21-36", "0 named_with 1: Polar Press acquired Pictura Studios"}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%q, want\n%q", got, want)
	}
	request := w.Requests(aifake.Extract)[0]
	if got := request.Header.Get("Authorization"); got != "Bearer secret" {
		t.Errorf("Authorization %q", got)
	}
	if got := request.Header.Get("Idempotency-Key"); got != "extract-0198c6f0-0000-7000-8000-000000000003-2" {
		t.Errorf("Idempotency-Key %q", got)
	}
	w.wantOutcome("extract ok")
}

// describe returns an extraction in words: entities with their places,
// relationships with their evidence.
func describe(x kgl.Extraction) []string {
	var out []string
	for _, e := range x.Entities {
		line := e.Name + " " + e.Type
		for _, s := range e.Spans {
			line += fmt.Sprintf(" %d-%d", s.Start, s.End)
		}
		out = append(out, line)
	}
	for _, r := range x.Relationships {
		out = append(out, fmt.Sprintf("%d %s %d: %s", r.From, r.Type, r.To, r.Evidence.Quote))
	}
	return out
}

func TestAIModuleSendsNoTokenThatIsNotSet(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Fatal(err)
	}
	if got := w.Requests(aifake.Extract)[0].Header.Get("Authorization"); got != "" {
		t.Errorf("Authorization %q", got)
	}
}

func TestAIModuleEmbedsAndSummarizes(t *testing.T) {
	for name, steps := range map[string][]aifake.Step{"at once": {aifake.Serve()}, "as a job": {aifake.Job(2, 0)}} {
		t.Run(name, func(t *testing.T) {
			w := newAIWorld(t, AIConfig{})
			w.Script(aifake.Embed, steps...)
			w.Script(aifake.Summarize, steps...)
			v, err := w.module.Embed(t.Context(), []string{"one", "two"})
			if err != nil || len(v.Vectors) != 2 || len(v.Vectors[1]) != 384 || v.Dimensions != 384 || v.Model != "fake-384" {
				t.Errorf("embeddings of %d dimensions, %d vectors: %v", v.Dimensions, len(v.Vectors), err)
			}
			s, err := w.module.Summarize(t.Context(), aiContent("One. Two."), 20)
			if err != nil || s.Summary != "One" || s.Model != "fake" {
				t.Errorf("summary %+v: %v", s, err)
			}
		})
	}
}

func TestAIModuleWaitsForJobs(t *testing.T) {
	for name, c := range map[string]struct {
		step aifake.Step
		want []time.Duration
	}{
		"on its own":      {aifake.Job(3, 0), []time.Duration{time.Second, 1500 * time.Millisecond, 2250 * time.Millisecond, 3375 * time.Millisecond}},
		"as it is told":   {aifake.Job(1, 7), []time.Duration{7 * time.Second, 7 * time.Second}},
		"done at no time": {aifake.Job(0, 0), []time.Duration{time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAIWorld(t, AIConfig{})
			w.Script(aifake.Extract, c.step)
			x, err := w.module.Extract(t.Context(), aiContent(sentence))
			if err != nil || len(x.Entities) != 2 {
				t.Fatalf("%d entities: %v", len(x.Entities), err)
			}
			if !slices.Equal(w.slept, c.want) {
				t.Errorf("waited %v, want %v", w.slept, c.want)
			}
		})
	}
}

func TestAIModulePollsOnWhileTheModuleIsBusy(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Script(aifake.Extract, aifake.Job(0, 0))
	w.Script(aifake.GetJob, aifake.Busy(429, 9), aifake.Busy(503, 0))
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.slept, 9*time.Second) || len(w.slept) != 3 {
		t.Errorf("waited %v", w.slept)
	}
}

func TestAIModuleBoundsTheWaitForAJob(t *testing.T) {
	w := newAIWorld(t, AIConfig{Timeout: 50 * time.Millisecond})
	w.module.sleep = func(ctx context.Context, _ time.Duration) error {
		<-ctx.Done()
		return ctx.Err()
	}
	w.Script(aifake.Extract, aifake.Job(1000, 0))
	w.wantFailure(BlameAttempt, "did not end in time")
	w.wantOutcome("extract timeout")
}

// A consent that was withdrawn after the claim counts: nothing is sent.
func TestAIModuleIsGivenNothingWithoutConsent(t *testing.T) {
	for name, c := range map[string]struct {
		allowed bool
		err     error
		code    kgl.Code
	}{
		"denied":    {false, nil, kgl.CodeConsentDenied},
		"not known": {true, errors.New("no database"), kgl.CodeUnavailable},
		"allowed":   {true, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAIWorld(t, AIConfig{Allowed: func(_ context.Context, source string) (bool, error) {
				return c.allowed && source == aiContent("").SourceID, c.err
			}})
			_, err := w.module.Extract(t.Context(), aiContent(sentence))
			if got := kgl.ErrorCode(err); got != c.code {
				t.Errorf("error %v, want %q", err, c.code)
			}
			if sent := len(w.Requests("")); (sent > 0) != (c.code == "") {
				t.Errorf("%d requests", sent)
			}
		})
	}
}

// A text of nobody is extracted, too.
func TestAIModuleExtractsTextsThatAreNoItems(t *testing.T) {
	w := newAIWorld(t, AIConfig{Allowed: func(context.Context, string) (bool, error) { return false, nil }})
	c := kgl.Content{}
	c.Text = sentence
	if _, err := w.module.Extract(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	request := w.Requests(aifake.Extract)[0]
	if !strings.Contains(string(request.Body), `"source_id":"none"`) || request.Header.Get("Idempotency-Key") != "" {
		t.Errorf("request %s, key %q", request.Body, request.Header.Get("Idempotency-Key"))
	}
}

// The module is asked for at most so much at once.
func TestAIModuleBoundsItsCalls(t *testing.T) {
	w := newAIWorld(t, AIConfig{Concurrency: 3})
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := w.Peak(); got > 3 {
		t.Errorf("%d calls at once, want at most 3", got)
	}
}

func TestAIModuleRefusesABadURL(t *testing.T) {
	if _, err := NewAIModule(http.DefaultClient, kgl.NewFakeClock(time.Time{}), slog.New(slog.DiscardHandler), nil, AIConfig{URL: "http://[::1"}); err == nil {
		t.Error("no error")
	}
}

// doerFunc answers without a network.
type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzAIAnswer: whatever the module answers, what comes of it can be stored or is
// an error, and nothing panics.
func FuzzAIAnswer(f *testing.F) {
	f.Add(`{"entities":[{"name":"Ünï","type":"Org-A","confidence":0.5,"positions":[{"start":0,"end":3},{"start":99,"end":1}],"aliases":["x"]}],"relationships":[{"from":"x","to":"Y","type":"t"}]}`, "Ünï 😀 x and Y")
	f.Add(`{"entities":[{"name":"a","type":"b","confidence":1,"positions":[]},{"name":"c","type":"b","confidence":1,"positions":[{"start":5,"end":6,"quote":"c"}]}],"relationships":[{"from":"a","to":"c","type":"t","evidence":{"start":0,"end":9}}]}`, "a 😀😀 c a c")
	f.Fuzz(func(t *testing.T, answer, text string) {
		text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
		m, err := NewAIModule(doerFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer))}, nil
		}), kgl.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), slog.New(slog.DiscardHandler), nil, AIConfig{URL: "http://ai.example"})
		if err != nil {
			t.Fatal(err)
		}
		x, err := m.Extract(t.Context(), aiContent(text))
		if err != nil {
			if _, ok := errors.AsType[*Failure](err); !ok {
				t.Fatalf("error %v is no Failure", err)
			}
			return
		}
		if err := Check(x, text); err != nil {
			t.Fatalf("what was found cannot be stored: %v", err)
		}
	})
}
