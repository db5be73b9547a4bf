package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/discover"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// maxHeaderBytes bounds a file of request headers.
const maxHeaderBytes = 64 << 10

// credentialFlags say what is sent to a feed's server. Values of secrets come
// from a file or a prompt: others can see the command line.
type credentialFlags struct{ user, headerFile string }

func (f *credentialFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.user, "user", "", "user name for the feed's server; the password is asked for, or read from standard input")
	cmd.Flags().StringVar(&f.headerFile, "header-file", "", "file with request headers, one 'Name: value' a line")
}

func (f *credentialFlags) read(env *Env) (outbound.Credentials, error) {
	var c outbound.Credentials
	if f.headerFile != "" {
		body, err := env.readInput(f.headerFile, maxHeaderBytes)
		if err != nil {
			return c, err
		}
		c.Header = http.Header{}
		for n, text := range strings.Split(string(body), "\n") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			name, value, found := strings.Cut(text, ":")
			if !found {
				return c, fmt.Errorf("%s: line %d is not 'Name: value'", f.headerFile, n+1)
			}
			c.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	if f.user != "" {
		password, err := env.readPassword()
		if err != nil {
			return c, err
		}
		c.User, c.Password = f.user, password
	}
	return c, nil
}

func newSourceAdd(env *Env) *cobra.Command {
	var n ingest.NewSource
	var credentials credentialFlags
	var best, unchecked bool
	cmd := &cobra.Command{
		Use: "add URL", Short: "Watch a feed", Args: exactArgs(1),
		Long: `Add looks at the URL first. When it is a page and not a feed, it says which feeds
the page offers and adds none; with --discover it adds the best of them. A URL
that cannot be read just now is added all the same.`,
		Example: `  kgl source add https://example.org/feed.xml --tag grants --interval 2h
  kgl source add --discover https://example.org/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if n.Credentials, err = credentials.read(env); err != nil {
				return err
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				n.URL = args[0]
				if !unchecked {
					if n.URL, err = env.chooseFeed(ctx, a, n, best); err != nil {
						return err
					}
				}
				s, err := a.Sources.Create(ctx, n)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(env.Stdout, "added %s %s\n", s.ID, s.URL)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&n.Title, "title", "", "title (default: the feed's own)")
	cmd.Flags().DurationVar(&n.FetchInterval, "interval", 0, "time between fetches, 5m to 168h (default: KGL_FETCH_INTERVAL)")
	cmd.Flags().StringSliceVar(&n.Tags, "tag", nil, "tag; may be repeated")
	cmd.Flags().Int64Var(&n.MaxItems, "max-items", 0, "newest items to keep (default: the installation's)")
	cmd.Flags().Int64Var(&n.MaxAgeDays, "max-age-days", 0, "days after publication to keep an item (default: the installation's)")
	cmd.Flags().BoolVar(&best, "discover", false, "when the URL is a page, add the best of its feeds")
	cmd.Flags().BoolVar(&unchecked, "no-check", false, "do not look at the URL first")
	credentials.add(cmd)
	return cmd
}

// chooseFeed looks at a URL and returns that of the feed to be added.
func (e *Env) chooseFeed(ctx context.Context, a *app.App, n ingest.NewSource, best bool) (string, error) {
	if n.Credentials.User != "" || len(n.Credentials.Header) > 0 {
		// What is sent along may be what makes the difference: no other URL gets it.
		p, err := a.Probe.Test(ctx, n.URL, n.Credentials)
		if err != nil {
			return "", err
		}
		if p.Feed == nil {
			fmt.Fprintf(e.Stderr, "it could not be read just now: %s\n", p.Outcome.Message)
		}
		return n.URL, nil
	}
	found, err := a.Probe.Discover(ctx, n.URL)
	if err != nil {
		return "", err
	}
	switch {
	case len(found.Feeds) > 0 && found.Feeds[0].Method == discover.MethodSelf:
		return n.URL, nil
	case len(found.Feeds) > 0 && found.Feeds[0].Verified && best:
		fmt.Fprintf(e.Stderr, "%s is a page; this is its feed: %s\n", n.URL, cell(found.Feeds[0].Title))
		return found.Feeds[0].URL, nil
	case len(found.Feeds) > 0:
		if err := e.printFound(found); err != nil {
			return "", err
		}
		return "", fmt.Errorf("this is a page and no feed; add one of those above, or the first of them with --discover")
	case found.Outcome != (ingest.Outcome{}):
		fmt.Fprintf(e.Stderr, "it could not be read just now: %s\n", found.Outcome.Message)
		return n.URL, nil
	}
	return "", fmt.Errorf("this is a page that offers no feed; --no-check adds it all the same")
}

func newSourceDiscover(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "discover URL", Short: "Find the feeds of a page", Args: exactArgs(1),
		Long: `Discover looks for the feeds that a page declares, that are known for its site, or
that stand where sites keep them, and fetches each to see whether it is one. It
stores nothing, and exits with 1 when there is none.`,
		Example: "  kgl source discover https://www.youtube.com/@name",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				found, err := a.Probe.Discover(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(env, discoveryJSON(found))
				} else {
					err = env.printFound(found)
				}
				switch {
				case err != nil || len(found.Feeds) > 0:
					return err
				case found.Outcome.Message != "":
					return fmt.Errorf("no feed: %s", found.Outcome.Message)
				}
				return fmt.Errorf("no feed was found")
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// printFound prints the feeds of a page, the best first.
func (e *Env) printFound(found ingest.Discovery) error {
	w := newTable(e.Stdout, "URL", "TITLE", "FORMAT", "ITEMS", "NEWEST", "FOUND BY", "NOTE")
	for _, f := range found.Feeds {
		newest, note := "", ""
		if f.NewestAt != nil {
			newest = f.NewestAt.UTC().Format(time.DateOnly)
		}
		switch {
		case f.SourceID != "":
			note = "watched already"
		case !f.Verified:
			note = f.Outcome.Message
		}
		w.row(f.URL, f.Title, f.Format, fmt.Sprint(f.Items), newest, string(f.Method), note)
	}
	if len(found.Feeds) == 0 {
		return nil
	}
	return w.flush()
}

// jsonError is an Outcome in JSON.
type jsonError struct {
	Code    kgl.Code `json:"code"`
	Message string   `json:"message"`
}

func outcomeJSON(o ingest.Outcome) *jsonError {
	if o == (ingest.Outcome{}) {
		return nil
	}
	return &jsonError{o.Code, o.Message}
}

// jsonDiscovery is a Discovery with the names of the API.
type jsonDiscovery struct {
	URL        string      `json:"url"`
	FinalURL   string      `json:"final_url"`
	HTTPStatus int         `json:"http_status"`
	Title      string      `json:"title"`
	Feeds      []jsonFound `json:"feeds"`
	Requests   int         `json:"requests"`
	Complete   bool        `json:"complete"`
	Error      *jsonError  `json:"error"`
}

type jsonFound struct {
	Rank         int        `json:"rank"`
	URL          string     `json:"url"`
	Title        string     `json:"title"`
	Format       string     `json:"format"`
	Method       string     `json:"method"`
	Rule         string     `json:"rule"`
	Verified     bool       `json:"verified"`
	Items        int        `json:"items"`
	NewestItemAt *time.Time `json:"newest_item_at"`
	SourceID     string     `json:"source_id"`
	Error        *jsonError `json:"error"`
}

func discoveryJSON(d ingest.Discovery) jsonDiscovery {
	out := jsonDiscovery{
		URL: d.URL, FinalURL: d.FinalURL, HTTPStatus: d.HTTPStatus, Title: d.Title, Feeds: []jsonFound{},
		Requests: d.Requests, Complete: d.Complete, Error: outcomeJSON(d.Outcome),
	}
	for i, f := range d.Feeds {
		out.Feeds = append(out.Feeds, jsonFound{
			Rank: i + 1, URL: f.URL, Title: f.Title, Format: f.Format, Method: string(f.Method), Rule: f.Rule, Verified: f.Verified,
			Items: f.Items, NewestItemAt: f.NewestAt, SourceID: f.SourceID, Error: outcomeJSON(f.Outcome),
		})
	}
	return out
}
