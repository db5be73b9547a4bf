package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func newSourceEdit(env *Env) *cobra.Command {
	f := &sourceFlags{}
	var all, pause, resume, refresh, remove, dryRun bool
	var add, drop, set []string
	var interval time.Duration
	var maxItems, maxAge int64
	var consents consentFlags
	cmd := &cobra.Command{
		Use: "edit [ID...]", Short: "Change many sources at once",
		Long: `Edit changes the sources with the ids, or those that --tag, --health, --status and
--host find together; --all means every one. Sources that cannot be changed are
told of and keep no other from it. A tag is renamed by adding the new one and
removing the old one.`,
		Example: `  kgl source edit --tag grant --add-tag grants --remove-tag grant
  kgl source edit --health gone --delete --dry-run
  kgl source edit --host blog.example.org --interval 6h
  kgl source edit --tag press --ai-processing=deny --publication=allow`,
		RunE: func(cmd *cobra.Command, args []string) error {
			which, err := f.selection(args, all)
			if err != nil {
				return err
			}
			what := ingest.BulkAction{AddTags: add, RemoveTags: drop, Refresh: refresh, Delete: remove}
			changed := cmd.Flags().Changed
			if changed("set-tag") {
				what.SetTags = &set
			}
			if changed("interval") {
				what.FetchInterval = &interval
			}
			if changed("max-items") {
				what.MaxItems = &maxItems
			}
			if changed("max-age-days") {
				what.MaxAgeDays = &maxAge
			}
			if what.Consents, err = consents.choice(); err != nil {
				return err
			}
			switch {
			case pause && resume:
				return usagef("--pause and --resume exclude each other")
			case pause:
				what.Status = statusOf(kgl.SourcePaused)
			case resume:
				what.Status = statusOf(kgl.SourceActive)
			}
			return env.bulk(cmd.Context(), which, what, dryRun)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every source")
	cmd.Flags().StringSliceVar(&add, "add-tag", nil, "tag to add; may be repeated")
	cmd.Flags().StringSliceVar(&drop, "remove-tag", nil, "tag to remove; may be repeated")
	cmd.Flags().StringSliceVar(&set, "set-tag", nil, "tag in place of all tags; may be repeated; '' for none")
	cmd.Flags().BoolVar(&pause, "pause", false, "stop fetching")
	cmd.Flags().BoolVar(&resume, "resume", false, "fetch again, at once")
	cmd.Flags().BoolVar(&refresh, "refresh", false, "fetch now")
	cmd.Flags().BoolVar(&remove, "delete", false, "forget the sources and their content")
	cmd.Flags().DurationVar(&interval, "interval", 0, "time between fetches; 0 for the default")
	cmd.Flags().Int64Var(&maxItems, "max-items", 0, "newest items to keep; 0 for the default")
	cmd.Flags().Int64Var(&maxAge, "max-age-days", 0, "days after publication to keep an item; 0 for the default")
	consents.add(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what would be changed")
	return cmd
}

func statusOf(s kgl.SourceStatus) *kgl.SourceStatus { return &s }

// selection returns the sources that the arguments and flags choose.
func (f *sourceFlags) selection(ids []string, all bool) (ingest.BulkSelect, error) {
	filter, err := f.filter()
	switch {
	case err != nil:
		return ingest.BulkSelect{}, err
	case len(ids) > 0 && (all || f.given()):
		return ingest.BulkSelect{}, usagef("ids and filters exclude each other")
	case len(ids) > 0:
		return ingest.BulkSelect{IDs: ids}, nil
	case !all && !f.given():
		return ingest.BulkSelect{}, usagef("which sources: give ids, a filter or --all")
	}
	return ingest.BulkSelect{Filter: &filter}, nil
}

// bulk edits sources, batch by batch, and tells of it.
func (e *Env) bulk(ctx context.Context, which ingest.BulkSelect, what ingest.BulkAction, dryRun bool) error {
	return e.withApp(ctx, func(ctx context.Context, a *app.App) error {
		var matched, changed, failed int
		for {
			done, err := a.Sources.Bulk(ctx, which, what, dryRun)
			if err != nil {
				return err
			}
			matched, changed, failed = matched+done.Matched, changed+done.Changed, failed+len(done.Failures)
			for _, f := range done.Failures {
				fmt.Fprintf(e.Stderr, "%s: %s\n", f.SourceID, f.Message)
			}
			if which.After = done.Next; which.After == nil {
				break
			}
		}
		verb := "changed"
		if dryRun {
			verb = "would change"
		}
		fmt.Fprintf(e.Stdout, "%s %d of %d sources\n", verb, changed, matched)
		if failed > 0 && changed == 0 {
			return fmt.Errorf("no source could be changed")
		}
		return nil
	})
}

// newSourcePause and newSourceResume are what people look for first.
func newSourcePause(env *Env) *cobra.Command {
	return newStatusCommand(env, "pause", "Stop fetching sources", kgl.SourcePaused)
}

func newSourceResume(env *Env) *cobra.Command {
	return newStatusCommand(env, "resume", "Fetch sources again that are paused, failing or gone", kgl.SourceActive)
}

func newStatusCommand(env *Env, name, short string, status kgl.SourceStatus) *cobra.Command {
	f := &sourceFlags{}
	var all bool
	cmd := &cobra.Command{
		Use: name + " [ID...]", Short: short,
		Example: "  kgl source " + name + " --tag grants",
		RunE: func(cmd *cobra.Command, args []string) error {
			which, err := f.selection(args, all)
			if err != nil {
				return err
			}
			return env.bulk(cmd.Context(), which, ingest.BulkAction{Status: &status}, false)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every source")
	return cmd
}

func newSourceTags(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "tags", Short: "List the tags of all sources", Args: noArgs,
		Example: "  kgl source tags",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				w := newTable(env.Stdout, "TAG", "SOURCES")
				err := eachRow(func(p kgl.Page) (kgl.List[kgl.TagCount], error) { return a.Sources.Tags(ctx, p) },
					func(t kgl.TagCount) { w.row(t.Tag, fmt.Sprint(t.Count)) })
				if err != nil {
					return err
				}
				return w.flush()
			})
		},
	}
}
