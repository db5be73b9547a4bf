package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestCreateUser(t *testing.T) {
	r := newService(t)
	ctx := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: "admin-id"})
	u, err := r.accounts.Create(ctx, NewUser{Email: " Ada@Example.org ", Name: " Ada ", Role: kgl.RoleModerator, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	if u.Email != "Ada@Example.org" || u.EmailKey != "ada@example.org" || u.Name != "Ada" || u.Status != kgl.UserActive || u.Version != 1 {
		t.Errorf("user = %+v", u)
	}
	if row := r.store.last(); row.Action != "user.create" || row.ActorID != "admin-id" || row.SubjectID != u.ID {
		t.Errorf("audit = %+v", row)
	}
	_, err = r.accounts.Create(ctx, NewUser{Email: "ADA@example.ORG", Name: "Other", Role: kgl.RoleUser, Password: goodPassword})
	wantCode(t, err, kgl.CodeConflict)
	for _, row := range r.store.data.audit {
		if strings.Contains(fmt.Sprint(row)+string(row.Details), goodPassword) {
			t.Error("the audit log holds a password")
		}
	}
}

func TestCreateUserRefuses(t *testing.T) {
	r := newService(t)
	good := NewUser{Email: "ada@example.org", Name: "Ada", Role: kgl.RoleUser, Password: goodPassword}
	for name, tc := range map[string]struct {
		change func(*NewUser)
		field  string
	}{
		"no email":            {func(n *NewUser) { n.Email = "" }, "email"},
		"no at":               {func(n *NewUser) { n.Email = "ada" }, "email"},
		"two ats":             {func(n *NewUser) { n.Email = "ada@a@b" }, "email"},
		"space":               {func(n *NewUser) { n.Email = "ada b@example.org" }, "email"},
		"line end":            {func(n *NewUser) { n.Email = "ada\n@example.org" }, "email"},
		"display name":        {func(n *NewUser) { n.Email = "Ada <ada@example.org>" }, "email"},
		"NUL":                 {func(n *NewUser) { n.Email = "ada\x00@example.org" }, "email"},
		"long email":          {func(n *NewUser) { n.Email = strings.Repeat("a", 250) + "@b.org" }, "email"},
		"no name":             {func(n *NewUser) { n.Name = " " }, "name"},
		"long name":           {func(n *NewUser) { n.Name = strings.Repeat("ä", 201) }, "name"},
		"control in name":     {func(n *NewUser) { n.Name = "A\x1bda" }, "name"},
		"invalid UTF-8":       {func(n *NewUser) { n.Name = "A\xff" }, "name"},
		"no role":             {func(n *NewUser) { n.Role = "" }, "role"},
		"unknown role":        {func(n *NewUser) { n.Role = "root" }, "role"},
		"common password":     {func(n *NewUser) { n.Password = "password123" }, "password"},
		"email as password":   {func(n *NewUser) { n.Password = "ada@example.org" }, "password"},
		"no password":         {func(n *NewUser) { n.Password = "" }, "password"},
		"short password":      {func(n *NewUser) { n.Password = "x7#Kq" }, "password"},
		"endless password":    {func(n *NewUser) { n.Password = strings.Repeat("plum kettle ", 1000) }, "password"},
		"password with a NUL": {func(n *NewUser) { n.Password = goodPassword + "\x00" }, "password"},
	} {
		n := good
		tc.change(&n)
		_, err := r.accounts.Create(t.Context(), n)
		e, ok := err.(*kgl.Error)
		if !ok || e.Code != kgl.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != tc.field {
			t.Errorf("%s: error = %v, want one about %s", name, err, tc.field)
		}
	}
	if len(r.store.data.users) != 0 || len(r.store.data.audit) != 0 {
		t.Error("a refused user left something behind")
	}
	for _, email := range []string{"admin@localhost", "ünïcode@exämple.org", "a+b@example.org", "o'neil@example.org"} {
		n := good
		n.Email = email
		if _, err := r.accounts.Create(t.Context(), n); err != nil {
			t.Errorf("%s: %v", email, err)
		}
	}
}

func TestUpdateUser(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	r.user(t, "bob@example.org", kgl.RoleUser)
	set := r.login(t, "ada@example.org")
	name, email, taken, moderator := "Ada L.", "Ada@new.example", "BOB@example.org", kgl.RoleModerator

	got, err := r.accounts.Update(t.Context(), u.ID, u.Version, UserPatch{Name: &name, Email: &email})
	if err != nil || got.Name != name || got.EmailKey != "ada@new.example" || got.Version != u.Version+1 {
		t.Fatalf("user = %+v, %v", got, err)
	}
	if !r.valid(set.AccessToken) {
		t.Error("a change of name and email ended the session")
	}
	if d := string(r.store.last().Details); !strings.Contains(d, `"fields":["email","name"]`) || strings.Contains(d, "new.example") {
		t.Errorf("audit details = %s", d)
	}
	_, err = r.accounts.Update(t.Context(), u.ID, u.Version, UserPatch{Role: &moderator})
	wantCode(t, err, kgl.CodePreconditionFailed)
	_, err = r.accounts.Update(t.Context(), u.ID, 0, UserPatch{Email: &taken})
	wantCode(t, err, kgl.CodeConflict)
	_, err = r.accounts.Update(t.Context(), "nothing", 0, UserPatch{Name: &name})
	wantCode(t, err, kgl.CodeNotFound)

	rows := len(r.store.audited())
	same, err := r.accounts.Update(t.Context(), u.ID, got.Version, UserPatch{Name: &name})
	if err != nil || same.Version != got.Version || len(r.store.audited()) != rows {
		t.Errorf("a patch that changes nothing made version %d, %v", same.Version, err)
	}
	if _, err = r.accounts.Update(t.Context(), u.ID, 0, UserPatch{Role: &moderator}); err != nil {
		t.Fatal(err)
	}
	if d := string(r.store.last().Details); !strings.Contains(d, `"role":{"from":"user","to":"moderator"}`) || !strings.Contains(d, `"sessions_revoked":1`) {
		t.Errorf("audit details = %s", d)
	}
	bad := kgl.UserStatus("gone")
	_, err = r.accounts.Update(t.Context(), u.ID, 0, UserPatch{Status: &bad})
	wantCode(t, err, kgl.CodeInvalid)
}

func TestTheLastActiveAdminStays(t *testing.T) {
	user, disabled := kgl.RoleUser, kgl.UserDisabled
	losses := map[string]func(replica, string) error{
		"delete": func(r replica, id string) error { return r.accounts.Delete(context.Background(), id, 0) },
		"demote": func(r replica, id string) error {
			_, err := r.accounts.Update(context.Background(), id, 0, UserPatch{Role: &user})
			return err
		},
		"disable": func(r replica, id string) error {
			_, err := r.accounts.Update(context.Background(), id, 0, UserPatch{Status: &disabled})
			return err
		},
	}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			r := newService(t)
			first := r.user(t, "ada@example.org", kgl.RoleAdmin)
			wantCode(t, lose(r, first.ID), kgl.CodeConflict)
			second := r.user(t, "bob@example.org", kgl.RoleAdmin)
			if _, err := r.accounts.Update(t.Context(), second.ID, 0, UserPatch{Status: &disabled}); err != nil {
				t.Fatal(err)
			}
			wantCode(t, lose(r, first.ID), kgl.CodeConflict) // a disabled admin is no help
			r.user(t, "eve@example.org", kgl.RoleAdmin)
			if err := lose(r, first.ID); err != nil {
				t.Errorf("one of two admins cannot go: %v", err)
			}
		})
	}
	t.Run("two at once", func(t *testing.T) {
		r := newService(t)
		ids := []string{r.user(t, "ada@example.org", kgl.RoleAdmin).ID, r.user(t, "bob@example.org", kgl.RoleAdmin).ID}
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() { _ = losses["delete"](r, id) })
		}
		wg.Wait()
		if n, err := r.store.CountActiveAdmins(t.Context()); err != nil || n != 1 {
			t.Errorf("%d active admins are left, %v", n, err)
		}
	})
}

