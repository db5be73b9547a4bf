package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// shownFailures is how many lines that failed are printed without a report.
const shownFailures = 10

func newSourceImport(env *Env) *cobra.Command {
	var n ingest.NewImport
	var report string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Watch the feeds of an OPML list", Args: exactArgs(1),
		Long: `Import adds the feeds of an OPML file ('-' for standard input) that are not watched
yet. Folders and categories of the list become tags. Lines that cannot be added
keep no other from it: the exit code is 0 as long as any feed of the list is
watched afterwards, and 1 when none is. --report writes what became of each line
as CSV. When the command is interrupted, a running server goes on with the import.`,
		Example: `  kgl source import subscriptions.opml --tag imported
  kgl source import subscriptions.opml --dry-run --report -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if n.Body, err = env.readInput(args[0], ingest.MaxImportBytes); err != nil {
				return err
			}
			if args[0] != "-" {
				n.FileName = filepath.Base(args[0])
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				i, err := a.Imports.Start(ctx, n)
				if err != nil {
					return err
				}
				if i, err = env.followImport(ctx, a, i); err != nil {
					return err
				}
				if report != "" {
					if err := env.writeReport(ctx, a, i, report); err != nil {
						return err
					}
				}
				return env.sumUp(ctx, a, i, report != "")
			})
		},
	}
	cmd.Flags().StringSliceVar(&n.Tags, "tag", nil, "tag for every source that is added; may be repeated")
	cmd.Flags().BoolVar(&n.DryRun, "dry-run", false, "only tell what would be added")
	cmd.Flags().StringVar(&report, "report", "", "write what became of each line to this file, as CSV ('-': standard output)")
	return cmd
}

// followImport works on the import until it ends, unless a running server was
// faster and does.
func (e *Env) followImport(ctx context.Context, a *app.App, i kgl.SourceImport) (kgl.SourceImport, error) {
	bar := &importBar{w: e.Stderr, clock: e.Clock, terminal: telemetry.IsTerminal(e.Stderr), shown: e.Clock.Now()}
	defer bar.clear()
	worker := a.ImportWorker()
	worker.Progress = func(now kgl.SourceImport) {
		if now.ID == i.ID {
			bar.show(now)
		}
	}
	ctx = kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalSystem, ID: "cli"})
	for i.State == kgl.ImportPending || i.State == kgl.ImportRunning {
		worked, err := worker.Once(ctx)
		if err != nil {
			return i, err
		}
		if i, err = a.Imports.Get(ctx, i.ID); err != nil {
			return i, err
		}
		bar.show(i)
		if !worked {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return i, ctx.Err()
			}
		}
	}
	return i, nil
}

// sumUp prints the outcome, and fails when nothing of the list is watched.
func (e *Env) sumUp(ctx context.Context, a *app.App, i kgl.SourceImport, reported bool) error {
	verb := "added"
	if i.DryRun {
		verb = "would add"
	}
	fmt.Fprintf(e.Stdout, "%s %d of %d feeds; %d are watched already, %d cannot be watched\n", verb, i.Added, i.Total, i.Existing, i.Failed)
	if i.State == kgl.ImportCanceled {
		return errors.New("the import was canceled")
	}
	if i.Failed == 0 {
		return nil
	}
	if !reported {
		if err := e.showFailures(ctx, a, i); err != nil {
			return err
		}
	}
	if i.Added+i.Existing == 0 {
		return errors.New("none of the feeds can be watched")
	}
	return nil
}

func (e *Env) showFailures(ctx context.Context, a *app.App, i kgl.SourceImport) error {
	l, err := a.Imports.Lines(ctx, i.ID, []kgl.LineOutcome{kgl.LineFailed}, kgl.Page{Limit: shownFailures})
	if err != nil {
		return err
	}
	for _, line := range l.Rows {
		fmt.Fprintf(e.Stderr, "line %d: %s: %s\n", line.Line, cell(line.URL), cell(line.Message))
	}
	if l.Next != nil {
		fmt.Fprintf(e.Stderr, "and %d more; --report FILE tells of all\n", i.Failed-shownFailures)
	}
	return nil
}

// writeReport writes a row for each line of the list.
func (e *Env) writeReport(ctx context.Context, a *app.App, i kgl.SourceImport, path string) (err error) {
	out := e.Stdout
	if path != "-" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // URLs of feeds may be secret
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	w := csv.NewWriter(out)
	rows := [][]string{{"line", "outcome", "url", "title", "source_id", "error_code", "message"}}
	listErr := eachRow(func(p kgl.Page) (kgl.List[kgl.ImportLine], error) {
		return a.Imports.Lines(ctx, i.ID, nil, p)
	}, func(l kgl.ImportLine) {
		rows = append(rows, []string{fmt.Sprint(l.Line), string(l.Outcome), l.URL, l.Title, l.SourceID, l.ErrorCode, l.Message})
	})
	return errors.Join(listErr, w.WriteAll(rows))
}

// importBar shows how far an import has come: as a bar on a terminal, as plain
// lines elsewhere.
type importBar struct {
	w        io.Writer
	clock    kgl.Clock
	terminal bool
	shown    time.Time
	drawn    bool
}

func (b *importBar) show(i kgl.SourceImport) {
	now := b.clock.Now()
	text := fmt.Sprintf("%d of %d feeds, %d added", i.Processed, i.Total, i.Added)
	switch {
	case b.terminal && (!b.drawn || now.Sub(b.shown) >= redrawEvery || i.Processed == i.Total):
		filled := barWidth
		if i.Total > 0 {
			filled = int(barWidth * i.Processed / i.Total)
		}
		b.shown, b.drawn = now, true
		fmt.Fprintf(b.w, "\r\033[K[%s%s] %3d %%  %s", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), percent(i.Processed, i.Total), text)
	case !b.terminal && now.Sub(b.shown) >= lineEvery:
		b.shown = now
		fmt.Fprintln(b.w, text)
	}
}

// clear removes the bar.
func (b *importBar) clear() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\033[K")
		b.drawn = false
	}
}
