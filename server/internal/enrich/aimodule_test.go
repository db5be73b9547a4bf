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

// TestAIModuleFailures holds each way to fail against what becomes of the task.
func TestAIModuleFailures(t *testing.T) {
	for name, c := range map[string]struct {
		step  aifake.Step
		blame Blame
		text  string
		word  string
	}{
		"busy":                {aifake.Busy(429, 7), BlameExtractor, "too much to do: Too Many Requests, there is", "busy"},
		"not ready":           {aifake.Busy(503, 7), BlameExtractor, "too much to do", "busy"},
		"internal":            {aifake.Status(500, "the model\nfailed"), BlameAttempt, "Internal Server Error, the model failed", "failed"},
		"gateway":             {aifake.Status(502, ""), BlameAttempt, "Bad Gateway", "failed"},
		"bad request":         {aifake.Status(400, "text is missing"), BlameItem, "text is missing", "rejected"},
		"too long":            {aifake.Status(413, "at most 10"), BlameItem, "at most 10", "rejected"},
		"unprocessable":       {aifake.Status(422, "no model for ja"), BlameItem, "no model for ja", "rejected"},
		"wrong token":         {aifake.Status(401, "no"), BlameExtractor, "KGL_AI_TOKEN", "refused"},
		"wrong URL":           {aifake.Status(404, "no"), BlameExtractor, "KGL_AI_URL", "refused"},
		"moved":               {aifake.Redirect("http://127.0.0.1:1/"), BlameExtractor, "KGL_AI_URL", "refused"},
		"no JSON":             {aifake.Raw("<html>"), BlameItem, "breaks the contract", "invalid"},
		"trailing garbage":    {aifake.Raw(`{"entities":[],"relationships":[]} {}`), BlameItem, "breaks the contract", "invalid"},
		"no entities":         {aifake.Raw(`{"relationships":[]}`), BlameItem, "entities: is missing", "invalid"},
		"wrong type":          {aifake.Raw(`{"entities":[{"name":7}],"relationships":[]}`), BlameItem, "breaks the contract", "invalid"},
		"confidence of 2":     {aifake.Raw(`{"entities":[{"name":"A","type":"b","confidence":2,"positions":[]}],"relationships":[]}`), BlameItem, "entities[0].confidence", "invalid"},
		"no confidence":       {aifake.Raw(`{"entities":[{"name":"A","type":"b","positions":[]}],"relationships":[]}`), BlameItem, "entities[0].confidence", "invalid"},
		"taken name":          {aifake.Raw(`{"entities":[],"relationships":[],"extractor":{"name":"builtin","version":"1"}}`), BlameItem, "extractor.name", "invalid"},
		"too large":           {aifake.Huge(MaxAIAnswer), BlameItem, "larger than 4 MiB", "invalid"},
		"broken off":          {aifake.Truncate(), BlameAttempt, "could not be read", "failed"},
		"reset":               {aifake.Reset(), BlameAttempt, "could not be read", "failed"},
		"failed job":          {aifake.FailedJob("out of memory", true), BlameAttempt, "out of memory", "failed"},
		"job failed for good": {aifake.FailedJob("no model", false), BlameItem, "no model", "rejected"},
		"nameless job":        {aifake.Raw(`x`), BlameItem, "breaks the contract", "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAIWorld(t, AIConfig{})
			w.Script(aifake.Extract, c.step)
			w.wantFailure(c.blame, c.text)
			w.wantOutcome("extract " + c.word)
		})
	}
}

func TestAIModuleFailuresOfJobs(t *testing.T) {
	for name, c := range map[string]struct {
		poll  aifake.Step
		blame Blame
		text  string
	}{
		"forgotten":     {aifake.Status(404, "no such job"), BlameAttempt, "forgot the job"},
		"failing":       {aifake.Status(500, "oops"), BlameAttempt, "oops"},
		"of another":    {aifake.Raw(`{"job_id":"other","status":"running"}`), BlameItem, "job_id"},
		"without state": {aifake.Raw(`{"job_id":"job-1","status":"lost"}`), BlameItem, "status"},
		"no result":     {aifake.Raw(`{"job_id":"job-1","status":"succeeded"}`), BlameItem, "without the result"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAIWorld(t, AIConfig{})
			w.Script(aifake.Extract, aifake.Job(0, 0))
			w.Script(aifake.GetJob, c.poll)
			w.wantFailure(c.blame, c.text)
		})
	}
}

