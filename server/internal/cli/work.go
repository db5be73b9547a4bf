package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func newWork(env *Env) *cobra.Command {
	return group("work", "Look at the tasks of extractors, directly on the database",
		`Work shows the queue of tasks from which the extractors of this service and the
AI module live, and gives dead tasks another chance. It works on the configured
database, also while the server runs.`,
		newWorkStats(env), newWorkList(env), newWorkRequeue(env))
}

func newWorkStats(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Print the backlog of each lane", Args: noArgs, Example: "  kgl work stats",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				lanes, err := a.Work().Stats(ctx)
				if err != nil {
					return err
				}
				w := newTable(env.Stdout, "LANE", "NEW ITEMS", "PENDING", "WAITING", "LEASED", "WITHHELD", "DONE", "DEAD", "OLDEST PENDING")
				for _, l := range lanes {
					fed := "no"
					if l.Active {
						fed = "yes"
					}
					cells := []string{l.Lane, fed}
					for _, n := range []int64{l.Pending, l.Waiting, l.Leased, l.Withheld, l.Done, l.Dead} {
						cells = append(cells, strconv.FormatInt(n, 10))
					}
					w.row(append(cells, when(l.OldestPendingAt))...)
				}
				return w.flush()
			})
		},
	}
}

func newWorkList(env *Env) *cobra.Command {
	var f kgl.TaskFilter
	var state string
	var most int
	cmd := &cobra.Command{
		Use: "list", Short: "List tasks, the last changed first", Args: noArgs,
		Example: "  kgl work list --state dead --lane ai",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.State = kgl.TaskState(state); state != "" && !slices.Contains(kgl.TaskStates(), f.State) {
				return usagef("--state must be one of %v", kgl.TaskStates())
			}
			if most < 1 || most > kgl.MaxPageLimit {
				return usagef("--limit must be between 1 and %d", kgl.MaxPageLimit)
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				list, err := a.Work().Tasks(ctx, f, kgl.Page{Limit: most})
				if err != nil {
					return err
				}
				w := newTable(env.Stdout, "ID", "LANE", "STATE", "PRIORITY", "ATTEMPTS", "CHANGED", "ITEM", "SOURCE", "LEASED BY", "ERROR")
				for _, t := range list.Rows {
					w.row(t.ID, t.Extractor, string(t.State), strconv.FormatInt(t.Priority, 10), strconv.FormatInt(t.Attempts, 10),
						when(&t.UpdatedAt), t.ContentID, t.SourceID, t.LeaseOwner, t.LastError)
				}
				return w.flush()
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only of this state: pending, waiting, leased, withheld, done or dead")
	cmd.Flags().StringVar(&f.SourceID, "source", "", "only of items of the source with this id")
	cmd.Flags().StringVar(&f.Lane, "lane", "", "only of this lane: builtin, mock or ai")
	cmd.Flags().IntVar(&most, "limit", 50, "tasks at most")
	return cmd
}

func newWorkRequeue(env *Env) *cobra.Command {
	var f kgl.DeadTaskFilter
	var all bool
	var priority int64
	cmd := &cobra.Command{
		Use: "requeue", Short: "Give dead tasks another chance", Args: noArgs,
		Long: `Requeue makes dead tasks pending again, with no attempts counted, those first that
died first. A running server takes them up within seconds.`,
		Example: "  kgl work requeue --lane ai\n  kgl work requeue --id 0198c6f0-0000-7000-8000-000000000011 --priority 10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !all && len(f.IDs) == 0 && f.SourceID == "" && f.Lane == "" {
				return usagef("say which: --id, --source or --lane, or --all")
			}
			if priority < -10 || priority > 10 {
				return usagef("--priority must be between -10 and 10")
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				for total := int64(0); ; {
					n, left, err := a.Work().Requeue(ctx, f, priority)
					total += n
					if err != nil || left == 0 || n == 0 {
						fmt.Fprintf(env.Stdout, "requeued %d tasks\n", total)
						return err
					}
				}
			})
		},
	}
	cmd.Flags().StringArrayVar(&f.IDs, "id", nil, "the task with this id; can be repeated")
	cmd.Flags().StringVar(&f.SourceID, "source", "", "tasks of items of the source with this id")
	cmd.Flags().StringVar(&f.Lane, "lane", "", "tasks of this lane: builtin, mock or ai")
	cmd.Flags().BoolVar(&all, "all", false, "all dead tasks")
	cmd.Flags().Int64Var(&priority, "priority", 0, "from -10 to 10; greater ones come first")
	return cmd
}
