package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/config"
)

func newRestore(env *Env) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the SQLite database and its signing keys",
		Long: `Restore checks a backup on a copy beside the database, as 'kgl backup verify' does,
and only then puts it in place. It refuses while a server or another program has the
database open. With --force it moves a database that is there aside, to a name with
the time in it; nothing is deleted. A killed restoration leaves the old database.

Run it as the user that the server runs as, so that the server can read the files.
Postgres is restored by its own pg_restore: restore then prints the command, and fails.`,
		Example: `  kgl restore /var/backups/kgl-2026-11-22.db
  kgl restore --force latest.db`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.restore(cmd.Context(), args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "move a database that is there aside")
	return cmd
}

func (e *Env) restore(ctx context.Context, file string, force bool) error {
	cfg, appEnv, err := e.load()
	if err != nil {
		return err
	}
	meter := newMeter(e.Stderr)
	done, err := app.Restore(ctx, cfg, appEnv, file, force, meter.show)
	meter.end()
	if errors.Is(err, app.ErrBackupEngine) {
		return restoreAdvice(cfg, file)
	}
	if err != nil {
		return err
	}
	return e.tellRestored(cfg, file, done)
}

func (e *Env) tellRestored(cfg *config.Config, file string, done app.Restored) error {
	b := done.Backup
	fmt.Fprintf(e.Stdout, "restored %s to %s: made %s by kgl %s, %s\n", file, cfg.Database.URL, when(&b.CreatedAt), b.Version, contentsOf(b))
	if done.Aside != "" {
		fmt.Fprintf(e.Stdout, "the old database is now %s\n", done.Aside)
	}
	if done.KeysAside != "" {
		fmt.Fprintf(e.Stdout, "the old signing keys are now %s\n", done.KeysAside)
	}
	if done.SourceKeyAside != "" {
		fmt.Fprintf(e.Stdout, "the old key of the credentials of sources is now %s; nothing but the old database needs it\n", done.SourceKeyAside)
	}
	if len(b.Files) == 0 {
		fmt.Fprintln(e.Stdout, "the backup has no signing keys: the next start makes new ones where there are none, and users log in again")
	}
	next := "start the server: kgl serve"
	switch {
	case b.Schema < b.Latest && cfg.MigrateOnStart():
		next += fmt.Sprintf(", which migrates the schema from version %d to %d", b.Schema, b.Latest)
	case b.Schema < b.Latest:
		next = fmt.Sprintf("run kgl migrate up, which takes the schema from version %d to %d, and then kgl serve", b.Schema, b.Latest)
	}
	_, err := fmt.Fprintf(e.Stdout, "next: %s\n", next)
	return err
}
