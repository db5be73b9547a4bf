package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func migrateUp(ctx context.Context, url string) error {
	m, err := store.NewMigrator(url)
	if err != nil {
		return err
	}
	return m.Up(ctx)
}

func TestBootstrapOfReplicas(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		bootstrapReplicas(t, "sqlite:///"+filepath.Join(t.TempDir(), "kgl.db"))
	})
	t.Run("postgres", func(t *testing.T) { bootstrapReplicas(t, pgtest.NewDatabase(t)) })
}

// bootstrapReplicas starts replicas on one database that are each configured
// with another administrator: one of these is made.
func bootstrapReplicas(t *testing.T, url string) {
	if err := migrateUp(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	hasher, err := NewHasher(rand.Reader, HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const replicas = 4
	outcomes, errs := make([]FirstAdmin, replicas), make([]error, replicas)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range replicas {
		db, err := store.Open(t.Context(), store.Config{URL: url, Random: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		clock := kgl.ClockFunc(time.Now)
		accounts := NewAccounts(Deps{Store: db, Clock: clock, IDs: kgl.NewUUIDv7(clock, rand.Reader), Random: rand.Reader, Hasher: hasher})
		group.Go(func() {
			<-start
			outcomes[i], errs[i] = accounts.Bootstrap(t.Context(), fmt.Sprintf("admin%d@example.org", i), "", nil)
		})
	}
	close(start)
	group.Wait()

	var made []FirstAdmin
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[i].Created {
			made = append(made, outcomes[i])
		}
	}
	if len(made) != 1 {
		t.Fatalf("%d replicas say that they made the administrator, want 1", len(made))
	}
	db, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	users, err := db.Users(t.Context(), kgl.UserFilter{}, kgl.Page{Limit: 10})
	if err != nil || len(users.Rows) != 1 || users.Rows[0].Email != made[0].User.Email {
		t.Fatalf("users %+v (%v), want %s only", users.Rows, err, made[0].User.Email)
	}
}

// TestBootstrapKeepsThePasswordFirst cannot keep the generated password at
// first: no account is stored whose password nobody knows.
func TestBootstrapKeepsThePasswordFirst(t *testing.T) {
	r := newService(t)
	noRoom := errors.New("no room")
	if _, err := r.accounts.Bootstrap(t.Context(), "admin@localhost", "", func(string) error { return noRoom }); !errors.Is(err, noRoom) {
		t.Fatalf("Bootstrap: %v", err)
	}
	if n := len(r.store.data.users); n != 0 {
		t.Fatalf("%d users after a failure", n)
	}
	var kept string
	first, err := r.accounts.Bootstrap(t.Context(), "admin@localhost", "", func(password string) error {
		if kept = password; len(r.store.data.users) != 0 {
			t.Error("the account came before its password was kept")
		}
		return nil
	})
	if err != nil || !first.Created || kept == "" || kept != first.Password {
		t.Fatalf("Bootstrap: %+v, %v; kept %q", first, err, kept)
	}
}