func TestDeleteUser(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	wantCode(t, r.accounts.Delete(t.Context(), u.ID, 7), kgl.CodePreconditionFailed)
	if err := r.accounts.Delete(t.Context(), u.ID, u.Version); err != nil {
		t.Fatal(err)
	}
	if row := r.store.last(); row.Action != "user.delete" || row.SubjectID != u.ID {
		t.Errorf("audit = %+v", row)
	}
	wantCode(t, r.accounts.Delete(t.Context(), u.ID, 0), kgl.CodeNotFound)
}

func TestChangePassword(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	for _, tc := range []struct{ current, next, field string }{
		{otherPassword, "yet another 99 words", "current_password"},
		{strings.Repeat("x", 1<<20), "yet another 99 words", "current_password"},
		{goodPassword, "short", "new_password"},
		{goodPassword, "password123", "new_password"},
		{goodPassword, "ada@example.org", "new_password"},
		{goodPassword, goodPassword, "new_password"},
	} {
		err := r.accounts.ChangePassword(t.Context(), u.ID, tc.current, tc.next)
		if e, ok := err.(*kgl.Error); !ok || e.Code != kgl.CodeInvalid || e.Fields[0].Field != tc.field {
			t.Errorf("%.20q to %q: %v, want an error about %s", tc.current, tc.next, err, tc.field)
		}
	}
	if err := r.accounts.ChangePassword(t.Context(), u.ID, goodPassword, otherPassword); err != nil {
		t.Fatal(err)
	}
	if row := r.store.last(); row.Action != "user.change_password" || row.Outcome != kgl.AuditSuccess {
		t.Errorf("audit = %+v", row)
	}
	if _, err := r.try("ada@example.org", goodPassword, home); !kgl.Is(err, kgl.CodeInvalidCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := r.try("ada@example.org", otherPassword, home); err != nil {
		t.Errorf("the new password: %v", err)
	}
	wantCode(t, r.accounts.ChangePassword(t.Context(), "nothing", "x", "y"), kgl.CodeNotFound)
}

// Someone who got hold of an access token cannot guess the password with it.
func TestChangePasswordIsThrottled(t *testing.T) {
	one := newService(t)
	two := one.second(t)
	u := one.user(t, "ada@example.org", kgl.RoleUser)
	codes := map[kgl.Code]int{}
	for i := range 20 {
		err := []replica{one, two}[i%2].accounts.ChangePassword(t.Context(), u.ID, otherPassword, "yet another 99 words")
		codes[kgl.ErrorCode(err)]++
	}
	if codes[kgl.CodeInvalid] != 10 || codes[kgl.CodeRateLimited] != 10 {
		t.Errorf("answers = %v", codes)
	}
	wantCode(t, two.accounts.ChangePassword(t.Context(), u.ID, goodPassword, otherPassword), kgl.CodeRateLimited)
	if _, err := one.try("ada@example.org", goodPassword, home); err != nil {
		t.Errorf("guesses with a token block the login: %v", err)
	}
}

// A password that was replaced while its successor was hashed stays replaced.
func TestReplacePasswordOfAnotherState(t *testing.T) {
	r := newService(t)
	stale := r.user(t, "ada@example.org", kgl.RoleUser)
	if _, err := r.accounts.SetPassword(t.Context(), stale.Email, otherPassword); err != nil {
		t.Fatal(err)
	}
	err := r.accounts.replacePassword(t.Context(), stale, "yet another 99 words", func(context.Context, kgl.Store) error { return nil })
	wantCode(t, err, kgl.CodeConflict)
}

func TestSetPassword(t *testing.T) {
	r := newService(t)
	u := r.user(t, "ada@example.org", kgl.RoleUser)
	for range 10 {
		_, err := r.try("ada@example.org", otherPassword, "198.51.100.1")
		wantCode(t, err, kgl.CodeInvalidCredentials)
	}
	ctx := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalOperator, ID: "root"})
	if got, err := r.accounts.SetPassword(ctx, "ADA@example.org", otherPassword); err != nil || got.ID != u.ID {
		t.Fatal(got, err)
	}
	if row := r.store.last(); row.ActorType != kgl.PrincipalOperator || row.SubjectID != u.ID {
		t.Errorf("audit = %+v", row)
	}
	if _, err := r.try("ada@example.org", otherPassword, "198.51.100.2"); err != nil {
		t.Errorf("after the reset the account is still blocked: %v", err)
	}
	_, err := r.accounts.SetPassword(ctx, "ada@example.org", "short")
	wantCode(t, err, kgl.CodeInvalid)
	_, err = r.accounts.SetPassword(ctx, "nobody@example.org", otherPassword)
	wantCode(t, err, kgl.CodeNotFound)
}

