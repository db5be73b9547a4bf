package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/config"
)

// secretsNote is what whoever keeps a backup must know.
const secretsNote = "it holds the hashes of all passwords and the keys that sign access tokens: keep it as secret as a password"

func newBackup(env *Env) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the SQLite database and its signing keys to one file",
		Long: `Backup writes the database as it is at one moment, and its key files, to one new
file that only you can read. Servers may run and write meanwhile. The file appears
under its name when it is whole, checked and on the disk, so a backup that was killed
leaves nothing that looks like one. It is an SQLite file that every SQLite tool opens.

Postgres is backed up by its own pg_dump: backup then prints the command, and fails.`,
		Example: `  kgl backup /var/backups/kgl-$(date +%F).db
  kgl backup --force latest.db
  kgl backup verify latest.db`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.backup(cmd.Context(), args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is a backup; other files never are")
	cmd.AddCommand(&cobra.Command{
		Use:   "verify FILE",
		Short: "Check that a backup is whole and can be restored by this kgl",
		Long: `Verify reads all of a backup: the SHA-256 that was written with it, SQLite's own
check of every page, index and reference, the number of rows of each table, and the
version of the schema. It changes nothing and needs no configuration.`,
		Example: "  kgl backup verify /var/backups/kgl-2026-11-22.db",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.verifyBackup(cmd.Context(), args[0])
		},
	})
	return cmd
}

func (e *Env) backup(ctx context.Context, file string, force bool) error {
	cfg, appEnv, err := e.load()
	if err != nil {
		return err
	}
	meter := newMeter(e.Stderr)
	info, err := app.Backup(ctx, cfg, appEnv, file, force, meter.show)
	meter.end()
	if errors.Is(err, app.ErrBackupEngine) {
		return dumpAdvice(cfg, file)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Stderr, "note: %s\n", secretsNote)
	size, err := os.Stat(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Stdout, "wrote %s: %s, %s\n", file, bytesText(size.Size()), contentsOf(info))
	return err
}

func (e *Env) verifyBackup(ctx context.Context, file string) error {
	meter := newMeter(e.Stderr)
	info, err := app.VerifyBackup(ctx, file, meter.show)
	meter.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Stdout, "%s is whole: made %s by kgl %s, %s\n", file, when(&info.CreatedAt), info.Version, contentsOf(info))
	return err
}

// contentsOf says in a line what a backup holds.
func contentsOf(info app.BackupInfo) string {
	var rows int64
	for _, n := range info.Rows {
		rows += n
	}
	keys := "no signing keys"
	if len(info.Files) > 0 {
		keys = "with " + strings.Join(info.Files, ", ")
	}
	return fmt.Sprintf("schema %d, %d rows in %d tables, %s", info.Schema, rows, len(info.Rows), keys)
}

// dumpAdvice is the error of a backup on Postgres: it says what to run instead.
func dumpAdvice(cfg *config.Config, file string) error {
	return fmt.Errorf(`the database is Postgres, which is backed up by its own tool, of the version of the server or newer:

  pg_dump --format=custom --no-owner --no-privileges --file=%s %s

It asks for the password, unless PGPASSWORD or ~/.pgpass has it. The dump holds the
hashes of all passwords; the keys that sign access tokens are in it sealed, and open
with KGL_MASTER_KEY only: keep that elsewhere, and do not lose it`,
		shellQuote(file), shellQuote(urlForLibpq(cfg.Database.URL.PostgresURL())))
}

// restoreAdvice is the error of a restoration on Postgres.
func restoreAdvice(cfg *config.Config, file string) error {
	return fmt.Errorf(`the database is Postgres, which is restored by its own tool, into an empty database:

  pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname=%s %s

It asks for the password, unless PGPASSWORD or ~/.pgpass has it. The servers need the
KGL_MASTER_KEY that they had when the dump was made`,
		shellQuote(urlForLibpq(cfg.Database.URL.PostgresURL())), shellQuote(file))
}

// libpqParameters are the parameters of a URL that libpq knows too; it refuses
// those of the Go driver.
func libpqParameters() []string {
	return []string{"application_name", "channel_binding", "connect_timeout", "host", "hostaddr", "options", "port",
		"sslcert", "sslkey", "sslmode", "sslrootcert", "target_session_attrs", "user"}
}

// urlForLibpq returns a URL of Postgres for its own tools, without the password.
func urlForLibpq(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "postgres://" // checked by the configuration, which never repeats it
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	for name := range query {
		if !slices.Contains(libpqParameters(), name) {
			query.Del(name)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// shellQuote returns a word that a POSIX shell reads as text.
func shellQuote(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-./:@=+,%", r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
