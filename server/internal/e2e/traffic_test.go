package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to look into the database from outside
)

// traffic writes and reads without end while a test breaks something, and keeps
// a ledger of what was acknowledged outside of the database.
//
// A write that failed is sent again with its Idempotency-Key until it is
// acknowledged: the client cannot know whether the first one took effect.
type traffic struct {
	callers  []*caller
	feeds    []*feedServer
	patience time.Duration // no answer may take longer
	stop     context.CancelFunc
	group    sync.WaitGroup

	mu      sync.Mutex
	acked   map[string]string // URL of a source: the id that its creation returned
	answers []sample
	faults  []string
}

// sample is one answer to a request.
type sample struct {
	write  bool
	at     time.Time // when it came
	took   time.Duration
	status int
}

// How long a request may take when the database is in trouble: until no
// connection can be had, or until the work on a request is broken off because
// an answer of the database does not come.
const (
	noConnection = 12 * time.Second
	noAnswer     = 15 * time.Second
)

// startTraffic lets writers and readers call the servers in turn.
func startTraffic(t *testing.T, servers []*backend, writers, readers int, patience time.Duration) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &traffic{stop: stop, patience: patience, acked: map[string]string{}}
	for range 4 {
		l.feeds = append(l.feeds, newFeedServer(t))
	}
	for _, b := range servers {
		l.callers = append(l.callers, b.asAdmin(t))
	}
	for i := range writers {
		l.group.Go(func() { l.write(ctx, i) })
	}
	for i := range readers {
		l.group.Go(func() { l.read(ctx, i) })
	}
	t.Cleanup(l.end)
	return l
}

// end stops the traffic and waits for it.
func (l *traffic) end() {
	l.stop()
	l.group.Wait()
}

