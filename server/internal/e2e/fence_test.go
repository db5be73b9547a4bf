package e2e

import (
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSlowWorker stops a process in the middle of a fetch until its lease is
// over and another process has done the work, and lets it go on then: what it
// wants to store is refused, and the work was done once.
func TestSlowWorker(t *testing.T) {
	t.Parallel()
	in, f := newInstallation(t, "postgres", "KGL_FETCH_TIMEOUT=60s"), newFeedServer(t)
	var asked atomic.Int64
	late := make(chan struct{})
	page := rssFeed("Slow", newItem("one"))
	f.handle("/feed.xml", func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			<-late
		}
		_, _ = w.Write([]byte(page))
	})
	slow := in.launch(t, "serve")
	id := slow.serving(in).asAdmin(t).createSource(t, f.url("/feed.xml")).ID
	eventually(t, "the first worker asks", func() string {
		if asked.Load() == 0 {
			return "not yet"
		}
		return ""
	})
	if err := slow.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// The end of the lease is brought forward: minutes would show nothing more.
	in.execute(t, "UPDATE hosts SET lease_until = 1 WHERE lease_until > 0")
	other := in.launch(t, "serve").serving(in)
	other.asAdmin(t).waitForFetches(t, id, 1)
	close(late)
	if err := slow.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the slow worker is told", func() string {
		if !strings.Contains(slow.output.String(), "a host was lost to another worker") {
			return slow.output.String()
		}
		return ""
	})
	in.waitForWork(t, time.Minute)
	in.checkEffectsOnce(t, 1)
}

// TestPoisonTask has the database refuse the results of one item, as a fault of
// ours would: its task is set aside after its attempts, and all others are done.
func TestPoisonTask(t *testing.T) {
	t.Parallel()
	in, f := newInstallation(t, "postgres"), newFeedServer(t)
	in.execute(t, `CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF (SELECT title FROM contents WHERE id = NEW.content_id) = 'Poison' THEN RAISE EXCEPTION 'poison'; END IF;
			RETURN NEW;
		END $$`)
	in.execute(t, "CREATE TRIGGER poison BEFORE INSERT ON mentions FOR EACH ROW EXECUTE FUNCTION poison()")
	var items []item
	for range 20 {
		items = append(items, newItem("Good"))
	}
	items = append(items, newItem("Poison"))
	for i := range items {
		items[i].text += " Lagos Arts Council gives grants, says Amina Bello."
	}
	f.serve("/feed.xml", rssFeed("Feed", items...))
	b := in.launch(t, "serve").serving(in)
	b.asAdmin(t).createSource(t, f.url("/feed.xml"))
	eventually(t, "the poison is set aside, and the others are done", func() string {
		// The waits between the attempts are cut short.
		in.execute(t, "UPDATE enrichment_tasks SET available_at = 1 WHERE state = 'waiting'")
		if states := strings.Join(in.strings(t, "SELECT state || ' ' || attempts || ' ' || count(*) FROM enrichment_tasks GROUP BY state, attempts ORDER BY 1"), ", "); states != "dead 5 1, done 1 20" {
			return "the tasks are: " + states
		}
		return ""
	})
	if n := in.count(t, "SELECT count(*) FROM contents WHERE title = 'Poison' AND status = 'failed'"); n != 1 {
		t.Errorf("%d items failed", n)
	}
	if n := in.count(t, "SELECT count(*) FROM events WHERE type = 'content.failed'"); n != 1 {
		t.Errorf("%d events of failure", n)
	}
}
