package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

const week = 7 * 24 * time.Hour

// newSession returns the n-th session of a user and its first refresh token.
func newSession(u kgl.User, n int) (kgl.Session, kgl.RefreshToken) {
	created := after(time.Duration(n) * time.Minute)
	s := kgl.Session{
		ID: id(1000 + n), UserID: u.ID, Scope: "content:read sources:read", UserAgent: "test", Address: "192.0.2.1",
		CreatedAt: created, ExpiresAt: created.Add(week),
	}
	return s, newToken(s, n)
}

// newToken returns a refresh token of a session; its hash is made of n.
func newToken(s kgl.Session, n int) kgl.RefreshToken {
	return kgl.RefreshToken{
		ID: id(2000 + n), SessionID: s.ID, TokenHash: fmt.Sprintf("hash-%d", n),
		CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
	}
}

// addSession stores the n-th session of a user.
func addSession(t *testing.T, db *store.DB, u kgl.User, n int) (kgl.Session, kgl.RefreshToken) {
	t.Helper()
	s, token := newSession(u, n)
	must(t, db.CreateSession(ctx(t), s, token))
	return s, token
}

func runSessions(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a session is stored whole, with its token", sessionRoundTrip},
		{"a session without a user is refused", sessionNeedsUser},
		{"a session whose token is taken is not stored", sessionTokenUnique},
		{"an unknown session or token is not found", sessionNotFound},
		{"the state has what a token check needs", sessionState},
		{"a token is rotated once", sessionRotate},
		{"of fifty rotations one gets a successor", sessionRotateRace},
		{"a token is locked until the transaction ends", sessionTokenLock},
		{"a session is revoked once", sessionRevoke},
		{"all sessions of a user are revoked", sessionRevokeUser},
		{"expired sessions are removed in portions", sessionExpire},
	})
}

func sessionRoundTrip(t *testing.T, db *store.DB) {
	s, token := addSession(t, db, addUser(t, db, 1), 1)
	same(t, got(db.Session(ctx(t), s.ID))(t), s)
	same(t, got(db.RefreshTokenForUpdate(ctx(t), token.TokenHash))(t), token)
}

func sessionNeedsUser(t *testing.T, db *store.DB) {
	s, token := newSession(newUser(1), 1)
	wantCode(t, db.CreateSession(ctx(t), s, token), kgl.CodeConflict)
}

func sessionTokenUnique(t *testing.T, db *store.DB) {
	u := addUser(t, db, 1)
	_, first := addSession(t, db, u, 1)
	s, token := newSession(u, 2)
	token.TokenHash = first.TokenHash
	wantCode(t, db.CreateSession(ctx(t), s, token), kgl.CodeConflict)
	_, err := db.Session(ctx(t), s.ID)
	wantCode(t, err, kgl.CodeNotFound)
}

func sessionNotFound(t *testing.T, db *store.DB) {
	_, err := db.Session(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.SessionState(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	_, err = db.RefreshTokenForUpdate(ctx(t), "none")
	wantCode(t, err, kgl.CodeNotFound)
	wantCode(t, db.RevokeSession(ctx(t), id(1), "logout", epoch), kgl.CodeNotFound)
}

func sessionState(t *testing.T, db *store.DB) {
	u := newAdmin(1)
	must(t, db.CreateUser(ctx(t), u))
	s, _ := addSession(t, db, u, 1)
	want := kgl.SessionState{
		SessionID: s.ID, ExpiresAt: s.ExpiresAt, UserID: u.ID, Role: kgl.RoleAdmin, Status: kgl.UserActive,
	}
	same(t, got(db.SessionState(ctx(t), s.ID))(t), want)
	u.Role, u.Status = kgl.RoleUser, kgl.UserDisabled
	got(db.UpdateUser(ctx(t), u))(t)
	must(t, db.RevokeSession(ctx(t), s.ID, "logout", after(time.Hour)))
	want.Revoked, want.Role, want.Status = true, kgl.RoleUser, kgl.UserDisabled
	same(t, got(db.SessionState(ctx(t), s.ID))(t), want)
}

func sessionRotate(t *testing.T, db *store.DB) {
	s, old := addSession(t, db, addUser(t, db, 1), 1)
	next := newToken(s, 2)
	old.UsedAt, old.SuccessorSealed = at(time.Hour), "sealed"
	must(t, db.RotateRefreshToken(ctx(t), old, next))
	same(t, got(db.RefreshTokenForUpdate(ctx(t), old.TokenHash))(t), old)
	same(t, got(db.RefreshTokenForUpdate(ctx(t), next.TokenHash))(t), next)
	wantCode(t, db.RotateRefreshToken(ctx(t), old, newToken(s, 3)), kgl.CodeConflict)
	_, err := db.RefreshTokenForUpdate(ctx(t), "hash-3")
	wantCode(t, err, kgl.CodeNotFound)
}

func sessionRotateRace(t *testing.T, db *store.DB) {
	const n = 50
	s, old := addSession(t, db, addUser(t, db, 1), 1)
	wins, winner := 0, 0
	for i, err := range parallel(n, func(i int) error {
		mine := old
		mine.UsedAt, mine.SuccessorSealed = at(time.Hour), fmt.Sprint(i)
		return db.RotateRefreshToken(ctx(t), mine, newToken(s, 10+i))
	}) {
		if err == nil {
			wins, winner = wins+1, i
			continue
		}
		wantCode(t, err, kgl.CodeConflict)
	}
	if wins != 1 {
		t.Fatalf("%d successors", wins)
	}
	if sealed := got(db.RefreshTokenForUpdate(ctx(t), old.TokenHash))(t).SuccessorSealed; sealed != fmt.Sprint(winner) {
		t.Fatalf("the old token has the successor %s, the winner was %d", sealed, winner)
	}
	for i := range n {
		_, err := db.RefreshTokenForUpdate(ctx(t), newToken(s, 10+i).TokenHash)
		if i == winner {
			must(t, err)
			continue
		}
		wantCode(t, err, kgl.CodeNotFound)
	}
}

func sessionTokenLock(t *testing.T, db *store.DB) {
	s, old := addSession(t, db, addUser(t, db, 1), 1)
	outside := ctx(t)
	read := func(ctx context.Context) (token kgl.RefreshToken, err error) {
		err = db.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
			token, err = tx.RefreshTokenForUpdate(ctx, old.TokenHash)
			return err
		})
		return token, err
	}
	must(t, db.InTx(outside, func(ctx context.Context, tx kgl.Store) error {
		token := got(tx.RefreshTokenForUpdate(ctx, old.TokenHash))(t)
		waits(t, outside, func(ctx context.Context) error {
			_, err := read(ctx)
			return err
		})
		token.UsedAt, token.SuccessorSealed = at(time.Hour), "sealed"
		return tx.RotateRefreshToken(ctx, token, newToken(s, 2))
	}))
	if token := got(read(outside))(t); token.UsedAt == nil {
		t.Fatal("the second reader sees the token unused")
	}
}

