package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// maxFeedBytes bounds a feed that is read from a file.
const maxFeedBytes = 64 << 20

func newFeed(env *Env) *cobra.Command {
	return group("feed", "Look at feeds without storing anything", "", newFeedInspect(env))
}

func newFeedInspect(env *Env) *cobra.Command {
	var asJSON, rawHash bool
	var contentType, baseURL string
	cmd := &cobra.Command{
		Use:   "inspect FILE|URL",
		Short: "Parse one feed and print what would be stored",
		Long: `Inspect reads a feed from a file ('-' for standard input) or over the guarded HTTP
client from a URL, and prints what ingestion would make of it: the stages that the
document passed and what each mended, what its publisher should know, and for each
item its date and where that comes from, what tells it from the others, and what was
wrong with it. It exits with 0 when items could be read, with 1 and an error
otherwise. The fields of --json are listed in docs/ingestion.md.`,
		Example: `  kgl feed inspect https://example.org/feed.xml
  kgl feed inspect feed.xml --json --base-url https://example.org/ --content-type 'text/xml; charset=windows-1252'`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, opts, err := env.readFeed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if contentType != "" {
				opts.ContentType = contentType
			}
			if baseURL != "" {
				opts.BaseURL = baseURL
			}
			doc, err := feed.Parse(cmd.Context(), body, opts)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(env, feed.Inspect(doc))
			} else {
				err = printFeed(env, doc, rawHash)
			}
			if err == nil && len(doc.Items) == 0 {
				err = fmt.Errorf("the feed holds no items that can be read")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&rawHash, "raw-hash", false, "print the hash by which ingestion knows an unchanged item (always in --json)")
	cmd.Flags().StringVar(&contentType, "content-type", "", "Content-Type to assume")
	cmd.Flags().StringVar(&baseURL, "base-url", "", "URL that relative links resolve against")
	return cmd
}

func (e *Env) readFeed(ctx context.Context, from string) ([]byte, feed.Options, error) {
	opts := feed.Options{Now: e.Clock.Now()}
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		body, err := e.readInput(from, maxFeedBytes)
		return body, opts, err
	}
	cfg, appEnv, err := e.load()
	if err != nil {
		return nil, opts, err
	}
	client, err := app.NewOutbound(cfg, appEnv.Version)
	if err != nil {
		return nil, opts, err
	}
	defer client.Close()
	resp, err := client.Get(ctx, outbound.Request{URL: from, Accept: ingest.AcceptFeeds})
	if err != nil {
		return nil, opts, err
	}
	if resp.Status < 200 || resp.Status > 299 {
		return nil, opts, fmt.Errorf("the server answered %d", resp.Status)
	}
	opts.ContentType, opts.BaseURL = resp.Header.Get("Content-Type"), resp.FinalURL
	return resp.Body, opts, nil
}

func printJSON(env *Env, v any) error {
	enc := json.NewEncoder(env.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printFeed prints what became of a document: what it says about itself, the
// stages that it passed, what its publisher should know, and its items.
func printFeed(env *Env, doc *feed.Document, rawHash bool) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	m := doc.Feed
	fmt.Fprintf(w, "title\t%s\nformat\t%s %s\nsite\t%s\nlanguage\t%s\nrepaired\t%t\nitems\t%d (%d skipped)\n",
		cell(m.Title), m.Format, cell(m.Version), cell(m.Link), cell(m.Language), doc.Repaired, len(doc.Items), doc.Skipped)
	if m.TTL > 0 {
		fmt.Fprintf(w, "asks for\t%s between two reads\n", m.TTL)
	}
	if m.MovedTo != "" {
		fmt.Fprintf(w, "moved to\t%s\n", cell(m.MovedTo))
	}
	fmt.Fprintln(w, "\nSTAGE\tRESULT\tWHAT")
	for _, s := range doc.Stages {
		printStage(w, s)
	}
	if advice := feed.Advice(doc); len(advice) > 0 {
		fmt.Fprintln(w, "\nFOR THE PUBLISHER")
		for _, line := range advice {
			fmt.Fprintln(w, cell(line))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	w.Init(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nPUBLISHED\tDATE FROM\tIDENTITY\tTITLE\tURL\tNOTES")
	for _, item := range doc.Items {
		printItem(w, item, rawHash)
	}
	return w.Flush()
}

func printStage(w io.Writer, s feed.Stage) {
	result := "as it is"
	switch {
	case s.Mended:
		result = "mended"
	case len(s.Warnings) > 0:
		result = "noted"
	}
	if len(s.Warnings) == 0 {
		fmt.Fprintf(w, "%s\t%s\t\n", s.Name, result)
	}
	for i, warning := range s.Warnings {
		if i > 0 {
			fmt.Fprint(w, "\t")
		} else {
			fmt.Fprintf(w, "%s\t%s", s.Name, result)
		}
		fmt.Fprintf(w, "\t%s: %s\n", warning.Code, cell(warning.Message))
	}
}

func printItem(w io.Writer, item feed.Item, rawHash bool) {
	published := item.PublishedAt.UTC().Format("2006-01-02 15:04")
	if item.PublishedInferred {
		published = "no date"
	}
	var notes []string
	for _, warning := range item.Warnings {
		notes = append(notes, string(warning.Code))
	}
	if rawHash {
		notes = append(notes, "raw "+item.RawHash)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", published, item.PublishedAtSource, item.IdentityKind, orDash(item.Title), orDash(item.URL), strings.Join(notes, ", "))
}

// orDash returns the text for a cell that must not look empty.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return cell(text)
}
