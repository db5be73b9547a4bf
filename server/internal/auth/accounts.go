package auth

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Accounts keeps users. Every change is written together with its audit row;
// the last active administrator cannot be removed, demoted or disabled. It is
// safe for concurrent use.
type Accounts struct {
	store         kgl.Store
	clock         kgl.Clock
	ids           kgl.IDSource
	random        io.Reader
	hasher        *Hasher
	authenticator *Authenticator // nil at the command line, where no token is cached
	throttle      *throttle
}

// NewAccounts returns the service of users. At the command line Deps needs
// neither Tokens nor Authenticator.
func NewAccounts(d Deps) *Accounts {
	return &Accounts{
		store: d.Store, clock: d.Clock, ids: d.IDs, random: d.Random, hasher: d.Hasher, authenticator: d.Authenticator,
		throttle: &throttle{clock: d.Clock, cfg: ThrottleConfig{}.withDefaults()},
	}
}

// NewUser is what a new account is made of.
type NewUser struct {
	Email    string
	Name     string
	Role     kgl.Role
	Password string
}

// UserPatch changes an account; nil fields stay.
type UserPatch struct {
	Email    *string
	Name     *string
	Role     *kgl.Role
	Status   *kgl.UserStatus
	Password *string
}

const (
	maxEmailBytes = 254 // RFC 5321 section 4.5.3.1.3, less the brackets
	maxNameRunes  = 200
)

