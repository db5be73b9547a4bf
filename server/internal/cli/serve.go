package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/config"
	"github.com/peermesh/kgl-backend/server/internal/telemetry"
)

func newServe(env *Env) *cobra.Command {
	var roles, addr string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API and do the work behind it",
		Long: `Serve runs until it is told to stop (SIGINT or SIGTERM); then it finishes or gives
back its work within KGL_STOP_TIMEOUT.

The roles say what this process does: api answers requests, ingest fetches feeds,
enrich extracts entities, deliver sends what subscribers wait for. A process
without api answers /health, /ready and /metrics only.`,
		Example: `  kgl serve
  KGL_DATABASE_URL=postgres://kgl@localhost/kgl kgl serve --roles api
  KGL_DATABASE_URL=postgres://kgl@localhost/kgl kgl serve --roles ingest,enrich`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var overrides []string
			if cmd.Flags().Changed("roles") {
				overrides = append(overrides, "KGL_ROLES="+roles)
			}
			if cmd.Flags().Changed("addr") {
				overrides = append(overrides, "KGL_ADDR="+addr)
			}
			cfg, appEnv, err := env.load(overrides...)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, appEnv, app.ServeOptions{OnReady: announce(env.Stderr)})
		},
	}
	cmd.Flags().StringVar(&roles, "roles", "", "what this process does: api,ingest,enrich,deliver (default: KGL_ROLES, or all)")
	cmd.Flags().StringVar(&addr, "addr", "", "address to listen on (default: KGL_ADDR, or 127.0.0.1:8000)")
	return cmd
}

// serve runs the server. Being told to stop is no failure, also while it
// starts.
func serve(ctx context.Context, cfg *config.Config, env app.Env, opts app.ServeOptions) error {
	err := app.Serve(ctx, cfg, env, opts)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// announce tells a person at a terminal where the server is, and shows a
// generated password, once. Elsewhere the log says the former, and the
// password is in a file.
func announce(w io.Writer) func(app.Ready) bool {
	if !telemetry.IsTerminal(w) {
		return nil
	}
	return func(r app.Ready) bool {
		greet(w, r)
		return true
	}
}

func greet(w io.Writer, r app.Ready) {
	fmt.Fprintf(w, "\n  Knowledge Graph Lab backend %s\n\n", r.Version)
	fmt.Fprintf(w, "  API         %s/api/v1\n", r.URL)
	fmt.Fprintf(w, "  Swagger UI  %s/docs\n", r.URL)
	fmt.Fprintf(w, "  Database    %s\n", r.Database)
	if r.AdminEmail != "" {
		fmt.Fprintf(w, "  Admin       %s\n", r.AdminEmail)
	}
	if r.AdminPassword != "" {
		fmt.Fprintf(w, "  Password    %s   (shown this once: note it down, or change it)\n", r.AdminPassword)
	}
	fmt.Fprintln(w)
}
