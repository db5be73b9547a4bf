package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/config"
)

func newConfig(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Check the configuration and print it, without secrets",
		Long: `Config reads the environment as 'serve' does, reports every variable that is wrong,
and prints each variable with its value and where it comes from. Of secrets it
says only whether they are set.`,
		Example: "  KGL_LOG_LEVEL=debug kgl config",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(env.Environ)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			for _, s := range cfg.Describe() {
				fmt.Fprintf(w, "%s\t%s\t(%s)\n", s.Name, s.Value, s.Origin)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			for _, warning := range cfg.Warnings() {
				fmt.Fprintln(env.Stderr, "warning:", warning)
			}
			return nil
		},
	}
}
