package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
)

// farm is many hosts of feeds behind one port: each loopback address is one. It
// counts requests, and sees when a host is asked twice at once.
type farm struct {
	hosts, each int
	delay       time.Duration // of an answer
	server      *httptest.Server
	port        string

	mu       sync.Mutex
	requests map[string]int // by URL without its scheme
	busy     map[string]int // by host
	together int            // requests to a host that answered another one
}

func newFarm(t *testing.T, hosts, each int, delay time.Duration) *farm {
	t.Helper()
	f := &farm{hosts: hosts, each: each, delay: delay, requests: map[string]int{}, busy: map[string]int{}}
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	_, f.port, _ = net.SplitHostPort(listener.Addr().String())
	f.server = httptest.NewUnstartedServer(f)
	_ = f.server.Listener.Close()
	f.server.Listener = listener
	f.server.Start()
	t.Cleanup(f.server.Close)
	return f
}

// ServeHTTP implements http.Handler.
func (f *farm) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	f.requests[req.Host+req.URL.Path]++
	if f.busy[req.Host]++; f.busy[req.Host] > 1 {
		f.together++
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.busy[req.Host]--
		f.mu.Unlock()
	}()
	time.Sleep(f.delay)
	name := req.Host + req.URL.Path
	w.Header().Set("Content-Type", "application/rss+xml")
	_, _ = w.Write([]byte(rssFeed("Feed "+name, item{
		guid: name, link: "https://blog.example.org/" + name, title: "Item of " + name, published: time.Unix(1_750_000_000, 0),
		text: "Lagos Arts Council gives grants to " + name + ", says Amina Bello, and enough other words of " + name + " to be a text of its own.",
	})))
}

// urls returns the URL of every feed.
func (f *farm) urls() []feed.Subscription {
	list := make([]feed.Subscription, 0, f.hosts*f.each)
	for n := range f.each {
		for h := range f.hosts {
			list = append(list, feed.Subscription{FeedURL: fmt.Sprintf("http://127.%d.%d.%d:%s/%d.xml", 1+h>>16, h>>8&255, h&255, f.port, n)})
		}
	}
	return list
}

// fetched returns how many feeds were asked for, and how many requests that
// took beyond one for each.
func (f *farm) fetched() (feeds, repeated, together int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.requests {
		repeated += n - 1
	}
	return len(f.requests), repeated, f.together
}

// waitForFeeds waits until so many feeds were asked for.
func (f *farm) waitForFeeds(t *testing.T, n int, atMost time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(atMost); ; time.Sleep(10 * time.Millisecond) {
		if feeds, _, _ := f.fetched(); feeds >= n {
			return
		}
		if time.Now().After(deadline) {
			feeds, _, _ := f.fetched()
			t.Fatalf("%d feeds were fetched in %s, want %d", feeds, atMost, n)
		}
	}
}

// subscribe makes the feeds of the farm due, while nothing serves.
func (f *farm) subscribe(t *testing.T, in *installation) {
	t.Helper()
	done, err := in.open(t).Sources.Subscribe(t.Context(), f.urls())
	if err != nil || done.Added != f.hosts*f.each {
		t.Fatalf("%d sources were added: %v %v", done.Added, err, done.Refused)
	}
}

// TestReplicasShareSources lets three processes share the due sources of many
// hosts, while one of them stops and another one joins: each is fetched once.
func TestReplicasShareSources(t *testing.T) {
	t.Parallel()
	in, f := newInstallation(t, "postgres"), newFarm(t, 50, 4, 20*time.Millisecond)
	f.subscribe(t, in)
	first, second := in.launch(t, "serve"), in.launch(t, "serve")
	_, _ = first.serving(in), second.serving(in)
	f.waitForFeeds(t, 50, time.Minute)
	first.stop()
	third := in.launch(t, "serve")
	_ = third.serving(in)
	in.waitForWork(t, leases)
	in.checkEffectsOnce(t, f.hosts*f.each)
	// The worker that was stopped broke off what it was fetching.
	if _, repeated, together := f.fetched(); repeated > 4 || together > 4 {
		t.Errorf("%d requests were repeated, %d came while the host answered another one", repeated, together)
	}
}

// stop ends a process as an operator does, and waits for its end.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
	if p.err != nil {
		p.t.Errorf("the process ended with %v:\n%s", p.err, p.output)
	}
}
