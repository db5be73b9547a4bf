package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// bootstrapSetting is the row that serialises the creation of the first
// administrator. Its value tells when that was last tried.
const bootstrapSetting = "auth.bootstrap_at"

// FirstAdmin is the outcome of Bootstrap.
type FirstAdmin struct {
	Created  bool     // false when there were users already
	User     kgl.User // the administrator that was made
	Password string   // the generated password, empty when it was given; shown once, never logged
}

// Bootstrap makes the first administrator where there is no user at all. An
// empty password is replaced by a generated one, which the result holds and
// which keep is given, unless that is nil, before the account is stored: a
// process that dies between the two leaves a password without an account, never
// an account whose password nobody knows. Of several processes that start at
// once, one creates it. CodeInvalid names KGL_ADMIN_EMAIL or KGL_ADMIN_PASSWORD.
func (a *Accounts) Bootstrap(ctx context.Context, email, password string, keep func(password string) error) (FirstAdmin, error) {
	n, err := a.store.CountUsers(ctx)
	if err != nil {
		return FirstAdmin{}, fmt.Errorf("count the users: %w", err)
	}
	if n > 0 {
		return FirstAdmin{}, nil
	}
	var generated string
	if password == "" {
		if generated, err = GeneratePassword(a.random); err != nil {
			return FirstAdmin{}, err
		}
		password = generated
	}
	if _, err := checkEmail(email); err != nil {
		return FirstAdmin{}, kgl.Invalid("KGL_ADMIN_EMAIL", "must be an email address")
	}
	user, err := a.newUser(ctx, NewUser{Email: email, Name: "Administrator", Role: kgl.RoleAdmin, Password: password}, "KGL_ADMIN_PASSWORD")
	if err != nil {
		return FirstAdmin{}, err
	}
	first := FirstAdmin{}
	ctx = kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalSystem, ID: "bootstrap"})
	err = a.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		first = FirstAdmin{}
		// Writing one row that all of them write lets processes that start at once
		// through one by one, so that the later ones count the user of the first.
		now := a.clock.Now()
		if err := tx.SetSetting(ctx, bootstrapSetting, now.Format(time.RFC3339), now); err != nil {
			return err
		}
		n, err := tx.CountUsers(ctx)
		if err != nil || n > 0 {
			return err
		}
		if generated != "" && keep != nil {
			if err := keep(generated); err != nil {
				return err
			}
		}
		if err := a.insert(ctx, tx, user); err != nil {
			return err
		}
		first = FirstAdmin{Created: true, User: user, Password: generated}
		return nil
	})
	if err != nil {
		return FirstAdmin{}, fmt.Errorf("create the first administrator: %w", err)
	}
	return first, nil
}
