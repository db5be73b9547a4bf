package ingest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// publisher is a server with one feed, whose items appear as the clock goes on.
// It answers conditional requests, and writes down when it was asked.
type publisher struct {
	w       *world
	first   time.Time     // of its items
	every   time.Duration // between two of them
	last    time.Time     // zero: it goes on for ever
	head    string        // further elements of the channel
	headers []string
	asked   []time.Time
	full    int // answers with a document
}

func (p *publisher) serve(url string) {
	p.w.web.script(url, func(r outbound.Request) (*outbound.Response, error) {
		now := p.w.clock.Now()
		p.asked = append(p.asked, now)
		until := now
		if !p.last.IsZero() && p.last.Before(now) {
			until = p.last
		}
		n := int(until.Sub(p.first)/p.every) + 1
		etag := fmt.Sprintf(`"%d"`, n)
		headers := append([]string{"Etag: " + etag}, p.headers...)
		if r.Header.Get("If-None-Match") == etag {
			resp := answer(304, "", headers...)
			resp.FinalURL = r.URL
			return resp, nil
		}
		p.full++
		var b strings.Builder
		fmt.Fprintf(&b, `<?xml version="1.0"?><rss version="2.0"><channel><title>Steady</title>%s`, p.head)
		for i := n - 1; i >= max(0, n-10); i-- {
			fmt.Fprintf(&b, `<item><guid isPermaLink="false">%d</guid><title>Item %d</title><pubDate>%s</pubDate></item>`,
				i, i, p.first.Add(time.Duration(i)*p.every).Format(time.RFC1123Z))
		}
		resp := answer(200, b.String()+`</channel></rss>`, headers...)
		resp.FinalURL = r.URL
		return resp, nil
	})
}

// days returns the number of requests of each day since start.
func perDay(asked []time.Time) []int {
	var days []int
	for _, at := range asked {
		d := int(at.Sub(start) / (24 * time.Hour))
		for len(days) <= d {
			days = append(days, 0)
		}
		days[d]++
	}
	return days
}

// simulate lets the worker do all that falls due in a time.
func (w *world) simulate(worker *Worker, d time.Duration) {
	w.t.Helper()
	end := w.clock.Now().Add(d)
	for {
		due, err := w.db.NextDueAt(w.t.Context())
		w.must(err)
		if due == nil || due.After(end) {
			break
		}
		if wait := due.Sub(w.clock.Now()); wait > 0 {
			w.clock.Advance(wait)
		}
		w.round(worker)
	}
	w.clock.Advance(end.Sub(w.clock.Now()))
}

// patient returns a worker with chance from a fixed seed.
func (w *world) patient() *Worker {
	return w.worker(Config{Schedule: DefaultSchedule(rand.New(rand.NewPCG(7, 7)).Float64)})
}

func (w *world) between(what string, have, least, most int) {
	w.t.Helper()
	if have < least || have > most {
		w.t.Errorf("%s: %d, want %d to %d", what, have, least, most)
	}
}

func TestWeeksOfASteadyBlog(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		p := &publisher{w: w, first: start.Add(-10 * 24 * time.Hour), every: 8 * time.Hour}
		p.serve(feedURL)
		src := w.add(feedURL)
		w.simulate(w.patient(), 21*24*time.Hour)
		for d, n := range perDay(p.asked)[:21] {
			w.between(fmt.Sprintf("requests of day %d", d), n, 5, 7)
		}
		w.between("answers with a document", p.full, 62, 64)            // one an item
		w.between("items", len(w.contents(src.ID)), 10+21*3-1, 10+21*3) // the last one appears at the end
		w.want("rule", w.source(src.ID).State.Decision.Rule, RuleAdaptive)
		w.want("rhythm", w.source(src.ID).State.MeanGap, 8*3600)
		w.want("health", w.source(src.ID).Health, kgl.HealthOK)
	})
}

func TestWeeksOfAFeedThatEnded(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		p := &publisher{w: w, first: start.Add(-10 * 24 * time.Hour), every: 2 * time.Hour, last: start}
		p.serve(feedURL)
		src := w.add(feedURL)
		w.simulate(w.patient(), 35*24*time.Hour)
		days := perDay(p.asked)
		w.between("requests of the first day", days[0], 8, 16)
		w.between("requests of the second day", days[1], 3, 7)
		for d, n := range days[8:34] {
			w.between(fmt.Sprintf("requests of day %d", d+8), n, 0, 2)
		}
		w.want("answers with a document", p.full, 1)
		s := w.source(src.ID)
		w.want("health", s.Health, kgl.HealthQuiet)
		if silent := w.clock.Now().Sub(*s.HealthSince); silent < 3*24*time.Hour || silent > 6*24*time.Hour {
			t.Errorf("quiet for %v, want since the 30th day", silent)
		}
		// One item ends it.
		p.last = time.Time{}
		p.first = w.clock.Now().Add(-50 * 2 * time.Hour)
		w.simulate(w.patient(), 26*time.Hour)
		w.want("after a new item", w.source(src.ID).Health, kgl.HealthOK)
		w.between("interval in hours", int(w.source(src.ID).State.Decision.Interval/3600), 1, 1)
	})
}

