package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxOPMLBytes bounds an OPML file that is imported.
const maxOPMLBytes = 16 << 20

func newSource(env *Env) *cobra.Command {
	return group("source", "Manage sources, directly on the database",
		`Source works on the configured database, also while the server runs. A running
server fetches a new source within seconds.`,
		newSourceAdd(env), newSourceList(env), newSourceImport(env), newSourceExport(env), newSourceRefresh(env), newSourceDelete(env))
}

func newSourceAdd(env *Env) *cobra.Command {
	var title string
	var interval time.Duration
	var tags []string
	cmd := &cobra.Command{
		Use: "add URL", Short: "Watch a feed", Args: exactArgs(1),
		Example: "  kgl source add https://example.org/feed.xml --tag grants --interval 2h",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				s, err := a.Sources.Create(ctx, ingest.NewSource{URL: args[0], Title: title, FetchInterval: interval, Tags: tags})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(env.Stdout, "added %s %s\n", s.ID, s.URL)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&title, "title", "", "title (default: the feed's own)")
	cmd.Flags().DurationVar(&interval, "interval", 0, "time between fetches, 5m to 168h (default: KGL_FETCH_INTERVAL)")
	cmd.Flags().StringSliceVar(&tags, "tag", nil, "tag; may be repeated")
	return cmd
}

func newSourceList(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the sources", Args: noArgs,
		Example: "  kgl source list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				w := newTable(env.Stdout, "ID", "STATUS", "LAST SUCCESS", "TITLE", "URL", "ERROR")
				err := eachRow(func(p kgl.Page) (kgl.List[kgl.Source], error) {
					return a.Sources.List(ctx, kgl.SourceFilter{}, kgl.SourceNewestFirst, p)
				}, func(s kgl.Source) {
					w.row(s.ID, string(s.Status), when(s.LastSuccessAt), s.Title, s.URL, s.LastError)
				})
				if err != nil {
					return err
				}
				return w.flush()
			})
		},
	}
}

func newSourceImport(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Watch the feeds of an OPML list", Args: exactArgs(1),
		Long:    "Import adds the feeds of an OPML file ('-' for standard input) that are not watched yet.",
		Example: "  kgl source import subscriptions.opml",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := env.readInput(args[0], maxOPMLBytes)
			if err != nil {
				return err
			}
			list, err := feed.ParseOPML(cmd.Context(), body)
			if err != nil {
				return err
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				done, err := a.Sources.Subscribe(ctx, list)
				fmt.Fprintf(env.Stdout, "added %d of %d feeds, %d could not be added\n", done.Added, len(list), len(done.Refused))
				return errors.Join(append(done.Refused, err)...)
			})
		},
	}
}

func newSourceExport(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print the sources as an OPML list", Args: noArgs,
		Long:    "Export prints every source, paused and failing ones too, with its tags as categories. 'kgl source import' reads it.",
		Example: "  kgl source export > subscriptions.opml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				var list []feed.Subscription
				err := eachRow(func(p kgl.Page) (kgl.List[kgl.Source], error) {
					return a.Sources.List(ctx, kgl.SourceFilter{}, kgl.SourceByTitle, p)
				}, func(s kgl.Source) {
					list = append(list, feed.Subscription{Title: s.Title, FeedURL: s.URL, SiteURL: s.SiteURL, Categories: s.Tags})
				})
				if err != nil {
					return err
				}
				return feed.WriteOPML(env.Stdout, "Sources of the KGL backend", env.Clock.Now(), list)
			})
		},
	}
}

func newSourceRefresh(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "refresh ID", Short: "Have a source fetched now", Args: exactArgs(1),
		Example: "  kgl source refresh 019cb000-0000-7000-8000-000000000001",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				if _, err := a.Sources.Refresh(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintln(env.Stdout, "due now; a running server fetches it within seconds")
				return err
			})
		},
	}
}

func newSourceDelete(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Forget a source and its content", Args: exactArgs(1),
		Example: "  kgl source delete 019cb000-0000-7000-8000-000000000001",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				if err := a.Sources.Delete(ctx, args[0], nil); err != nil {
					return err
				}
				_, err := fmt.Fprintln(env.Stdout, "deleted")
				return err
			})
		},
	}
}
