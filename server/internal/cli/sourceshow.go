package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/httpapi"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxShownFetches bounds --fetches.
const maxShownFetches = kgl.MaxPageLimit

func newSourceShow(env *Env) *cobra.Command {
	var asJSON bool
	var fetches int
	cmd := &cobra.Command{
		Use: "show ID|URL", Short: "Show a source, and why it is fetched when it is", Args: exactArgs(1),
		Long: `Show prints all that decides about the next fetch of a source: the rule, what the
feed and its server ask for, the rhythm of the feed, the state of its host and of
its domain, what it waits for now, and how the last fetches went. A source is
found by its id, by its URL, or by a URL that it had before it moved.`,
		Example: "  kgl source show https://example.org/feed.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if fetches < 0 || fetches > maxShownFetches {
				return fmt.Errorf("--fetches must be between 0 and %d", maxShownFetches)
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				r, err := readReport(ctx, a, args[0], fetches)
				if err != nil {
					return err
				}
				if asJSON {
					return r.printJSON(env)
				}
				return r.print(env)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object, in the words of the API")
	cmd.Flags().IntVar(&fetches, "fetches", 10, "how many of the last fetches are shown")
	return cmd
}

// sourceReport is what `source show` prints.
type sourceReport struct {
	ingest.Explanation
	items   int64
	fetches []kgl.Fetch
}

func readReport(ctx context.Context, a *app.App, idOrURL string, fetches int) (r sourceReport, err error) {
	id, err := a.Explainer.Find(ctx, idOrURL)
	if err != nil {
		return r, err
	}
	if r.Explanation, err = a.Explainer.Explain(ctx, id); err != nil {
		return r, err
	}
	counts, err := a.Sources.ContentCounts(ctx, []string{id})
	if err != nil {
		return r, err
	}
	r.items = counts[id]
	consents, err := a.Store.Consents(ctx, []string{id})
	if err != nil {
		return r, err
	}
	r.Source.Consents = consents[id]
	if fetches == 0 {
		return r, nil
	}
	list, err := a.Sources.Fetches(ctx, id, kgl.Page{Limit: fetches})
	r.fetches = list.Rows
	return r, err
}

func (r sourceReport) printJSON(env *Env) error {
	text, err := httpapi.SourceReport(r.Explanation, r.items, r.fetches)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s\n", text)
	return err
}

// print writes the report in sections of names and values.
func (r sourceReport) print(env *Env) error {
	for _, section := range []struct {
		title string
		rows  [][2]string
	}{
		{"Source", r.source()}, {"Next fetch", r.next()}, {"What decides", r.deciding()},
	} {
		fmt.Fprintln(env.Stdout, section.title)
		w := &table{tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)}
		for _, row := range section.rows {
			if row[1] != "" {
				w.row("  "+row[0], row[1])
			}
		}
		if err := w.flush(); err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout)
	}
	if len(r.fetches) == 0 {
		return nil
	}
	fmt.Fprintln(env.Stdout, "Last fetches")
	w := newTable(env.Stdout, "  WHEN", "TRIGGER", "OUTCOME", "HTTP", "ITEMS", "NEW", "CHANGED", "TOOK", "NOTE")
	for _, f := range r.fetches {
		w.row("  "+when(&f.StartedAt), f.Details.Trigger, string(f.Outcome), orNone(f.HTTPStatus), orNone(f.ItemsSeen), orNone(f.ItemsCreated),
			orNone(f.ItemsUpdated), f.Duration.Round(time.Millisecond).String(), fetchNote(f))
	}
	return w.flush()
}

func fetchNote(f kgl.Fetch) string {
	var notes []string
	if f.Error != "" {
		notes = append(notes, f.Error)
	}
	if f.Details.FinalURL != "" {
		notes = append(notes, "redirected to "+f.Details.FinalURL)
	}
	if n := len(f.Warnings); n > 0 {
		notes = append(notes, fmt.Sprintf("%d warnings", n))
	}
	return strings.Join(notes, "; ")
}

