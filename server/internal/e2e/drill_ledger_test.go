//go:build drill

package e2e

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kind is a kind of thing that the writers of a drill make.
type kind struct {
	path  string // of the list
	name  string // the field that writers set, and change
	event string // of the subject, empty where none is written
}

var kinds = []kind{
	{path: "/api/v1/sources", name: "title", event: "source"},
	{path: "/api/v1/entities", name: "name", event: "entity"},
	{path: "/api/v1/users", name: "name"},
}

// object is a thing that one writer made and changes, and what it was told
// about it.
type object struct {
	kind   kind
	key    string // the Idempotency-Key of its creation
	body   string // of its creation
	id     string // empty until the creation is acknowledged
	name   string
	gone   bool   // its end is acknowledged
	asked  string // the name that an unanswered change asked for
	ending bool   // an unanswered request asked for its end
}

// ledger holds what was acknowledged. It lives in the process of the test, which
// nobody kills.
type ledger struct {
	mu       sync.Mutex
	objects  []*object
	items    map[string]bool   // ids of content that a reader saw
	sessions map[string]string // refresh tokens of logins, unused, and whose
	codes    map[string]int    // of the problems that were answered with 5xx

	acknowledged atomic.Int64
	unanswered   atomic.Int64
	names        atomic.Int64
}

func newLedger() *ledger {
	return &ledger{items: map[string]bool{}, sessions: map[string]string{}, codes: map[string]int{}}
}

// refusals returns how often each problem was answered with 5xx.
func (l *ledger) refusals() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.codes)
}

// refused returns how often a problem was answered.
func (l *ledger) refused(code string) int { return l.refusals()[code] }

