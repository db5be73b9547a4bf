package aifake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/peermesh/kgl-backend/gen/aiserver"
	"github.com/peermesh/kgl-backend/openapi"
)

// The operations of openapi/ai.yaml.
const (
	Extract   = "extract"
	Embed     = "embed"
	Summarize = "summarize"
	GetJob    = "getJob"
	GetHealth = "getHealth"
)

// Request is a request that the module got.
type Request struct {
	Operation string
	Header    http.Header
	Body      []byte
}

// Fake is an AI module at a URL. It is safe for concurrent use.
type Fake struct {
	t      testing.TB
	router routers.Router
	stub   http.Handler
	work   *work

	mu       sync.Mutex
	address  string
	server   *httptest.Server // nil while the module is down
	scripts  map[string][]Step
	always   Step
	health   Step
	latency  func() time.Duration
	requests []Request
	busy     int
	peak     int
	gone     chan struct{} // closed when the test ends: nobody hangs for ever
}

// New starts a module that answers at once. It stops when the test ends.
func New(t testing.TB) *Fake {
	t.Helper()
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(openapi.AIYAML)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	f := &Fake{t: t, router: router, work: newWork(), address: "127.0.0.1:0", scripts: map[string][]Step{}, latency: func() time.Duration { return 0 }, gone: make(chan struct{})}
	f.stub = aiserver.Handler(aiserver.NewStrictHandler(f.work, nil))
	f.Up()
	t.Cleanup(func() {
		close(f.gone)
		f.Down()
	})
	return f
}

// URL returns where the module is, or will be when it is up again.
func (f *Fake) URL() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return "http://" + f.address
}

// Down ends the process of the module, as it were: connections break, and new
// ones are refused until Up.
func (f *Fake) Down() {
	f.mu.Lock()
	server := f.server
	f.server = nil
	f.mu.Unlock()
	if server != nil {
		_ = server.Listener.Close()
		server.CloseClientConnections()
		server.Close()
	}
}

// Up starts the module at the address that it had.
func (f *Fake) Up() {
	f.mu.Lock()
	defer f.mu.Unlock()
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		f.t.Errorf("the fake AI module cannot listen at %s: %v", f.address, err)
		return
	}
	f.address = listener.Addr().String()
	f.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(f.serve)}}
	f.server.Start()
}

// Script says what becomes of the next requests of an operation, one step each.
// Once it is through, the operation is served as usual.
func (f *Fake) Script(operation string, steps ...Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts[operation] = append(f.scripts[operation], steps...)
}

// Always takes a step with every request that no script is about, health
// excepted; nil ends that.
func (f *Fake) Always(step Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = step
}

// Health takes a step with every question about the module's health that no
// script is about; nil ends that.
func (f *Fake) Health(step Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.health = step
}

// Latency makes every piece of work take as long as fn says, which is called by
// several goroutines.
func (f *Fake) Latency(fn func() time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = fn
}

// Requests returns what the module was asked, in order; of one operation, or of
// all when that is empty.
func (f *Fake) Requests(operation string) []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []Request{}
	for _, r := range f.requests {
		if operation == "" || r.Operation == operation {
			found = append(found, r)
		}
	}
	return found
}

// Peak returns how many pieces of work were under way at once, at most.
func (f *Fake) Peak() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peak
}

// serve validates and notes a request, and takes the step that is its turn.
func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	input, err := f.validate(r, body)
	if err != nil {
		f.t.Errorf("%s %s breaks the contract: %v", r.Method, r.URL.Path, err)
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	step := f.begin(Request{Operation: input.Route.Operation.OperationID, Header: r.Header.Clone(), Body: body})
	if input.Route.Operation.RequestBody != nil {
		defer f.end()
	}
	step(&turn{fake: f, w: w, r: r, input: input})
}

func (f *Fake) validate(r *http.Request, body []byte) (*openapi3filter.RequestValidationInput, error) {
	route, params, err := f.router.FindRoute(r)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
		return nil, err
	}
	return input, checkEmbed(route.Operation.OperationID, body)
}

// begin notes a request and returns the step that is its turn.
func (f *Fake) begin(request Request) Step {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, request)
	if request.Operation != GetJob && request.Operation != GetHealth {
		f.busy++
		f.peak = max(f.peak, f.busy)
	}
	if steps := f.scripts[request.Operation]; len(steps) > 0 {
		f.scripts[request.Operation] = steps[1:]
		return steps[0]
	}
	step := f.always
	if request.Operation == GetHealth {
		step = f.health
	}
	if step == nil {
		step = Serve()
	}
	return step
}

func (f *Fake) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
}

// turn is one request that is being served.
type turn struct {
	fake  *Fake
	w     http.ResponseWriter
	r     *http.Request
	input *openapi3filter.RequestValidationInput
}

// serve lets the stub answer after the latency, and holds the answer to the
// contract.
func (s *turn) serve(ctx context.Context) {
	if s.input.Route.Operation.RequestBody != nil {
		s.fake.mu.Lock()
		latency := s.fake.latency
		s.fake.mu.Unlock()
		if !s.pause(latency()) {
			return
		}
	}
	answer := httptest.NewRecorder()
	s.fake.stub.ServeHTTP(answer, s.r.WithContext(ctx))
	result := answer.Result()
	err := openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: s.input, Status: result.StatusCode, Header: result.Header,
		Body:    io.NopCloser(bytes.NewReader(answer.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		s.fake.t.Errorf("the fake's answer to %s breaks the contract: %v\n%s", s.input.Route.Operation.OperationID, err, answer.Body)
	}
	s.write(result.StatusCode, result.Header, answer.Body.Bytes())
}

// write sends an answer as it is.
func (s *turn) write(status int, header http.Header, body []byte) {
	for name, values := range header {
		s.w.Header()[name] = values
	}
	s.w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	s.w.WriteHeader(status)
	_, _ = s.w.Write(body) // the client may be gone
}

// pause waits and reports whether there is still somebody to answer.
func (s *turn) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.r.Context().Done():
	case <-s.fake.gone:
	}
	return false
}