func TestBootstrap(t *testing.T) {
	r := newService(t)
	first, err := r.accounts.Bootstrap(t.Context(), "admin@localhost", "", nil)
	if err != nil || !first.Created || first.User.Role != kgl.RoleAdmin || first.Password == "" {
		t.Fatalf("first admin = %+v, %v", first, err)
	}
	if row := r.store.last(); row.Action != "user.create" || row.ActorType != kgl.PrincipalSystem || strings.Contains(string(row.Details), first.Password) {
		t.Errorf("audit = %+v %s", row, row.Details)
	}
	if _, err := r.try("admin@localhost", first.Password, home); err != nil {
		t.Errorf("the generated password does not log in: %v", err)
	}
	again, err := r.accounts.Bootstrap(t.Context(), "other@localhost", goodPassword, nil)
	if err != nil || again.Created || again.Password != "" || len(r.store.data.users) != 1 {
		t.Errorf("a second start made %+v, %v", again, err)
	}
}

func TestBootstrapWithGivenPassword(t *testing.T) {
	r := newService(t)
	for _, tc := range []struct{ email, password, field string }{
		{"nonsense", goodPassword, "KGL_ADMIN_EMAIL"},
		{"admin@example.org", "admin", "KGL_ADMIN_PASSWORD"},
		{"admin@example.org", "password123", "KGL_ADMIN_PASSWORD"},
	} {
		_, err := r.accounts.Bootstrap(t.Context(), tc.email, tc.password, nil)
		if e, ok := err.(*kgl.Error); !ok || e.Code != kgl.CodeInvalid || e.Fields[0].Field != tc.field {
			t.Errorf("Bootstrap(%q, %q) = %v, want an error about %s", tc.email, tc.password, err, tc.field)
		}
	}
	first, err := r.accounts.Bootstrap(t.Context(), "admin@example.org", goodPassword, nil)
	if err != nil || !first.Created || first.Password != "" {
		t.Fatalf("first admin = %+v, %v", first, err)
	}
	if _, err := r.try("admin@example.org", goodPassword, home); err != nil {
		t.Error(err)
	}
}

func TestBootstrapAtOnce(t *testing.T) {
	one := newService(t)
	replicas := []replica{one, one.second(t), one.second(t), one.second(t)}
	created := make([]bool, len(replicas))
	var wg sync.WaitGroup
	for i, r := range replicas {
		wg.Go(func() {
			first, err := r.accounts.Bootstrap(context.Background(), "admin@localhost", "", nil)
			if err != nil {
				t.Errorf("Bootstrap: %v", err)
			}
			created[i] = first.Created
			if !first.Created && first.Password != "" {
				t.Error("a password of no use is returned")
			}
		})
	}
	wg.Wait()
	if n := len(slices.DeleteFunc(created, func(c bool) bool { return !c })); n != 1 || len(one.store.data.users) != 1 {
		t.Errorf("%d processes made an admin, %d users exist", n, len(one.store.data.users))
	}
}