func sessionRevoke(t *testing.T, db *store.DB) {
	s, _ := addSession(t, db, addUser(t, db, 1), 1)
	must(t, db.RevokeSession(ctx(t), s.ID, "logout", after(time.Hour)))
	must(t, db.RevokeSession(ctx(t), s.ID, "reuse", after(2*time.Hour)))
	s.RevokedAt, s.RevokeReason = at(time.Hour), "logout"
	same(t, got(db.Session(ctx(t), s.ID))(t), s)
}

func sessionRevokeUser(t *testing.T, db *store.DB) {
	u, other := addUser(t, db, 1), addUser(t, db, 2)
	revoked, _ := addSession(t, db, u, 1)
	open, _ := addSession(t, db, u, 2)
	addSession(t, db, u, 3)
	theirs, _ := addSession(t, db, other, 4)
	must(t, db.RevokeSession(ctx(t), revoked.ID, "logout", after(time.Hour)))
	if n := got(db.RevokeUserSessions(ctx(t), u.ID, "password", after(2*time.Hour)))(t); n != 2 {
		t.Fatalf("%d sessions were revoked", n)
	}
	if reason := got(db.Session(ctx(t), revoked.ID))(t).RevokeReason; reason != "logout" {
		t.Fatalf("an ended session was revoked again: %s", reason)
	}
	if s := got(db.Session(ctx(t), open.ID))(t); s.RevokeReason != "password" || !s.RevokedAt.Equal(after(2*time.Hour)) {
		t.Fatalf("the session was not revoked: %+v", s)
	}
	if got(db.SessionState(ctx(t), theirs.ID))(t).Revoked {
		t.Fatal("the session of another user was revoked")
	}
	if n := got(db.RevokeUserSessions(ctx(t), u.ID, "password", after(3*time.Hour)))(t); n != 0 {
		t.Fatalf("%d sessions were revoked twice", n)
	}
	if n := got(db.RevokeUserSessions(ctx(t), other.ID, "password", theirs.ExpiresAt))(t); n != 0 {
		t.Fatalf("%d sessions were ended after they had expired", n)
	}
}

func sessionExpire(t *testing.T, db *store.DB) {
	u := addUser(t, db, 1)
	for n := range 5 {
		addSession(t, db, u, n) // expires a week and n minutes after the epoch
	}
	before := after(week + 3*time.Minute)
	for _, want := range []int64{2, 1, 0} {
		if n := got(db.DeleteExpiredSessions(ctx(t), before, 2))(t); n != want {
			t.Fatalf("%d sessions were removed, want %d", n, want)
		}
	}
	_, err := db.RefreshTokenForUpdate(ctx(t), "hash-2")
	wantCode(t, err, kgl.CodeNotFound)
	got(db.RefreshTokenForUpdate(ctx(t), "hash-3"))(t) // expires at that very moment: not before it
}
