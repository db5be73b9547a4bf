package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// newUser returns the n-th user of the tests' world.
func newUser(n int) kgl.User {
	email := fmt.Sprintf("User%02d@example.org", n)
	return kgl.User{
		ID: id(n), Email: email, EmailKey: kgl.NormalizeEmail(email), Name: fmt.Sprintf("User %d", n),
		Role: kgl.RoleUser, Status: kgl.UserActive, PasswordHash: "$argon2id$hash", Version: 1,
		CreatedAt: after(time.Duration(n) * time.Minute), UpdatedAt: after(time.Duration(n) * time.Minute),
	}
}

func newAdmin(n int) kgl.User {
	u := newUser(n)
	u.Role = kgl.RoleAdmin
	return u
}

// addUser stores the n-th user.
func addUser(t *testing.T, db *store.DB, n int) kgl.User {
	t.Helper()
	u := newUser(n)
	must(t, db.CreateUser(ctx(t), u))
	return u
}

func runUsers(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a user is stored whole", userRoundTrip},
		{"an email is taken once", userEmailUnique},
		{"a conflict leaves the transaction usable", userConflictInTx},
		{"an unknown user is not found", userNotFound},
		{"an update needs the stored version", userUpdate},
		{"of many updates with one version one is stored", userUpdateRace},
		{"a login is recorded without a new version", userRecordLogin},
		{"a user goes with the sessions", userDelete},
		{"lists cover every user once, newest first", userList},
		{"lists filter", userFilter},
		{"active admins are counted", userCounts},
		{"two transactions cannot each take the last admin of the other", userLastAdmin},
	})
}

func userRoundTrip(t *testing.T, db *store.DB) {
	u := newUser(1)
	u.LastLoginAt = at(time.Hour)
	must(t, db.CreateUser(ctx(t), u))
	same(t, got(db.User(ctx(t), u.ID))(t), u)
	same(t, got(db.UserByEmail(ctx(t), u.EmailKey))(t), u)
}

func userEmailUnique(t *testing.T, db *store.DB) {
	u, other := addUser(t, db, 1), addUser(t, db, 2)
	again := newUser(3)
	again.EmailKey = u.EmailKey
	wantCode(t, db.CreateUser(ctx(t), again), kgl.CodeConflict)
	other.EmailKey = u.EmailKey
	_, err := db.UpdateUser(ctx(t), other)
	wantCode(t, err, kgl.CodeConflict)
	if n := got(db.CountUsers(ctx(t)))(t); n != 2 {
		t.Fatalf("%d users", n)
	}
}

func userConflictInTx(t *testing.T, db *store.DB) {
	u := addUser(t, db, 1)
	must(t, db.CreateEntity(ctx(t), newEntity(1, "person", "Ada")))
	must(t, db.CreateSigningKey(ctx(t), newSigningKey("key", 1)))
	must(t, db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		again := newUser(2)
		again.EmailKey = u.EmailKey
		wantCode(t, tx.CreateUser(ctx, again), kgl.CodeConflict)
		wantCode(t, tx.CreateEntity(ctx, newEntity(2, "person", "Ada")), kgl.CodeConflict)
		wantCode(t, tx.CreateSigningKey(ctx, newSigningKey("key", 2)), kgl.CodeConflict)
		return tx.CreateUser(ctx, newUser(3))
	}))
	got(db.User(ctx(t), id(3)))(t)
}

func userNotFound(t *testing.T, db *store.DB) {
	_, err := db.User(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.UserByEmail(ctx(t), "nobody@example.org")
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.UpdateUser(ctx(t), newUser(1))
	wantCode(t, err, kgl.CodeNotFound)
	wantCode(t, db.RecordLogin(ctx(t), id(1), epoch, ""), kgl.CodeNotFound)
	wantCode(t, db.RecordLogin(ctx(t), id(1), epoch, "hash"), kgl.CodeNotFound)
	wantCode(t, db.DeleteUser(ctx(t), id(1)), kgl.CodeNotFound)
}

func userUpdate(t *testing.T, db *store.DB) {
	u := addUser(t, db, 1)
	u.Email, u.EmailKey, u.Name = "New@example.org", "new@example.org", "New"
	u.Role, u.Status, u.PasswordHash, u.UpdatedAt = kgl.RoleModerator, kgl.UserDisabled, "other", after(time.Hour)
	changed := got(db.UpdateUser(ctx(t), u))(t)
	stale := u
	u.Version = 2
	same(t, changed, u)
	same(t, got(db.User(ctx(t), u.ID))(t), u)
	_, err := db.UpdateUser(ctx(t), stale)
	wantCode(t, err, kgl.CodePreconditionFailed)
}

func userUpdateRace(t *testing.T, db *store.DB) {
	u := addUser(t, db, 1)
	wins := 0
	for _, err := range parallel(10, func(i int) error {
		mine := u
		mine.Name = fmt.Sprint(i)
		_, err := db.UpdateUser(ctx(t), mine)
		return err
	}) {
		if err == nil {
			wins++
			continue
		}
		wantCode(t, err, kgl.CodePreconditionFailed)
	}
	if v := got(db.User(ctx(t), u.ID))(t).Version; wins != 1 || v != 2 {
		t.Fatalf("%d updates were stored, version %d", wins, v)
	}
}

func userRecordLogin(t *testing.T, db *store.DB) {
	u := addUser(t, db, 1)
	must(t, db.RecordLogin(ctx(t), u.ID, after(time.Hour), ""))
	u.LastLoginAt = at(time.Hour)
	same(t, got(db.User(ctx(t), u.ID))(t), u)
	must(t, db.RecordLogin(ctx(t), u.ID, after(2*time.Hour), "stronger"))
	u.LastLoginAt, u.PasswordHash = at(2*time.Hour), "stronger"
	same(t, got(db.User(ctx(t), u.ID))(t), u)
}

func userDelete(t *testing.T, db *store.DB) {
	u := addUser(t, db, 1)
	s, token := newSession(u, 1)
	must(t, db.CreateSession(ctx(t), s, token))
	must(t, db.DeleteUser(ctx(t), u.ID))
	_, err := db.User(ctx(t), u.ID)
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.Session(ctx(t), s.ID)
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.RefreshTokenForUpdate(ctx(t), token.TokenHash)
	wantCode(t, err, kgl.CodeNotFound)
}

func userList(t *testing.T, db *store.DB) {
	var want []string
	for n := range 23 {
		u := newUser(n)
		u.CreatedAt = after(time.Duration(n/5) * time.Minute) // ties of five
		must(t, db.CreateUser(ctx(t), u))
		want = append(want, u.ID)
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 4, 5, 23, 100} {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.User], error) {
			return db.Users(ctx(t), kgl.UserFilter{}, p)
		})
		same(t, idsOf(all, func(u kgl.User) string { return u.ID }), want)
	}
}