func TestAIModuleTimesOut(t *testing.T) {
	w := newAIWorld(t, AIConfig{Timeout: 500 * time.Millisecond})
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil { // connects
		t.Fatal(err)
	}
	w.Script(aifake.Extract, aifake.Hang())
	w.wantFailure(BlameAttempt, "did not end in time")
	w.wantOutcome("extract timeout")
}

// A module that is down says nothing about the item, however it is down.
func TestAIModuleDown(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Down()
	f := w.wantFailure(BlameExtractor, "cannot be reached")
	if f.Seen {
		t.Error("nobody has seen the item")
	}
	w.wantOutcome("extract unreachable")
}

// Its Retry-After keeps back all work, for as long as it says.
func TestAIModuleIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Script(aifake.Extract, aifake.Busy(429, 30))
	w.wantFailure(BlameExtractor, "too much to do")
	if got := w.module.Ready(t.Context()); got != 30*time.Second {
		t.Errorf("ready in %v, want 30s", got)
	}
	w.wantFailure(BlameExtractor, "its work waits")
	w.wantOutcome("extract held_back")
	w.clock.Advance(30 * time.Second)
	if got := w.module.Ready(t.Context()); got != 0 {
		t.Errorf("ready in %v, want now", got)
	}
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Error(err)
	}
	if n := len(w.Requests(aifake.Extract)); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// A module that is not ready is asked for its health before it gets more work.
func TestAIModuleIsAskedWhetherItIsReadyAgain(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Script(aifake.Extract, aifake.Busy(503, 30))
	w.wantFailure(BlameExtractor, "too much to do")
	w.clock.Advance(30 * time.Second)
	w.Script(aifake.GetHealth, aifake.Status(503, "still loading"), aifake.Status(503, "still loading"))
	for range 2 {
		if got := w.module.Ready(t.Context()); got != busyPause {
			t.Errorf("ready in %v, want %v", got, busyPause)
		}
		w.clock.Advance(busyPause)
	}
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Error(err)
	}
}

// The breaker opens after failures in a row, asks for the health of the module
// before it lets work through, and waits longer each time that this does not help.
func TestAIModuleBreaker(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Always(aifake.Status(500, "broken"))
	for range tripAfter - 1 {
		w.wantFailure(BlameAttempt, "broken")
	}
	f := w.wantFailure(BlameExtractor, "broken") // so many fail that the item is not to blame
	if !f.Seen {
		t.Error("the module has seen the item")
	}
	if !w.open {
		t.Error("the metrics were not told")
	}
	for _, wait := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
		if got := w.module.Ready(t.Context()); got != wait {
			t.Fatalf("ready in %v, want %v", got, wait)
		}
		w.clock.Advance(wait)
		w.Script(aifake.GetHealth, aifake.Status(503, "still loading"))
		if got := w.module.Ready(t.Context()); got <= 0 {
			t.Fatal("ready although its health is bad")
		}
	}
	w.clock.Advance(time.Minute)
	if got := w.module.Ready(t.Context()); got != 0 || w.open {
		t.Fatalf("ready in %v although it is well again", got)
	}
	w.wantFailure(BlameExtractor, "broken") // no call succeeded since: one failure is enough
	if got := w.module.Ready(t.Context()); got != time.Minute {
		t.Errorf("ready in %v, want %v", got, time.Minute)
	}
	w.clock.Advance(time.Minute)
	w.Always(nil)
	if _, err := w.module.Extract(t.Context(), aiContent(sentence)); err != nil {
		t.Error(err)
	}
}

// Rejected texts say that the module is alive.
func TestAIModuleBreakerIgnoresWhatIsTheItemsFault(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Always(aifake.Status(422, "no"))
	for range 3 * tripAfter {
		w.wantFailure(BlameItem, "no")
	}
}

// A URL that leads to something else must not empty the queue into the dead letters.
func TestAIModuleBreakerOpensOnAnswersOfSomethingElse(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	w.Always(aifake.Raw("<html>It works!</html>"))
	for range tripAfter - 1 {
		w.wantFailure(BlameItem, "breaks the contract")
	}
	w.wantFailure(BlameExtractor, "breaks the contract")
	w.wantFailure(BlameExtractor, "its work waits")
}

func TestAIModuleStops(t *testing.T) {
	w := newAIWorld(t, AIConfig{})
	began := make(chan struct{})
	w.Script(aifake.Extract, aifake.Then(func() { close(began) }, aifake.Hang()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := w.module.Extract(ctx, aiContent(sentence))
		done <- err
	}()
	<-began
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	w.wantOutcome("extract stopped")
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
