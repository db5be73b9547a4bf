package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/config"
)

func newMigrate(env *Env) *cobra.Command {
	var steps int
	down := &cobra.Command{
		Use:   "down",
		Short: "Take migrations back",
		Long: `Down takes the newest migrations back. What they added to the schema is dropped,
with the data in it: make a backup first.`,
		Example: "  kgl migrate down --steps 1",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.migrate(cmd, func(ctx context.Context, m app.Migrator) error { return m.Down(ctx, steps) })
		},
	}
	down.Flags().IntVar(&steps, "steps", 1, "how many migrations to take back")
	return group("migrate", "Change the schema of the database",
		`Migrate brings the schema of the database to what this binary needs. Any number of
processes may call it at once: one migrates, the others wait.`,
		&cobra.Command{
			Use: "up", Short: "Apply all migrations that the database lacks", Args: noArgs,
			Example: "  KGL_DATABASE_URL=postgres://kgl@localhost/kgl kgl migrate up",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return env.migrate(cmd, func(ctx context.Context, m app.Migrator) error { return m.Up(ctx) })
			},
		},
		down,
		&cobra.Command{
			Use: "status", Short: "Compare the schema with what this binary needs", Args: noArgs,
			Example: "  kgl migrate status",
			Long:    "Status exits with 0 when the schema is current and with 1 when it is not.",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return env.migrate(cmd, func(ctx context.Context, m app.Migrator) error { return m.Check(ctx) })
			},
		},
	)
}

// migrate runs fn and prints the version that the database has then.
func (e *Env) migrate(cmd *cobra.Command, fn func(context.Context, app.Migrator) error) error {
	cfg, _, err := e.load()
	if err != nil {
		return err
	}
	m, err := app.NewMigrator(cfg)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if err := fn(ctx, m); err != nil {
		return errors.Join(err, e.printSchema(ctx, cfg, m))
	}
	return e.printSchema(ctx, cfg, m)
}

func (e *Env) printSchema(ctx context.Context, cfg *config.Config, m app.Migrator) error {
	status, err := m.Status(ctx)
	if err != nil {
		return err
	}
	state := ""
	if status.Dirty {
		state = ", dirty"
	}
	_, err = fmt.Fprintf(e.Stdout, "database %s\nversion  %d of %d%s\n", cfg.Database.URL, status.Version, status.Latest, state)
	return err
}