// send makes a request and returns the status and the body; status 0 when there
// was no answer.
func send(c *caller, method, path, body string, headers ...string) (int, []byte) {
	req, err := http.NewRequest(method, c.b.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	if body == "" {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.RoundTrip(req)
	if err != nil {
		return 0, nil
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil
	}
	return res.StatusCode, data
}

// settled reports whether an answer says what became of a request: a problem of
// the server's does not.
func settled(status int) bool { return status != 0 && status < 500 }

// writers is a load of writers and a reader that goes on until stop, or until
// the server does not answer any more.
type writers struct {
	l     *ledger
	c     *caller
	feeds string        // URL below which every path is a feed
	stop  chan struct{} // closed: enough
	group sync.WaitGroup
	fails bool // go on when a request fails
}

// begin starts n writers and a reader.
func (l *ledger) begin(c *caller, feeds string, n int, goOn bool) *writers {
	w := &writers{l: l, c: c, feeds: feeds, stop: make(chan struct{}), fails: goOn}
	for range n {
		w.group.Go(w.write)
	}
	w.group.Go(w.read)
	return w
}

// wait waits until all writers have stopped.
func (w *writers) wait() { w.group.Wait() }

func (w *writers) enough() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// write makes, changes and removes things of its own.
func (w *writers) write() {
	var mine []*object
	for alive := true; alive && !w.enough(); {
		var o *object
		if len(mine) > 0 {
			o = mine[rand.IntN(len(mine))]
		}
		switch dice := rand.IntN(20); {
		case o == nil || dice < 10:
			if o, alive = w.create(); o.id != "" {
				mine = append(mine, o)
			}
		case o.gone || o.asked != "" || o.ending: // its state is open, or over
		case dice < 16:
			alive = w.rename(o)
		case dice < 19:
			alive = w.remove(o)
		case o.kind.path == "/api/v1/users":
			alive = w.login(o)
		}
	}
}

// outcome counts an answer, and reports whether the writer goes on.
func (w *writers) outcome(status int, body []byte) bool {
	if settled(status) {
		w.l.acknowledged.Add(1)
		return true
	}
	w.l.unanswered.Add(1)
	if status == 0 {
		return w.fails
	}
	w.l.mu.Lock()
	w.l.codes[decode[struct{ Code string }](w.c.t, body).Code]++
	w.l.mu.Unlock()
	if w.fails { // as the answer asks for, only sooner
		time.Sleep(50 * time.Millisecond)
	}
	return w.fails
}

func (w *writers) create() (*object, bool) {
	n := w.l.names.Add(1)
	name := fmt.Sprintf("drill-%06d", n)
	dice := rand.IntN(20)
	o := &object{kind: kinds[0], name: name, key: name}
	switch {
	case dice == 0: // few, for each costs a hash of a password
		o.kind = kinds[2]
		o.body = fmt.Sprintf(`{"email":"%s@kgl.test","name":"%s","role":"user","password":"Pw-%s-long-enough"}`, name, name, name)
	case dice < 10:
		o.kind = kinds[1]
		o.body = fmt.Sprintf(`{"name":%q,"type":"grant"}`, name)
	default:
		o.body = fmt.Sprintf(`{"url":"%s/%s.xml","title":%q}`, w.feeds, name, name)
	}
	w.l.mu.Lock()
	w.l.objects = append(w.l.objects, o)
	w.l.mu.Unlock()
	status, body := send(w.c, "POST", o.kind.path, o.body, "Idempotency-Key", o.key)
	alive := w.outcome(status, body)
	if status == http.StatusCreated {
		o.id = decode[struct{ ID string }](w.c.t, body).ID
	} else if settled(status) {
		w.c.t.Errorf("%s was refused: %d %s", o.name, status, body)
	}
	return o, alive
}

func (w *writers) rename(o *object) bool {
	asked := fmt.Sprintf("drill-%06d", w.l.names.Add(1))
	o.asked = asked
	status, body := send(w.c, "PATCH", o.kind.path+"/"+o.id, fmt.Sprintf(`{%q:%q}`, o.kind.name, asked))
	alive := w.outcome(status, body)
	if status == http.StatusOK {
		o.name, o.asked = asked, ""
	} else if settled(status) {
		w.c.t.Errorf("a change of %s was refused: %d %s", o.name, status, body)
	}
	return alive
}

func (w *writers) remove(o *object) bool {
	o.ending = true
	status, body := send(w.c, "DELETE", o.kind.path+"/"+o.id, "")
	alive := w.outcome(status, body)
	if status == http.StatusNoContent {
		o.gone = true
	} else if settled(status) {
		w.c.t.Errorf("the end of %s was refused: %d %s", o.name, status, body)
	}
	return alive
}

func (w *writers) login(o *object) bool {
	status, body := send(w.c, "POST", "/api/v1/auth/login", fmt.Sprintf(`{"email":"%s@kgl.test","password":"Pw-%s-long-enough"}`, o.key, o.key),
		"Authorization", "none", "X-Forwarded-For", fmt.Sprintf("10.99.%d.%d", rand.IntN(256), rand.IntN(256)))
	alive := w.outcome(status, body)
	if status == http.StatusOK {
		w.l.mu.Lock()
		defer w.l.mu.Unlock()
		w.l.sessions[decode[struct {
			RefreshToken string `json:"refresh_token"`
		}](w.c.t, body).RefreshToken] = o.id
	} else if settled(status) {
		w.c.t.Errorf("a login was refused: %d %s", status, body)
	}
	return alive
}

// read notes the items that were fetched: what a reader has seen must stay.
func (w *writers) read() {
	for !w.enough() {
		status, body := send(w.c, "GET", "/api/v1/content?limit=100&duplicates=all&view=summary", "")
		if status != http.StatusOK {
			if !w.fails {
				return
			}
			continue
		}
		w.l.mu.Lock()
		for _, row := range decode[page](w.c.t, body).Data {
			if id, ok := row["id"].(string); ok && !w.l.items[id] {
				w.l.items[id] = true
			}
		}
		w.l.mu.Unlock()
	}
}

// verify holds the ledger against a server that is up again, and settles what
// was open.
func (l *ledger) verify(t *testing.T, c *caller) {
	t.Helper()
	for _, complaint := range l.complaints(t, c) {
		t.Error(complaint)
	}
	l.settle(t, c)
}

// clone returns a ledger with the same entries, for another future.
func (l *ledger) clone() *ledger {
	other := newLedger()
	for _, o := range l.objects {
		again := *o
		other.objects = append(other.objects, &again)
	}
	maps.Copy(other.items, l.items)
	maps.Copy(other.sessions, l.sessions)
	other.names.Store(l.names.Load())
	other.acknowledged.Store(l.acknowledged.Load())
	return other
}

// complaints says what was acknowledged and is not so.
func (l *ledger) complaints(t *testing.T, c *caller) (list []string) {
	t.Helper()
	complain := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, k := range kinds {
		have := named(t, c, k)
		for _, o := range l.objects {
			if name, there := have[o.id]; o.kind == k && o.id != "" {
				o.compare(name, there, complain)
			}
		}
	}
	l.lostItems(t, c, complain)
	for token, user := range l.sessions {
		if l.removed(user) {
			continue
		}
		if res := c.b.refresh(t, token); res.status != http.StatusOK {
			complain("an acknowledged login of %s is lost: %d %s", user, res.status, res.body)
		}
	}
	clear(l.sessions) // each is used once
	return list
}

// compare holds an object against what the server has, and notes which of the
// outcomes that were open came true.
func (o *object) compare(name string, there bool, complain func(string, ...any)) {
	switch {
	case o.gone && there:
		complain("%s %s is back, its end was acknowledged", o.kind.path, o.name)
	case o.gone:
	case !there && o.ending:
		o.gone = true
	case !there:
		complain("%s %s is lost, it was acknowledged", o.kind.path, o.name)
	case name == o.name, o.asked != "" && name == o.asked:
		o.name, o.asked, o.ending = name, "", false
	default:
		complain("%s %s is called %q now; asked was %q", o.kind.path, o.name, name, o.asked)
	}
}

// removed reports whether the end of an object was acknowledged or asked for.
func (l *ledger) removed(id string) bool {
	for _, o := range l.objects {
		if o.id == id {
			return o.gone || o.ending
		}
	}
	return true
}

// settle sends every unanswered creation again, with its Idempotency-Key. After
// it nothing is there twice, and nothing that nobody made.
func (l *ledger) settle(t *testing.T, c *caller) {
	t.Helper()
	for _, o := range l.objects {
		if o.id != "" {
			continue
		}
		status, body := send(c, "POST", o.kind.path, o.body, "Idempotency-Key", o.key)
		if status != http.StatusCreated {
			t.Fatalf("%s sent again: %d %s", o.name, status, body)
		}
		o.id = decode[struct{ ID string }](t, body).ID
	}
	for _, k := range kinds {
		l.verifyOnce(t, c, k)
	}
}

// verifyOnce looks for things that are there twice, or that nobody made.
func (l *ledger) verifyOnce(t *testing.T, c *caller, k kind) {
	t.Helper()
	want := map[string]bool{}
	for _, o := range l.objects {
		if o.kind == k && !o.gone {
			want[o.id] = true
		}
	}
	for id, name := range named(t, c, k) {
		if strings.HasPrefix(name, "drill-") && !want[id] {
			t.Errorf("%s %s (%s) is there, and nobody was told so", k.path, name, id)
		}
		delete(want, id)
	}
	if len(want) > 0 {
		t.Errorf("%s: %d are missing after they were sent again", k.path, len(want))
	}
}

// lostItems looks for the items that a reader saw, but for those that went with
// their source.
func (l *ledger) lostItems(t *testing.T, c *caller, complain func(string, ...any)) {
	t.Helper()
	have := map[string]bool{}
	for _, row := range c.b.rows(t, "SELECT id FROM contents") {
		have[row[0]] = true
	}
	deleted := map[string]bool{}
	for _, row := range c.b.rows(t, "SELECT subject_id FROM events WHERE type = 'source.deleted'") {
		deleted[row[0]] = true
	}
	owner := map[string]string{}
	for _, row := range c.b.rows(t, "SELECT subject_id, data FROM events WHERE type = 'content.created'") {
		owner[row[0]] = decode[struct {
			SourceID string `json:"source_id"`
		}](t, []byte(row[1])).SourceID
	}
	for id := range l.items {
		if !have[id] && !deleted[owner[id]] {
			complain("the item %s is lost, a reader had seen it", id)
		}
	}
}

// named returns the ids and names of a whole list.
func named(t *testing.T, c *caller, k kind) map[string]string {
	t.Helper()
	all := map[string]string{}
	cursor := ""
	for {
		p := decode[page](t, c.do("GET", k.path+"?limit=100"+cursor, "").want(t, 200).body)
		for _, row := range p.Data {
			id, _ := row["id"].(string)
			name, _ := row[k.name].(string)
			if _, twice := all[id]; twice {
				t.Errorf("%s lists %s twice", k.path, id)
			}
			all[id] = name
		}
		next, err := p.Pagination.NextCursor.Get()
		if err != nil || !p.Pagination.HasMore {
			return all
		}
		cursor = "&cursor=" + next
	}
}
