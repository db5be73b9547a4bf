package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/config"
)

func newDB(env *Env) *cobra.Command {
	return group("db", "Move a database", "Db works on whole databases.", newDBCopy(env))
}

// copyFlags are the flags of `kgl db copy`.
type copyFlags struct {
	from, to, fromFile, toFile string
	force, quiet, asJSON       bool
}

func newDBCopy(env *Env) *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "copy --to URL",
		Short: "Copy a database into an empty one, from SQLite to Postgres or back",
		Long: `Copy makes the target the same as the source: every row, the order of events, the
audit log with its chain, accounts, sessions and signing keys. Users log in with the
same passwords; tokens and cursors handed out before stay good. Source and target may
be of either engine. The source is KGL_DATABASE_URL unless --from names another one.

The source is locked until the copy ends: servers on it can read, but what they write
waits and then fails, so stop them first. The target must be empty; its schema is made
by the copy. In the end the whole target is read back, and the number of rows and the
checksum of each table are compared with those of the source.

A copy that was interrupted or killed goes on where it was when the same command is
run again, unless what it had copied has changed in the source; then it starts over
and says so. Until a copy is complete no kgl serves its target.

On Postgres the signing keys are sealed under KGL_MASTER_KEY, with SQLite they lie in
signing-keys.json in KGL_DATA_DIR, or beside the database: copy takes them along,
and seals the credentials of sources under the key of the target.
Others on this machine can see a command line: give a URL with a password in a file,
or give the password in PGPASSWORD or ~/.pgpass.`,
		Example: `  kgl db copy --to postgres://kgl@localhost/kgl
  kgl db copy --from sqlite:///data/kgl.db --to-file /run/secrets/database-url
  kgl db copy --from postgres://kgl@localhost/kgl --to sqlite:///data/copy.db
  kgl db copy --to postgres://kgl@localhost/kgl --force --json > report.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.copyDatabase(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.from, "from", "", "URL of the database to copy (default: KGL_DATABASE_URL)")
	cmd.Flags().StringVar(&f.to, "to", "", "URL of the database to fill")
	cmd.Flags().StringVar(&f.fromFile, "from-file", "", "file that holds the URL of the database to copy; - for standard input")
	cmd.Flags().StringVar(&f.toFile, "to-file", "", "file that holds the URL of the database to fill; - for standard input")
	cmd.Flags().BoolVar(&f.force, "force", false, "delete all that the target holds, also what an earlier run copied")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors and, with --json, the report")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print the report as JSON")
	return cmd
}

func (e *Env) copyDatabase(ctx context.Context, f copyFlags) error {
	from, err := e.databaseFlag("from", f.from, f.fromFile)
	if err != nil {
		return err
	}
	to, err := e.databaseFlag("to", f.to, f.toFile)
	if err != nil {
		return err
	}
	if to == nil {
		return usagef("name the database to fill with --to or --to-file")
	}
	cfg, appEnv, err := e.load()
	if err != nil {
		return err
	}
	if from == nil {
		from = &cfg.Database.URL
	}
	opts := app.CopyOptions{From: *from, To: *to, Force: f.force}
	var bar *copyBar
	if !f.quiet {
		bar = newCopyBar(e.Stderr, e.Clock)
		opts.Progress, opts.Note = bar.show, bar.note
		bar.note(fmt.Sprintf("copying %s to %s", from, to))
		if hasPassword(f.from) || hasPassword(f.to) {
			bar.note("others on this machine can see the password in this command line: use --from-file, --to-file or PGPASSWORD")
		}
	}
	start := e.Clock.Now()
	report, err := app.CopyDatabase(ctx, cfg, appEnv, opts)
	bar.end()
	if errors.Is(err, app.ErrCopyStopped) {
		return app.ErrCopyStopped // without the cause, which says less
	}
	if err != nil {
		return err
	}
	return e.reportCopy(report, e.Clock.Now().Sub(start), f)
}

// databaseFlag returns the URL that a flag, or the file that another one names,
// gives; nil for none.
func (e *Env) databaseFlag(name, text, file string) (*config.DatabaseURL, error) {
	const longest = 8 << 10
	switch {
	case text != "" && file != "":
		return nil, usagef("--%s and --%s-file exclude each other", name, name)
	case file != "":
		content, err := e.readInput(file, longest)
		if err != nil {
			return nil, fmt.Errorf("--%s-file: %w", name, err)
		}
		text = strings.TrimSpace(string(content))
	case text == "":
		return nil, nil
	}
	u, err := config.ParseDatabaseURL(text)
	if err != nil {
		return nil, usagef("--%s: %w", name, err)
	}
	return &u, nil
}

func hasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return false
	}
	_, set := u.User.Password()
	return set
}

// reportCopy prints what was copied.
func (e *Env) reportCopy(report app.CopyReport, took time.Duration, f copyFlags) error {
	if f.asJSON {
		encoder := json.NewEncoder(e.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			app.CopyReport
			Rows    int64   `json:"rows"`
			Seconds float64 `json:"seconds"`
		}{report, report.Rows(), took.Seconds()})
	}
	if f.quiet {
		return nil
	}
	t := newTable(e.Stdout, "TABLE", "ROWS", "CHECKSUM OF BOTH")
	for _, row := range report.Tables {
		t.row(row.Name, thousands(row.Rows), row.Sum.String()[:16])
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, name := range report.Ignored {
		fmt.Fprintf(e.Stdout, "not copied, since it is not KGL's: %s\n", name)
	}
	_, err := fmt.Fprintf(e.Stdout, "copied %s rows of %d tables and %d signing keys in %v; source and target are the same\n",
		thousands(report.Rows()), len(report.Tables), report.Keys, took.Round(100*time.Millisecond))
	return err
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