func TestWeeksOfAFeedWithoutDates(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		var asked []time.Time
		w.web.script(feedURL, func(r outbound.Request) (*outbound.Response, error) {
			asked = append(asked, w.clock.Now())
			n := int(w.clock.Now().Sub(start)/(12*time.Hour)) + 1
			var b strings.Builder
			b.WriteString(`<?xml version="1.0"?><rss version="2.0"><channel><title>No dates</title>`)
			for i := range n {
				fmt.Fprintf(&b, `<item><guid isPermaLink="false">%d</guid><title>Item %d</title></item>`, i, i)
			}
			resp := answer(200, b.String()+`</channel></rss>`)
			resp.FinalURL = r.URL
			return resp, nil
		})
		src := w.add(feedURL)
		w.simulate(w.patient(), 21*24*time.Hour)
		days := perDay(asked)
		w.between("requests of the first day", days[0], 8, 24)
		for d, n := range days[7:21] {
			w.between(fmt.Sprintf("requests of day %d", d+7), n, 2, 6)
		}
		gap := time.Duration(w.source(src.ID).State.MeanGap) * time.Second
		if gap < 9*time.Hour || gap > 15*time.Hour {
			t.Errorf("the rhythm was seen to be %v, want about 12 h", gap)
		}
	})
}

func TestMonthsOfADeadFeed(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		var asked []time.Time
		w.web.script(feedURL, func(outbound.Request) (*outbound.Response, error) {
			asked = append(asked, w.clock.Now())
			return answer(404, ""), nil
		})
		src, worker := w.add(feedURL), w.patient()
		w.simulate(worker, 89*24*time.Hour)
		s := w.source(src.ID)
		w.want("after 89 days", fmt.Sprint(s.Status, s.Health), "failingfailing")
		days := perDay(asked)
		w.between("requests of the first day", days[0], 5, 20)
		quiet := 0
		for _, n := range days[7:] {
			quiet += n
		}
		w.between("requests of 82 days", quiet, 82, 250)

		w.simulate(worker, 5*24*time.Hour)
		s = w.source(src.ID)
		w.want("after 94 days", fmt.Sprint(s.Status, s.Health, s.State.Decision.Rule), "gonegonedead")
		before := len(asked)
		w.simulate(worker, 92*24*time.Hour)
		w.between("requests of three months", len(asked)-before, 2, 3)
		w.want("trigger", w.fetches(src.ID)[0].Details.Trigger, TriggerProbe)
		w.want("events", w.events(), "source.created source.failing source.gone")

		w.web.serve(feedURL, answer(200, rss("alive", "one")))
		w.simulate(worker, 34*24*time.Hour)
		s = w.source(src.ID)
		w.want("after it came back", fmt.Sprint(s.Status, s.ConsecutiveFailures), "active0")
		w.want("items", w.titles(src.ID), "one")
		w.want("events", w.events(kgl.EventContentCreated), "source.created source.failing source.gone source.recovered")
	})
}

func TestDaysOfAThrottledHost(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		const feeds = 10
		var asked []time.Time
		ends := start.Add(2 * 24 * time.Hour)
		var ids []string
		for i := range feeds {
			url := fmt.Sprintf("https://shared.example/%d", i)
			w.web.script(url, func(r outbound.Request) (*outbound.Response, error) {
				asked = append(asked, w.clock.Now())
				if w.clock.Now().Before(ends) {
					return answer(429, "", "Retry-After: 3600"), nil
				}
				resp := answer(200, rss("a", fmt.Sprint("item", i)))
				resp.FinalURL = r.URL
				return resp, nil
			})
			ids = append(ids, w.add(url).ID)
		}
		worker := w.patient()
		w.simulate(worker, 2*24*time.Hour)
		for d, n := range perDay(asked)[:2] {
			w.between(fmt.Sprintf("requests of day %d for ten feeds", d), n, 3, 3*25)
		}
		w.want("health", w.source(ids[0]).Health, kgl.HealthThrottled)
		w.simulate(worker, 25*time.Hour)
		for i, id := range ids {
			s := w.source(id)
			w.want(fmt.Sprintf("feed %d afterwards", i), fmt.Sprint(s.Health, s.ConsecutiveFailures), "ok0")
		}
	})
}

func TestDaysOfAFeedThatSkipsTheNight(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		p := &publisher{w: w, first: start.Add(-10 * 24 * time.Hour), every: 2 * time.Hour,
			head: "<skipHours><hour>0</hour><hour>1</hour><hour>2</hour><hour>3</hour><hour>4</hour><hour>5</hour></skipHours><skipDays><day>Sunday</day></skipDays>"}
		p.serve(feedURL)
		w.add(feedURL)
		w.simulate(w.patient(), 15*24*time.Hour)
		for _, at := range p.asked[1:] { // the first is before anything is known
			if at.Hour() < 6 || at.Weekday() == time.Sunday {
				t.Errorf("asked at %v", at)
			}
		}
		w.between("requests", len(p.asked), 12*13, 12*20)
	})
}

func TestFreshAnswersAreRememberedOver304(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		p := &publisher{w: w, first: start.Add(-10 * 24 * time.Hour), every: time.Hour, last: start, headers: []string{"Cache-Control: max-age=10800"}}
		p.serve(feedURL)
		src := w.add(feedURL)
		worker := w.worker(Config{})
		w.round(worker)
		w.want("rule", w.source(src.ID).State.Decision.Rule, RuleCache)
		p.headers = nil // what follows says nothing of it
		w.clock.Advance(3 * time.Hour)
		w.round(worker)
		s := w.source(src.ID)
		w.want("outcome", w.fetches(src.ID)[0].Outcome, kgl.FetchNotModified)
		w.want("after 304", fmt.Sprint(s.State.Decision.Rule, s.NextFetchAt.Sub(w.clock.Now())), "cache3h0m0s")
	})
}
