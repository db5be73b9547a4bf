package auth

import (
	"context"
	"fmt"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ChangePassword replaces the password of a user who knows the present one, and
// ends all sessions of the user, this one included. Wrong guesses are throttled
// like logins. CodeInvalid names current_password or new_password;
// CodeRateLimited; CodeNotFound.
func (a *Accounts) ChangePassword(ctx context.Context, id, current, next string) error {
	user, err := a.store.User(ctx, id)
	if err != nil {
		return err
	}
	try := passwordAttempt(id)
	state, err := a.throttle.read(ctx, a.store, try)
	if err != nil {
		return err
	}
	if state.blocked != "" {
		return state.refusal(a.clock.Now())
	}
	match := false
	if len(current) <= maxPasswordBytes {
		if match, err = a.hasher.Verify(ctx, user.PasswordHash, current); err != nil {
			return err
		}
	}
	if !match {
		return a.wrongPassword(ctx, id, try)
	}
	if err := CheckPassword("new_password", next, user.Email, user.Name); err != nil {
		return err
	}
	if current == next {
		return kgl.Invalid("new_password", "must differ from the present one")
	}
	return a.replacePassword(ctx, user, next, func(ctx context.Context, tx kgl.Store) error {
		// Guesses that ran beside this one may have used up what is allowed.
		state, err := a.throttle.read(ctx, tx, try)
		if err != nil {
			return err
		}
		if state.blocked != "" {
			return state.refusal(a.clock.Now())
		}
		return tx.ClearLoginThrottles(ctx, []string{try.pair})
	})
}

// wrongPassword counts a wrong guess of the present password.
func (a *Accounts) wrongPassword(ctx context.Context, id string, try attempt) error {
	var answer error
	err := a.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		answer = kgl.Invalid("current_password", "is wrong")
		state, over, err := a.throttle.fail(ctx, tx, try, true)
		if err != nil {
			return err
		}
		if over {
			answer = state.refusal(a.clock.Now())
		}
		return a.audit(ctx, tx, "user.change_password", id, kgl.AuditFailure, map[string]any{"reason": "wrong_password"})
	})
	if err != nil {
		return err
	}
	return answer
}

// SetPassword replaces the password of the account with this email, for the
// operator at the command line, and ends its sessions. CodeNotFound; CodeInvalid.
func (a *Accounts) SetPassword(ctx context.Context, email, password string) (kgl.User, error) {
	user, err := a.store.UserByEmail(ctx, kgl.NormalizeEmail(email))
	if err != nil {
		return kgl.User{}, err
	}
	if err := CheckPassword("password", password, user.Email, user.Name); err != nil {
		return kgl.User{}, err
	}
	try := newAttempt(user.EmailKey, "")
	return user, a.replacePassword(ctx, user, password, func(ctx context.Context, tx kgl.Store) error {
		return tx.ClearLoginThrottles(ctx, []string{try.account})
	})
}

// replacePassword stores the hash of a new password unless the old one was
// replaced meanwhile, ends the sessions, and does what else belongs into the
// transaction.
func (a *Accounts) replacePassword(ctx context.Context, seen kgl.User, password string, also func(context.Context, kgl.Store) error) error {
	hash, err := a.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	err = a.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		user, err := tx.User(ctx, seen.ID)
		if err != nil {
			return err
		}
		if user.PasswordHash != seen.PasswordHash {
			return kgl.Errorf(kgl.CodeConflict, "the password was changed meanwhile")
		}
		now := a.clock.Now()
		user.PasswordHash, user.UpdatedAt = hash, now
		if _, err := tx.UpdateUser(ctx, user); err != nil {
			return err
		}
		n, err := tx.RevokeUserSessions(ctx, user.ID, "password_changed", now)
		if err != nil {
			return fmt.Errorf("revoke the sessions of a user: %w", err)
		}
		if err := also(ctx, tx); err != nil {
			return err
		}
		return a.audit(ctx, tx, "user.change_password", user.ID, kgl.AuditSuccess, map[string]any{"sessions_revoked": n})
	})
	if err != nil {
		return err
	}
	a.forget(seen.ID)
	return nil
}
