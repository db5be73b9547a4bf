package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
)

func newSourceTest(env *Env) *cobra.Command {
	var asJSON bool
	var credentials credentialFlags
	cmd := &cobra.Command{
		Use: "test URL", Short: "Try a feed before adding it", Args: exactArgs(1),
		Long: `Test fetches a URL as a source would be, and prints what adding it would give: the
answer, the redirects, what was mended, the first items, and when it would be
fetched next. It stores nothing, and exits with 1 when no feed could be read.`,
		Example: "  kgl source test https://example.org/feed.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			sent, err := credentials.read(env)
			if err != nil {
				return err
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				p, err := a.Probe.Test(ctx, args[0], sent)
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(env, previewJSON(p))
				} else {
					err = env.printPreview(p)
				}
				if err == nil && p.Feed == nil {
					err = fmt.Errorf("no feed: %s", p.Outcome.Message)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	credentials.add(cmd)
	return cmd
}

func (e *Env) printPreview(p ingest.Preview) error {
	w := tabwriter.NewWriter(e.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "url\t%s\n", cell(p.URL))
	if p.SourceID != "" {
		fmt.Fprintf(w, "watched already\t%s\n", p.SourceID)
	}
	for _, hop := range p.Redirects {
		fmt.Fprintf(w, "redirect\t%d to %s\n", hop.Status, cell(hop.To))
	}
	if p.HTTPStatus != 0 {
		fmt.Fprintf(w, "answer\t%d, %s, %d bytes, %s\n", p.HTTPStatus, cell(p.ContentType), p.Bytes, p.Duration.Round(time.Millisecond))
	}
	if doc := p.Feed; doc != nil {
		fmt.Fprintf(w, "feed\t%s %s, %s\nitems\t%d (%d skipped)\n", doc.Feed.Format, cell(doc.Feed.Version), cell(doc.Feed.Title), len(doc.Items), doc.Skipped)
		for _, stage := range doc.Stages {
			mended := "as it is"
			if stage.Mended {
				mended = "mended"
			}
			fmt.Fprintf(w, "%s\t%s\n", stage.Name, mended)
			for _, warning := range stage.Warnings {
				fmt.Fprintf(w, "\t%s: %s\n", warning.Code, cell(warning.Message))
			}
		}
	}
	if p.Next != nil && p.Next.Next != nil {
		fmt.Fprintf(w, "next fetch\t%s (%s)\n", cell(p.Next.Reason), p.Next.Rule)
	}
	if len(p.Items) > 0 {
		fmt.Fprintln(w)
	}
	for _, item := range p.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\n", publishedOf(item), cell(item.Title), cell(item.URL))
	}
	return w.Flush()
}

func publishedOf(item feed.Item) string {
	if item.PublishedInferred {
		return "no date"
	}
	return item.PublishedAt.UTC().Format("2006-01-02 15:04")
}

// jsonPreview is a Preview with the names of the API, and the whole document
// as `kgl feed inspect --json` prints it.
type jsonPreview struct {
	URL          string           `json:"url"`
	SourceID     string           `json:"source_id"`
	HTTPStatus   int              `json:"http_status"`
	FinalURL     string           `json:"final_url"`
	PermanentURL string           `json:"permanent_url"`
	Redirects    []jsonHop        `json:"redirects"`
	ContentType  string           `json:"content_type"`
	DurationMS   int64            `json:"duration_ms"`
	Bytes        int64            `json:"bytes"`
	Cut          bool             `json:"cut"`
	Feed         *feed.Inspection `json:"feed"`
	NextRule     string           `json:"next_rule"`
	NextReason   string           `json:"next_reason"`
	NextFetchAt  *time.Time       `json:"next_fetch_at"`
	Error        *jsonError       `json:"error"`
}

type jsonHop struct {
	Status int    `json:"status"`
	From   string `json:"from"`
	To     string `json:"to"`
}

func previewJSON(p ingest.Preview) jsonPreview {
	out := jsonPreview{
		URL: p.URL, SourceID: p.SourceID, HTTPStatus: p.HTTPStatus, FinalURL: p.FinalURL, PermanentURL: p.PermanentURL, Redirects: []jsonHop{},
		ContentType: p.ContentType, DurationMS: p.Duration.Milliseconds(), Bytes: p.Bytes, Cut: p.Cut, Error: outcomeJSON(p.Outcome),
	}
	for _, hop := range p.Redirects {
		out.Redirects = append(out.Redirects, jsonHop(hop))
	}
	if p.Feed != nil {
		inspected := feed.Inspect(p.Feed)
		out.Feed = &inspected
	}
	if p.Next != nil {
		out.NextRule, out.NextReason, out.NextFetchAt = p.Next.Rule, p.Next.Reason, p.Next.Next
	}
	return out
}