// checkEmail returns the trimmed email. It refuses what cannot be an address
// and is not there to tell what is one.
func checkEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	local, domain, ok := strings.Cut(email, "@")
	if !ok || local == "" || domain == "" || len(email) > maxEmailBytes || strings.Contains(domain, "@") ||
		!utf8.ValidString(email) || strings.ContainsFunc(email, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`<>()[],;:"\`, r)
	}) {
		return "", kgl.Invalid("email", "must be an email address")
	}
	return email, nil
}

func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxNameRunes || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", kgl.Invalid("name", "must have 1 to %d characters, none of them a control character", maxNameRunes)
	}
	return name, nil
}

// Create makes an account. CodeInvalid names the field that breaks a rule;
// CodeConflict: the email is taken; CodeUnavailable: too many hashes at once.
func (a *Accounts) Create(ctx context.Context, n NewUser) (kgl.User, error) {
	user, err := a.Prepare(ctx, n)
	if err != nil {
		return kgl.User{}, err
	}
	if err := a.CreatePrepared(ctx, user); err != nil {
		return kgl.User{}, err
	}
	return user, nil
}

// Prepare does what Create does before its transaction: it checks n and hashes
// the password, which takes long. A caller with a transaction of its own
// prepares before that begins. CodeInvalid; CodeUnavailable: too many hashes at once.
func (a *Accounts) Prepare(ctx context.Context, n NewUser) (kgl.User, error) {
	return a.newUser(ctx, n, "password")
}

// CreatePrepared stores an account that Prepare returned. CodeConflict: the
// email is taken.
func (a *Accounts) CreatePrepared(ctx context.Context, user kgl.User) error {
	return a.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		return a.insert(ctx, tx, user)
	})
}

// newUser checks n and returns the row of the account. passwordField names the
// password in errors.
func (a *Accounts) newUser(ctx context.Context, n NewUser, passwordField string) (kgl.User, error) {
	email, err := checkEmail(n.Email)
	if err != nil {
		return kgl.User{}, err
	}
	name, err := checkName(n.Name)
	if err != nil {
		return kgl.User{}, err
	}
	if !ValidRole(n.Role) {
		return kgl.User{}, kgl.Invalid("role", "must be user, moderator or admin")
	}
	if err := CheckPassword(passwordField, n.Password, email, name); err != nil {
		return kgl.User{}, err
	}
	hash, err := a.hasher.Hash(ctx, n.Password)
	if err != nil {
		return kgl.User{}, err
	}
	now := a.clock.Now()
	return kgl.User{
		ID: a.ids.NewID(), Email: email, EmailKey: kgl.NormalizeEmail(email), Name: name, Role: n.Role,
		Status: kgl.UserActive, PasswordHash: hash, Version: 1, CreatedAt: now, UpdatedAt: now,
	}, nil
}

func (a *Accounts) insert(ctx context.Context, tx kgl.Store, user kgl.User) error {
	if err := tx.CreateUser(ctx, user); err != nil {
		return err
	}
	return a.audit(ctx, tx, "user.create", user.ID, kgl.AuditSuccess, map[string]any{"role": user.Role})
}

// Get returns an account. CodeNotFound.
func (a *Accounts) Get(ctx context.Context, id string) (kgl.User, error) {
	return a.store.User(ctx, id)
}

// List returns a page of accounts, newest first. The prefix of the filter is
// normalised here.
func (a *Accounts) List(ctx context.Context, f kgl.UserFilter, p kgl.Page) (kgl.List[kgl.User], error) {
	f.EmailPrefix = kgl.NormalizeEmail(f.EmailPrefix)
	return a.store.Users(ctx, f, p)
}

// Update changes an account and returns it. A change of role, status or
// password ends the account's sessions. version is the one that the caller has
// seen, 0 for any.
//
// CodeNotFound; CodePreconditionFailed: another version is stored; CodeInvalid;
// CodeConflict: the email is taken, or it is the last active administrator.
func (a *Accounts) Update(ctx context.Context, id string, version int64, p UserPatch) (kgl.User, error) {
	before, err := a.store.User(ctx, id)
	if err != nil {
		return kgl.User{}, err
	}
	if err := p.normalize(before); err != nil {
		return kgl.User{}, err
	}
	var hash string
	if p.Password != nil {
		if hash, err = a.hasher.Hash(ctx, *p.Password); err != nil {
			return kgl.User{}, err
		}
	}
	var after kgl.User
	err = a.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		after, err = a.change(ctx, tx, id, version, p, hash)
		return err
	})
	if err != nil {
		return kgl.User{}, err
	}
	a.forget(id)
	return after, nil
}

// normalize checks the fields that are set and brings them into their stored
// form. A password is judged beside the email and the name that it will have.
func (p *UserPatch) normalize(u kgl.User) error {
	email, name := u.Email, u.Name
	var err error
	if p.Email != nil {
		if email, err = checkEmail(*p.Email); err != nil {
			return err
		}
		p.Email = &email
	}
	if p.Name != nil {
		if name, err = checkName(*p.Name); err != nil {
			return err
		}
		p.Name = &name
	}
	if p.Role != nil && !ValidRole(*p.Role) {
		return kgl.Invalid("role", "must be user, moderator or admin")
	}
	if p.Status != nil && *p.Status != kgl.UserActive && *p.Status != kgl.UserDisabled {
		return kgl.Invalid("status", "must be active or disabled")
	}
	if p.Password != nil {
		return CheckPassword("password", *p.Password, email, name)
	}
	return nil
}

// apply returns u with the patch, the names of the fields that it changes, and
// why the sessions of the account have to end, if they do.
func (p UserPatch) apply(u kgl.User, hash string) (after kgl.User, fields []string, revoke string) {
	after = u
	if p.Email != nil && *p.Email != u.Email {
		after.Email, after.EmailKey = *p.Email, kgl.NormalizeEmail(*p.Email)
		fields = append(fields, "email")
	}
	if p.Name != nil && *p.Name != u.Name {
		after.Name = *p.Name
		fields = append(fields, "name")
	}
	if p.Role != nil && *p.Role != u.Role {
		after.Role = *p.Role
		fields, revoke = append(fields, "role"), "role_changed"
	}
	if p.Status != nil && *p.Status != u.Status {
		after.Status = *p.Status
		fields, revoke = append(fields, "status"), "status_changed"
	}
	if hash != "" {
		after.PasswordHash = hash
		fields, revoke = append(fields, "password"), "password_changed"
	}
	return after, fields, revoke
}

// change is the transaction of Update.
func (a *Accounts) change(ctx context.Context, tx kgl.Store, id string, version int64, p UserPatch, hash string) (kgl.User, error) {
	user, err := tx.User(ctx, id)
	if err != nil {
		return kgl.User{}, err
	}
	if version != 0 && user.Version != version {
		return kgl.User{}, kgl.Errorf(kgl.CodePreconditionFailed, "the user was changed meanwhile")
	}
	after, fields, revoke := p.apply(user, hash)
	if len(fields) == 0 {
		return user, nil
	}
	if isActiveAdmin(user) && !isActiveAdmin(after) {
		if err := a.keepAnAdmin(ctx, tx); err != nil {
			return kgl.User{}, err
		}
	}
	after.UpdatedAt = a.clock.Now()
	if after, err = tx.UpdateUser(ctx, after); err != nil {
		return kgl.User{}, err
	}
	details := map[string]any{"fields": fields}
	if after.Role != user.Role {
		details["role"] = map[string]any{"from": user.Role, "to": after.Role}
	}
	if after.Status != user.Status {
		details["status"] = map[string]any{"from": user.Status, "to": after.Status}
	}
	if revoke != "" {
		n, err := tx.RevokeUserSessions(ctx, id, revoke, a.clock.Now())
		if err != nil {
			return kgl.User{}, fmt.Errorf("revoke the sessions of a user: %w", err)
		}
		details["sessions_revoked"] = n
	}
	return after, a.audit(ctx, tx, "user.update", id, kgl.AuditSuccess, details)
}

func isActiveAdmin(u kgl.User) bool { return u.Role == kgl.RoleAdmin && u.Status == kgl.UserActive }

// keepAnAdmin refuses the loss of the last active administrator.
func (a *Accounts) keepAnAdmin(ctx context.Context, tx kgl.Store) error {
	n, err := tx.CountActiveAdmins(ctx)
	if err != nil {
		return fmt.Errorf("count the administrators: %w", err)
	}
	if n <= 1 {
		return kgl.Errorf(kgl.CodeConflict, "the last active administrator cannot be removed, demoted or disabled")
	}
	return nil
}

// Delete removes an account with its sessions. version is the one that the
// caller has seen, 0 for any. CodeNotFound; CodePreconditionFailed; CodeConflict:
// it is the last active administrator.
func (a *Accounts) Delete(ctx context.Context, id string, version int64) error {
	err := a.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		user, err := tx.User(ctx, id)
		if err != nil {
			return err
		}
		if version != 0 && user.Version != version {
			return kgl.Errorf(kgl.CodePreconditionFailed, "the user was changed meanwhile")
		}
		if isActiveAdmin(user) {
			if err := a.keepAnAdmin(ctx, tx); err != nil {
				return err
			}
		}
		if err := tx.DeleteUser(ctx, id); err != nil {
			return err
		}
		return a.audit(ctx, tx, "user.delete", id, kgl.AuditSuccess, map[string]any{"role": user.Role})
	})
	if err != nil {
		return err
	}
	a.forget(id)
	return nil
}

func (a *Accounts) forget(userID string) {
	if a.authenticator != nil {
		a.authenticator.ForgetUser(userID)
	}
}

func (a *Accounts) audit(ctx context.Context, tx kgl.Store, action, userID string, outcome kgl.AuditOutcome, details map[string]any) error {
	return appendAudit(ctx, tx, kgl.NewAuditEvent(ctx, a.ids, a.clock, action, "user", userID, outcome, details))
}
