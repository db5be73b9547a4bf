package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

// Env is the process around the commands.
type Env struct {
	Args    []string // without the program's name
	Environ []string // as os.Environ
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Clock   kgl.Clock
	Random  io.Reader      // such as crypto/rand.Reader
	Jitter  func() float64 // in [0, 1), safe for concurrent use
	Version string
}

// The exit codes of kgl.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// Run runs one command and returns the exit code of the process: 0 when it
// succeeded, 1 when it failed, 2 when it was called wrongly.
func Run(ctx context.Context, env Env) int {
	root := newRoot(&env)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(env.Stderr, "%s: %s\n", cmd.CommandPath(), describe(err))
	if errors.As(err, new(*usageError)) {
		fmt.Fprintf(env.Stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitError
}

// usageError is an error in how a command was called.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// describe returns the text of an error for the operator, who may see the
// cause, but need not read the codes of the API.
func describe(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var lines []string
		for _, e := range joined.Unwrap() {
			lines = append(lines, describe(e))
		}
		return strings.Join(lines, "\n")
	}
	e, ok := errors.AsType[*kgl.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Message
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return strings.Replace(err.Error(), e.Error(), text, 1)
}

func newRoot(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "kgl",
		Short: "The backend of the Knowledge Graph Lab",
		Long: `kgl watches feeds of the creator economy, keeps each item once, has it enriched
with entities and relationships, and serves all of it over HTTP.

Configuration comes from environment variables that start with KGL_; see
'kgl config' and .env.example.`,
		Example: `  kgl serve                      # serve on 127.0.0.1:8000 with SQLite in ./data
  kgl demo                       # the same on bundled sample feeds, without internet
  kgl source add https://example.org/feed.xml
  kgl feed inspect https://example.org/feed.xml --json`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newServe(env), newDemo(env), newMigrate(env), newUser(env), newSource(env), newFeed(env), newWork(env),
		newBackup(env), newRestore(env), newDB(env), newKeys(env), newAudit(env), newConfig(env), newHealthcheck(env), newVersion(env),
	)
	return root
}

// noArgs and exactArgs are cobra's checks with the exit code of a usage error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.HasSubCommands() {
		return usagef("unknown command %q", args[0])
	}
	return exactArgs(0)(cmd, args)
}

func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return &usageError{err}
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short, long string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(children...)
	return cmd
}

// load reads the configuration and makes the log.
func (e *Env) load(overrides ...string) (*config.Config, app.Env, error) {
	cfg, err := config.Load(append(append([]string(nil), e.Environ...), overrides...))
	if err != nil {
		return nil, app.Env{}, err
	}
	terminal := telemetry.IsTerminal(e.Stderr)
	log := telemetry.NewLogger(e.Stderr, telemetry.LogOptions{
		Level: cfg.Log.Level.Level, Text: asText(cfg.Log.Format, terminal), Color: terminal,
	})
	for _, warning := range cfg.Warnings() {
		log.Warn(warning)
	}
	return cfg, app.Env{Clock: e.Clock, Random: e.Random, Jitter: e.Jitter, Log: log, Version: e.Version}, nil
}

func asText(format config.LogFormat, terminal bool) bool {
	return format == config.LogText || format == config.LogAuto && terminal
}

// withApp opens the application on the configured database, and closes it
// after fn. What fn does is done by the operator.
func (e *Env) withApp(ctx context.Context, fn func(ctx context.Context, a *app.App) error) error {
	cfg, env, err := e.load()
	if err != nil {
		return err
	}
	a, err := app.Open(ctx, cfg, env)
	if err != nil {
		return err
	}
	defer a.Close()
	return fn(kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalOperator, ID: "cli"}), a)
}