func userFilter(t *testing.T, db *store.DB) {
	for n := range 12 {
		u := newUser(n)
		if n%3 == 0 {
			u.Role = kgl.RoleAdmin
		}
		if n%2 == 0 {
			u.Status = kgl.UserDisabled
		}
		must(t, db.CreateUser(ctx(t), u))
	}
	for _, tc := range []struct {
		name   string
		filter kgl.UserFilter
		want   []int
	}{
		{"role", kgl.UserFilter{Role: kgl.RoleAdmin}, []int{9, 6, 3, 0}},
		{"status", kgl.UserFilter{Status: kgl.UserDisabled}, []int{10, 8, 6, 4, 2, 0}},
		{"email", kgl.UserFilter{EmailPrefix: "user1"}, []int{11, 10}},
		{"all of them", kgl.UserFilter{Role: kgl.RoleAdmin, Status: kgl.UserDisabled, EmailPrefix: "user0"}, []int{6, 0}},
		{"nothing", kgl.UserFilter{EmailPrefix: "user%"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := pages(t, 2, func(p kgl.Page) (kgl.List[kgl.User], error) { return db.Users(ctx(t), tc.filter, p) })
			same(t, idsOf(all, func(u kgl.User) string { return u.ID }), numbered(tc.want))
		})
	}
}

func userCounts(t *testing.T, db *store.DB) {
	addUser(t, db, 1)
	must(t, db.CreateUser(ctx(t), newAdmin(2)))
	disabled := newAdmin(3)
	disabled.Status = kgl.UserDisabled
	must(t, db.CreateUser(ctx(t), disabled))
	if n := got(db.CountActiveAdmins(ctx(t)))(t); n != 1 {
		t.Fatalf("%d active admins", n)
	}
	if n := got(db.CountUsers(ctx(t)))(t); n != 3 {
		t.Fatalf("%d users", n)
	}
}

// disableUnlessLast disables an admin in a transaction, unless no other is
// active, as the service does, and says whether it did.
func disableUnlessLast(ctx context.Context, tx kgl.Store, userID string) (bool, error) {
	count, err := tx.CountActiveAdmins(ctx)
	if err != nil || count < 2 {
		return false, err
	}
	u, err := tx.User(ctx, userID)
	if err != nil {
		return false, err
	}
	u.Status = kgl.UserDisabled
	_, err = tx.UpdateUser(ctx, u)
	return err == nil, err
}

// userLastAdmin lets one of two admins count while the transaction of the other
// has counted and not ended: it has to wait, and then finds itself the last.
func userLastAdmin(t *testing.T, db *store.DB) {
	must(t, db.CreateUser(ctx(t), newAdmin(1)))
	must(t, db.CreateUser(ctx(t), newAdmin(2)))
	other := func(ctx context.Context) (disabled bool, err error) {
		err = db.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
			disabled, err = disableUnlessLast(ctx, tx, id(2))
			return err
		})
		return disabled, err
	}
	outside := ctx(t)
	must(t, db.InTx(outside, func(ctx context.Context, tx kgl.Store) error {
		disabled, err := disableUnlessLast(ctx, tx, id(1))
		must(t, err)
		if !disabled {
			t.Error("the first of two admins was not disabled")
		}
		waits(t, outside, func(ctx context.Context) error {
			_, err := other(ctx)
			return err
		})
		return nil
	}))
	if got(other(outside))(t) {
		t.Fatal("the last admin was disabled")
	}
}

// waits fails the test unless f is kept waiting by a transaction that the
// caller has open: on Postgres by a lock, on SQLite because the writer is taken.
func waits(t *testing.T, outside context.Context, f func(ctx context.Context) error) {
	t.Helper()
	short, cancel := context.WithTimeout(outside, 50*time.Millisecond)
	defer cancel()
	wantCode(t, f(short), kgl.CodeTimeout)
}
