package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func newSource(env *Env) *cobra.Command {
	return group("source", "Manage sources, directly on the database",
		`Source works on the configured database, also while the server runs. A running
server fetches a new source within seconds.`,
		newSourceDiscover(env), newSourceTest(env), newSourceAdd(env), newSourceShow(env), newSourceList(env), newSourceImport(env), newSourceExport(env),
		newSourceEdit(env), newSourcePause(env), newSourceResume(env), newSourceTags(env), newSourceRefresh(env), newSourceDelete(env))
}

func newSourceList(env *Env) *cobra.Command {
	f := &sourceFlags{}
	cmd := &cobra.Command{
		Use: "list", Short: "List the sources", Args: noArgs,
		Example: "  kgl source list --health failing --health throttled",
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter()
			if err != nil {
				return err
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				w := newTable(env.Stdout, "ID", "STATUS", "HEALTH", "LAST SUCCESS", "NEXT FETCH", "TITLE", "URL", "ERROR")
				err := eachRow(func(p kgl.Page) (kgl.List[kgl.Source], error) {
					return a.Sources.List(ctx, filter, kgl.SourceNewestFirst, p)
				}, func(s kgl.Source) {
					w.row(s.ID, string(s.Status), string(s.Health), when(s.LastSuccessAt), when(s.NextFetchAt), s.Title, s.URL, s.LastError)
				})
				if err != nil {
					return err
				}
				return w.flush()
			})
		},
	}
	f.add(cmd)
	return cmd
}

func newSourceExport(env *Env) *cobra.Command {
	f := &sourceFlags{}
	cmd := &cobra.Command{
		Use: "export", Short: "Print the sources as an OPML list", Args: noArgs,
		Long: `Export prints every source, paused and failing ones too, with its tags as
categories. 'kgl source import' reads it. Request headers and passwords are not
in it.`,
		Example: "  kgl source export > subscriptions.opml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter()
			if err != nil {
				return err
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				return a.Sources.Export(ctx, env.Stdout, filter)
			})
		},
	}
	f.add(cmd)
	return cmd
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

// sourceFlags choose sources.
type sourceFlags struct {
	status, health []string
	tag, host      string
}

func (f *sourceFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.status, "status", nil, "only those that are active, paused, failing or gone; may be repeated")
	cmd.Flags().StringSliceVar(&f.health, "health", nil, "only those that are pending, ok, quiet, failing, throttled, moved or gone; may be repeated")
	cmd.Flags().StringVar(&f.tag, "tag", "", "only those with this tag")
	cmd.Flags().StringVar(&f.host, "host", "", "only those on this host")
}

// given reports whether any of them was set.
func (f *sourceFlags) given() bool {
	return len(f.status)+len(f.health) > 0 || f.tag != "" || f.host != ""
}

func (f *sourceFlags) filter() (kgl.SourceFilter, error) {
	filter := kgl.SourceFilter{Tag: f.tag, Host: f.host}
	for _, word := range f.status {
		status := kgl.SourceStatus(word)
		if !slices.Contains([]kgl.SourceStatus{kgl.SourceActive, kgl.SourcePaused, kgl.SourceFailing, kgl.SourceGone}, status) {
			return filter, usagef("--status: %q is none of active, paused, failing, gone", word)
		}
		filter.Status = append(filter.Status, status)
	}
	for _, word := range f.health {
		health := kgl.SourceHealth(word)
		if !slices.Contains([]kgl.SourceHealth{
			kgl.HealthPending, kgl.HealthOK, kgl.HealthQuiet, kgl.HealthFailing, kgl.HealthThrottled, kgl.HealthMoved, kgl.HealthGone,
		}, health) {
			return filter, usagef("--health: %q is none of pending, ok, quiet, failing, throttled, moved, gone", word)
		}
		filter.Health = append(filter.Health, health)
	}
	return filter, nil
}