func orNone(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func (r sourceReport) source() [][2]string {
	s := r.Source
	health := string(s.Health)
	if s.HealthSince != nil {
		health += " since " + when(s.HealthSince)
	}
	if s.State.HealthReason != "" {
		health += ": " + s.State.HealthReason
	}
	sent := strings.Join(s.Settings.HeaderNames, ", ")
	if s.Settings.Username != "" {
		sent = strings.TrimPrefix(sent+", basic authentication as "+s.Settings.Username, ", ")
	}
	return [][2]string{
		{"title", s.Title}, {"id", s.ID}, {"url", s.URL}, {"former urls", strings.Join(s.State.FormerURLs, " ")}, {"site", s.SiteURL},
		{"format", strings.TrimSpace(s.Format + " " + s.Language)}, {"tags", strings.Join(s.Tags, ", ")}, {"items", strconv.FormatInt(r.items, 10)},
		{"status", string(s.Status)}, {"health", health}, {"sent along", sent},
		{"ai processing", consentText(s.Consents.AIProcessing)}, {"publication", consentText(s.Consents.Publication)},
	}
}

func (r sourceReport) next() [][2]string {
	s := r.Source
	rows := [][2]string{{"at", "never"}}
	if s.NextFetchAt != nil {
		rows[0][1] = fmt.Sprintf("%s (%s)", when(s.NextFetchAt), r.Trigger)
	}
	if d := s.State.Decision; d != nil {
		rows = append(rows, [2]string{"why then", d.Reason}, [2]string{"rule", fmt.Sprintf("%s, decided %s", d.Rule, when(&d.At))})
	}
	if len(r.Waiting) == 0 {
		return append(rows, [2]string{"why not now", "nothing is in the way: it is fetched as soon as a worker is free"})
	}
	for _, w := range r.Waiting {
		rows = append(rows, [2]string{"why not now", w.Text})
	}
	return rows
}

func (r sourceReport) deciding() [][2]string {
	s := r.Source
	interval := fmt.Sprintf("decided from the rhythm, %s to %s (%s while it is not known)",
		ingest.InWords(r.Schedule.Min), ingest.InWords(r.Schedule.Max), ingest.InWords(r.Schedule.Interval))
	if s.FetchInterval > 0 {
		interval = ingest.InWords(s.FetchInterval) + ", set for this source"
	}
	rhythm := "not known"
	if s.State.MeanGap > 0 {
		rhythm = "an item about every " + ingest.InWords(time.Duration(s.State.MeanGap)*time.Second)
	}
	if s.State.NewestAt != nil {
		rhythm += ", the newest " + when(s.State.NewestAt)
	}
	failures := ""
	if s.ConsecutiveFailures > 0 {
		failures = fmt.Sprintf("%d in a row since %s: %s", s.ConsecutiveFailures, when(s.State.FailingSince), s.LastError)
	}
	redirect := ""
	if p := s.State.Redirect; p != nil {
		redirect = fmt.Sprintf("to %s, since %s (seen %d times)", p.URL, when(&p.Since), p.Fetches)
		if p.Announced {
			redirect = fmt.Sprintf("the feed names %s, since %s (read there %d times in a row)", p.URL, when(&p.Since), p.Verified)
		}
	}
	domain := "no limit"
	if r.Domain != "" && r.Rate.Interval > 0 {
		domain = fmt.Sprintf("%s: a request every %s, %d at once after a silence", r.Domain, ingest.InWords(r.Rate.Interval), max(r.Rate.Burst, 1))
	}
	host := s.Host
	if t := r.Host.LeasedUntil; t != nil && t.After(r.At) {
		host += ": a worker has it until " + when(t)
	}
	if t := r.Host.NotBefore; t != nil && t.After(r.At) {
		host += ": left alone until " + when(t)
	}
	return [][2]string{
		{"interval", interval}, {"rhythm", rhythm}, {"the feed asks", feedAsks(s.State.Hints)}, {"failures", failures},
		{"redirect", redirect}, {"host", host}, {"domain", domain},
	}
}

// feedAsks says what the server and the feed ask for.
func feedAsks(h kgl.FeedHints) string {
	var list []string
	if h.Fresh > 0 {
		list = append(list, "the answer stays fresh for "+ingest.InWords(time.Duration(h.Fresh)*time.Second))
	}
	if h.TTL > 0 {
		list = append(list, ingest.InWords(time.Duration(h.TTL)*time.Second)+" between two requests")
	}
	if len(h.SkipHours) > 0 {
		hours := slices.Sorted(slices.Values(h.SkipHours))
		list = append(list, "not in the hours "+strings.Trim(fmt.Sprint(slices.Compact(hours)), "[]")+" UTC")
	}
	if len(h.SkipDays) > 0 {
		var days []string
		for _, d := range h.SkipDays {
			days = append(days, time.Weekday(d).String())
		}
		list = append(list, "not on "+strings.Join(days, ", "))
	}
	return strings.Join(list, "; ")
}
