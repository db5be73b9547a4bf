package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func newUser(env *Env) *cobra.Command {
	return group("user", "Manage accounts, directly on the database",
		`User works on the configured database, also while the server runs. Changes of a
password, role or status end the user's sessions within 30 seconds.

A password is asked for at the terminal, or read from standard input.`,
		newUserCreate(env), newUserList(env), newUserSetPassword(env), newUserSetRole(env),
		newUserSetStatus(env, "disable", "Keep a user from logging in", kgl.UserDisabled),
		newUserSetStatus(env, "enable", "Let a user log in again", kgl.UserActive),
	)
}

func newUserCreate(env *Env) *cobra.Command {
	var name, role string
	cmd := &cobra.Command{
		Use: "create EMAIL", Short: "Create a user", Args: exactArgs(1),
		Example: "  kgl user create ada@example.org --role moderator",
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				name, _, _ = strings.Cut(args[0], "@")
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				// Before a person thinks of a password for nothing.
				if _, err := a.Store.UserByEmail(ctx, kgl.NormalizeEmail(args[0])); err == nil {
					return kgl.Errorf(kgl.CodeConflict, "a user with the email %s exists already", args[0])
				}
				password, err := env.readPassword()
				if err != nil {
					return err
				}
				u, err := a.Accounts.Create(ctx, auth.NewUser{Email: args[0], Name: name, Role: kgl.Role(role), Password: password})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(env.Stdout, "created %s %s (%s)\n", u.ID, u.Email, u.Role)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the user's name (default: what stands before the @)")
	cmd.Flags().StringVar(&role, "role", string(kgl.RoleUser), "user, moderator or admin")
	return cmd
}

func newUserList(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the users", Args: noArgs,
		Example: "  kgl user list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				w := newTable(env.Stdout, "ID", "EMAIL", "NAME", "ROLE", "STATUS", "LAST LOGIN")
				err := eachRow(func(p kgl.Page) (kgl.List[kgl.User], error) {
					return a.Accounts.List(ctx, kgl.UserFilter{}, p)
				}, func(u kgl.User) {
					w.row(u.ID, u.Email, u.Name, string(u.Role), string(u.Status), when(u.LastLoginAt))
				})
				if err != nil {
					return err
				}
				return w.flush()
			})
		},
	}
}

func newUserSetPassword(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "set-password EMAIL", Short: "Replace a forgotten password", Args: exactArgs(1),
		Example: "  kgl user set-password ada@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				if _, err := a.Store.UserByEmail(ctx, kgl.NormalizeEmail(args[0])); err != nil {
					return err
				}
				password, err := env.readPassword()
				if err != nil {
					return err
				}
				u, err := a.Accounts.SetPassword(ctx, args[0], password)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(env.Stdout, "the password of %s was replaced\n", u.Email)
				return err
			})
		},
	}
}

func newUserSetRole(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "set-role EMAIL user|moderator|admin", Short: "Change the role of a user", Args: exactArgs(2),
		Example: "  kgl user set-role ada@example.org moderator",
		RunE: func(cmd *cobra.Command, args []string) error {
			role := kgl.Role(args[1])
			return env.patchUser(cmd, args[0], auth.UserPatch{Role: &role})
		},
	}
}

func newUserSetStatus(env *Env, use, short string, status kgl.UserStatus) *cobra.Command {
	return &cobra.Command{
		Use: use + " EMAIL", Short: short, Args: exactArgs(1),
		Example: "  kgl user " + use + " ada@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.patchUser(cmd, args[0], auth.UserPatch{Status: &status})
		},
	}
}

func (e *Env) patchUser(cmd *cobra.Command, email string, p auth.UserPatch) error {
	return e.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
		u, err := a.Store.UserByEmail(ctx, kgl.NormalizeEmail(email))
		if err != nil {
			return err
		}
		if u, err = a.Accounts.Update(ctx, u.ID, 0, p); err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.Stdout, "%s is %s, %s\n", u.Email, u.Role, u.Status)
		return err
	})
}