// write adds sources, one after the other. The last one is brought to its end.
func (l *traffic) write(ctx context.Context, writer int) {
	for n := 0; ctx.Err() == nil; n++ {
		f, path := l.feeds[n%len(l.feeds)], fmt.Sprintf("/%d/%d.xml", writer, n)
		f.serve(path, rssFeed("Feed "+path, newItem("Item of "+path)))
		body, key := fmt.Sprintf(`{"url":%q}`, f.url(path)), newPassword()
		for attempt := 0; ; attempt++ {
			c := l.callers[(writer+n+attempt)%len(l.callers)]
			status, answer := l.ask(c, "POST", "/api/v1/sources", body, "Idempotency-Key", key)
			if status == http.StatusCreated {
				l.acknowledge(f.url(path), decode[struct{ ID string }](c.t, answer).ID)
				break
			}
			if status == http.StatusConflict && !strings.Contains(string(answer), "idempotency_in_progress") {
				l.fault(fmt.Sprintf("a repeated write was not recognised: %s", answer))
				break
			}
			if attempt > 2000 {
				l.fault("a write was never acknowledged")
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (l *traffic) read(ctx context.Context, reader int) {
	paths := []string{"/api/v1/content?limit=20", "/api/v1/dashboard", "/api/v1/sources?limit=20"}
	for n := 0; ctx.Err() == nil; n++ {
		l.ask(l.callers[(reader+n)%len(l.callers)], "GET", paths[n%len(paths)], "")
		time.Sleep(10 * time.Millisecond)
	}
}

// ask makes one request and judges the answer: a success, or a 503 that says
// when to ask again, in time.
func (l *traffic) ask(c *caller, method, path, body string, headers ...string) (int, []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.b.url+path, strings.NewReader(body))
	if err != nil {
		l.fault(err.Error())
		return 0, nil
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	began := time.Now()
	res, err := c.RoundTrip(req)
	took := time.Since(began)
	if err != nil {
		l.fault(fmt.Sprintf("%s %s after %v: %v", method, path, took, err))
		return 0, nil
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Error(err)
	}
	l.mu.Lock()
	l.answers = append(l.answers, sample{write: method == "POST", at: time.Now(), took: took, status: res.StatusCode})
	l.mu.Unlock()
	switch {
	case took > l.patience:
		l.fault(fmt.Sprintf("%s %s took %v", method, path, took))
	case res.StatusCode == http.StatusServiceUnavailable:
		if res.Header.Get("Retry-After") == "" || res.Header.Get("Content-Type") != "application/problem+json" {
			l.fault(fmt.Sprintf("a 503 without its due: %v %s", res.Header, data))
		}
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusConflict:
		l.fault(fmt.Sprintf("%s %s: %d %s", method, path, res.StatusCode, data))
	}
	return res.StatusCode, data
}

func (l *traffic) acknowledge(url, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[url] = id
}

func (l *traffic) fault(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, text)
}

// acknowledged returns how many writes were acknowledged so far.
func (l *traffic) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// settled returns how long after a moment the last request of a kind failed,
// and the first one succeeded.
func (l *traffic) settled(after time.Time, write bool) (lastFailure, firstSuccess time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	firstSuccess = -1
	for _, s := range l.answers {
		since := s.at.Sub(after)
		switch {
		case s.write != write || since < 0:
		case s.status == http.StatusServiceUnavailable:
			lastFailure = max(lastFailure, since)
		case firstSuccess < 0 || since < firstSuccess:
			firstSuccess = since
		}
	}
	return lastFailure, firstSuccess
}

// check ends the traffic, waits until all of its sources were fetched and
// enriched, and compares the database with the ledger: nothing that was
// acknowledged is lost, and everything has its effects once.
func (l *traffic) check(t *testing.T, in *installation) {
	t.Helper()
	l.end()
	for _, fault := range l.faults[:min(len(l.faults), 10)] {
		t.Error(fault)
	}
	stored := in.strings(t, "SELECT url FROM sources")
	for url := range l.acked {
		if !slices.Contains(stored, url) {
			t.Errorf("the acknowledged source %s is lost", url)
		}
	}
	if len(stored) != len(l.acked) {
		t.Errorf("%d sources are stored, and %d were acknowledged", len(stored), len(l.acked))
	}
	ids := map[string]bool{}
	for _, id := range l.acked {
		ids[id] = true
	}
	if len(ids) != len(l.acked) {
		t.Error("two writes were answered with one id")
	}
	in.waitForWork(t, leases)
	in.checkEffectsOnce(t, len(stored))
	if out, err := in.run(t, "audit", "verify"); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// leases outlasts every lease. A claim that took effect while its answer was
// lost is waited for until its lease has run out: rare, and not wrong.
const leases = 6 * time.Minute

// waitForWork waits until no source is due for its first fetch and no task is
// open.
func (in *installation) waitForWork(t *testing.T, atMost time.Duration) {
	t.Helper()
	open := 0
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if open = in.count(t, `SELECT (SELECT count(*) FROM sources WHERE last_fetched_at IS NULL)
			+ (SELECT count(*) FROM enrichment_tasks WHERE state NOT IN ('done', 'dead'))`); open == 0 {
			return
		}
	}
	t.Fatalf("%d sources and tasks wait after %s:\n%s", open, atMost, strings.Join(in.strings(t,
		`SELECT 'host ' || host || ' leased by ' || lease_owner FROM hosts WHERE lease_until > 0
		UNION ALL SELECT 'task ' || state || ' after ' || attempts || ' attempts, leased by ' || lease_owner || ' ' || last_error
		FROM enrichment_tasks WHERE state NOT IN ('done', 'dead') LIMIT 20`), "\n"))
}

// checkEffectsOnce looks for effects that are missing or came twice, when each of
// the sources has one item and was due once.
func (in *installation) checkEffectsOnce(t *testing.T, sources int) {
	t.Helper()
	for _, want := range []struct{ what, query string }{
		{"items", "SELECT count(*) FROM contents"},
		{"sources with an item", "SELECT count(DISTINCT source_id) FROM contents"},
		{"processed items", "SELECT count(*) FROM contents WHERE status = 'processed'"},
		{"tasks that are done", "SELECT count(*) FROM enrichment_tasks WHERE state = 'done'"},
		{"fetches", "SELECT count(*) FROM source_fetches"},
		{"events of created sources", "SELECT count(*) FROM events WHERE type = 'source.created'"},
		{"events of created items", "SELECT count(*) FROM events WHERE type = 'content.created'"},
		{"events of processed items", "SELECT count(*) FROM events WHERE type = 'content.processed'"},
		{"items with an event of creation", "SELECT count(DISTINCT subject_id) FROM events WHERE type = 'content.created'"},
		{"items with an event of processing", "SELECT count(DISTINCT subject_id) FROM events WHERE type = 'content.processed'"},
	} {
		if n := in.count(t, want.query); n != sources {
			t.Errorf("%d %s, want %d", n, want.what, sources)
		}
	}
	for _, none := range []struct{ what, query string }{
		{"mentions that came twice", `SELECT count(*) FROM (SELECT 1 FROM mentions GROUP BY content_id, entity_id, start_offset, end_offset, extractor
			HAVING count(*) > 1) AS twice`},
		{"entities whose count of mentions is wrong", `SELECT count(*) FROM entities e WHERE mention_count <>
			(SELECT count(*) FROM mentions m WHERE m.entity_id = e.id)`},
		{"entities with two events of creation", `SELECT count(*) FROM (SELECT 1 FROM events WHERE type = 'entity.created'
			GROUP BY subject_id HAVING count(*) > 1) AS twice`},
		{"sources without a row in the audit log", `SELECT count(*) FROM sources WHERE NOT EXISTS
			(SELECT 1 FROM audit_events WHERE subject_id = sources.id)`},
		{"sources with two rows in the audit log", `SELECT count(*) FROM (SELECT 1 FROM audit_events WHERE subject_type = 'source'
			GROUP BY subject_id, action HAVING count(*) > 1) AS twice`},
	} {
		if n := in.count(t, none.query); n != 0 {
			t.Errorf("%d %s", n, none.what)
		}
	}
}

// count runs a query that returns one number.
func (in *installation) count(t *testing.T, query string) (n int) {
	t.Helper()
	in.withDatabase(t, func(db *sql.DB) error { return db.QueryRowContext(t.Context(), query).Scan(&n) })
	return n
}

// strings runs a query that returns one column of text.
func (in *installation) strings(t *testing.T, query string) (list []string) {
	t.Helper()
	in.withDatabase(t, func(db *sql.DB) error {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			list = append(list, s)
		}
		return rows.Err()
	})
	return list
}

// withDatabase lets fn look into the database beside the servers.
func (in *installation) withDatabase(t *testing.T, fn func(db *sql.DB) error) {
	t.Helper()
	driver, name := "pgx", in.setting("KGL_DATABASE_URL")
	if in.engine == "sqlite" {
		driver, name = "sqlite3", "file:"+in.databaseFile()+"?_busy_timeout=10000"
	}
	db, err := sql.Open(driver, name)
	if err == nil {
		err = errors.Join(fn(db), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
