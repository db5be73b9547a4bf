package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/auth"
)

func newKeys(env *Env) *cobra.Command {
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the signing keys and what each does now", Args: noArgs,
		Example: "  kgl keys list\n  kgl keys list --json",
		Long: `List shows each key with its state: announced (published, does not sign yet), signing,
retired (verifies the tokens that it signed) or expired. It never shows private parts.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				keys, err := a.SigningKeys(ctx)
				if err != nil {
					return err
				}
				return env.printKeys(keys, asJSON)
			})
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return group("keys", "Manage the keys that sign access tokens",
		`Keys rotate by themselves every 90 days. A new key is published in the key set for
an hour before it signs, and an old one verifies until its last token has run out.
Every change is in the audit log.`,
		list,
		&cobra.Command{
			Use: "rotate", Short: "Make a new signing key now", Args: noArgs,
			Example: "  kgl keys rotate",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
					keys, err := a.Keyring(ctx)
					if err != nil {
						return err
					}
					if err := keys.Rotate(ctx); err != nil {
						return err
					}
					_, err = fmt.Fprintln(env.Stdout, "a new key was made; running servers take it over by themselves")
					return err
				})
			},
		},
		&cobra.Command{
			Use: "revoke KID", Short: "Stop trusting a signing key at once", Args: exactArgs(1),
			Example: "  kgl keys revoke NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
			Long: `Revoke removes a key that leaked. Tokens that it signed are refused by every server
within seconds; their users refresh or log in again. KID is what the tokens have as
"kid" in their header, and the key set at /.well-known/jwks.json. That of an old key may
begin with "-": write -- before it.`,
			RunE: func(cmd *cobra.Command, args []string) error {
				return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
					keys, err := a.Keyring(ctx)
					if err != nil {
						return err
					}
					if err := keys.Revoke(ctx, args[0]); err != nil {
						return err
					}
					_, err = fmt.Fprintln(env.Stdout, "revoked", args[0])
					return err
				})
			},
		})
}

func (e *Env) printKeys(keys []auth.KeyInfo, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(e.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(keys)
	}
	out := newTable(e.Stdout, "KID", "ALGORITHM", "STATE", "CREATED", "ACTIVE", "RETIRED", "EXPIRES")
	for _, k := range keys {
		out.row(k.ID, k.Algorithm, string(k.State), when(&k.CreatedAt), when(&k.ActiveAt), when(k.RetiredAt), when(k.ExpiresAt))
	}
	return out.flush()
}
