package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
			password, err := env.readPassword()
			if err != nil {
				return err
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				u, err := a.Accounts.Create(ctx, auth.NewUser{Email: args[0], Name: name, Role: kgl.Role(role), Password: password})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(env.Stdout, "created %s %s (%s)\n", u.ID, u.Email, u.Role)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the user's name")
	cmd.Flags().StringVar(&role, "role", string(kgl.RoleUser), "user, moderator or admin")
	return cmd
}

func newUserList(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the users", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
				w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tEMAIL\tNAME\tROLE\tSTATUS\tLAST LOGIN")
				err := eachRow(func(p kgl.Page) (kgl.List[kgl.User], error) {
					return a.Accounts.List(ctx, kgl.UserFilter{}, p)
				}, func(u kgl.User) {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", u.ID, u.Email, u.Name, u.Role, u.Status, when(u.LastLoginAt))
				})
				if err != nil {
					return err
				}
				return w.Flush()
			})
		},
	}
}

func newUserSetPassword(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "set-password EMAIL", Short: "Replace a forgotten password", Args: exactArgs(1),
		Example: "  kgl user set-password ada@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := env.readPassword()
			if err != nil {
				return err
			}
			return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
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
		RunE: func(cmd *cobra.Command, args []string) error {
			role := kgl.Role(args[1])
			return env.patchUser(cmd, args[0], auth.UserPatch{Role: &role})
		},
	}
}

func newUserSetStatus(env *Env, use, short string, status kgl.UserStatus) *cobra.Command {
	return &cobra.Command{
		Use: use + " EMAIL", Short: short, Args: exactArgs(1),
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

// readPassword asks for a password twice at a terminal, and reads one line
// elsewhere. It never takes one from the command line, which others can see.
func (e *Env) readPassword() (string, error) {
	if f, ok := e.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		first, err := e.prompt(f, "Password: ")
		if err != nil {
			return "", err
		}
		second, err := e.prompt(f, "Again: ")
		if err != nil {
			return "", err
		}
		if first != second {
			return "", fmt.Errorf("the two passwords differ")
		}
		return first, nil
	}
	line, err := bufio.NewReader(io.LimitReader(e.Stdin, 4096)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("no password on standard input")
	}
	return line, nil
}

func (e *Env) prompt(f *os.File, text string) (string, error) {
	fmt.Fprint(e.Stderr, text)
	password, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(e.Stderr)
	return string(password), err
}

// eachRow calls fn for every row of a list, page by page.
func eachRow[T any](list func(kgl.Page) (kgl.List[T], error), fn func(T)) error {
	page := kgl.Page{Limit: kgl.MaxPageLimit}
	for {
		l, err := list(page)
		if err != nil {
			return err
		}
		for _, row := range l.Rows {
			fn(row)
		}
		if l.Next == nil {
			return nil
		}
		page.After = l.Next
	}
}

func when(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format("2006-01-02 15:04:05")
}
