package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKill kills the server under load, again and again. What was acknowledged
// is there after each restart, and the database is whole.
func TestKill(t *testing.T) {
	t.Parallel()
	in, f := newInstallation(t, "sqlite"), newFeedServer(t)
	acknowledged := map[string]string{} // id of a source: its title
	const rounds = 10
	for round := range rounds {
		p := in.launch(t, "serve")
		b := p.serving(in)
		c := b.asAdmin(t)
		verifyAcknowledged(t, c, acknowledged)
		enough, stopped := make(chan struct{}), make(chan map[string]string)
		go func() { stopped <- writeUntilDead(c, f, round, enough) }()
		select {
		case <-enough:
		case <-time.After(20 * time.Second):
			t.Error("40 writes took more than 20 s")
		}
		p.kill()
		for id, title := range <-stopped {
			acknowledged[id] = title
		}
		if out, err := in.run(t, "audit", "verify"); err != nil {
			t.Fatalf("round %d: %v %s", round, err, out)
		}
		checkIntegrity(t, in)
	}
	if len(acknowledged) < 40*rounds {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
	// Work goes on. The host that the dead processes had claimed is left alone
	// until their lease ends, hence another one.
	b := in.launch(t, "serve").serving(in)
	c, other := b.asAdmin(t), newFeedServer(t)
	verifyAcknowledged(t, c, acknowledged)
	other.serve("/after.xml", rssFeed("After", newItem("one")))
	c.waitForFetches(t, c.createSource(t, other.url("/after.xml")).ID, 1)
	t.Logf("%d writes were acknowledged in %d rounds", len(acknowledged), rounds)
}

// writeUntilDead adds sources until the server does not answer any more, and
// returns those that it acknowledged. It closes enough after 40.
func writeUntilDead(c *caller, f *feedServer, round int, enough chan<- struct{}) map[string]string {
	var mu sync.Mutex
	done := map[string]string{}
	var group sync.WaitGroup
	for writer := range 4 {
		group.Go(func() {
			for i := 0; ; i++ {
				title := fmt.Sprintf("round %d writer %d number %d", round, writer, i)
				id, ok := postSource(c, f.url(fmt.Sprintf("/%d/%d/%d.xml", round, writer, i)), title)
				if !ok {
					return
				}
				mu.Lock()
				if done[id] = title; len(done) == 40 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return done
}

// postSource adds a source and reports whether that was acknowledged.
func postSource(c *caller, url, title string) (string, bool) {
	body := fmt.Sprintf(`{"url":%q,"title":%q}`, url, title)
	req, err := http.NewRequest("POST", c.b.url+"/api/v1/sources", strings.NewReader(body))
	if err != nil {
		return "", false
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.RoundTrip(req)
	if err != nil {
		return "", false
	}
	var out bytes.Buffer
	_, _ = out.ReadFrom(res.Body)
	if res.StatusCode != http.StatusCreated {
		return "", false
	}
	return decode[struct{ ID string }](c.t, out.Bytes()).ID, true
}

func verifyAcknowledged(t *testing.T, c *caller, want map[string]string) {
	t.Helper()
	have := map[string]bool{}
	for _, id := range walk(t, c, "/api/v1/sources", "", 100) {
		have[id] = true
	}
	for id, title := range want {
		if !have[id] {
			t.Errorf("the acknowledged source %q is lost", title)
		}
	}
}
