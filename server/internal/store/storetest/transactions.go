package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

var errTest = errors.New("test: roll back")

func runTransactions(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an error rolls back and is returned as it is", rollsBack},
		{"a panic rolls back and goes on", panicRollsBack},
		{"a nested call joins the outer transaction", nestedJoins},
		{"the context decides, whichever Store value is used", contextDecides},
		{"a reader outside does not see what is not committed", isolated},
		{"reading does not wait for a writer", readersDoNotWait},
		{"a context is useless after its transaction", useAfterEnd},
		{"a cancelled context commits nothing", cancelled},
		{"a waiting writer gives up with its context", waitingWriter},
		{"what waits for the commit runs after it", afterCommit},
		{"ping works and leaves nothing", ping},
		{"ping fails on a closed database", pingClosed},
	})
}

// wantSetting checks what a reader outside of transactions sees; empty: nothing.
func wantSetting(t *testing.T, db *store.DB, key, want string) {
	t.Helper()
	v, err := db.Setting(ctx(t), key)
	if want == "" {
		wantCode(t, err, kgl.CodeNotFound)
		return
	}
	must(t, err)
	if v != want {
		t.Fatalf("setting %s is %q, want %q", key, v, want)
	}
}

func rollsBack(t *testing.T, db *store.DB) {
	err := db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		must(t, tx.SetSetting(ctx, "k", "v", epoch))
		return kgl.Wrap(errTest, kgl.CodeForbidden, "no")
	})
	wantCode(t, err, kgl.CodeForbidden)
	if !errors.Is(err, errTest) {
		t.Fatalf("the cause is lost: %v", err)
	}
	wantSetting(t, db, "k", "")
}

func afterCommit(t *testing.T, db *store.DB) {
	ran := ""
	add := func(ctx context.Context, name string) { db.AfterCommit(ctx, func() { ran += name }) }
	add(ctx(t), "a")
	if ran != "a" {
		t.Fatalf("without a transaction: %q", ran)
	}
	must(t, db.InTx(ctx(t), func(outer context.Context, tx kgl.Store) error {
		add(outer, "b")
		must(t, tx.SetSetting(outer, "k", "v", epoch))
		must(t, tx.InTx(outer, func(inner context.Context, _ kgl.Store) error { add(inner, "c"); return nil }))
		db.AfterCommit(outer, func() { wantSetting(t, db, "k", "v") })
		if ran != "a" {
			t.Errorf("before the commit: %q", ran)
		}
		return nil
	}))
	if ran != "abc" {
		t.Fatalf("after the commit: %q", ran)
	}
	err := db.InTx(ctx(t), func(ctx context.Context, _ kgl.Store) error { add(ctx, "d"); return errTest })
	if !errors.Is(err, errTest) || ran != "abc" {
		t.Fatalf("after a rollback: %v, %q", err, ran)
	}
}

func panicRollsBack(t *testing.T, db *store.DB) {
	func() {
		defer func() {
			if r := recover(); r != errTest {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
			must(t, tx.SetSetting(ctx, "k", "v", epoch))
			panic(errTest)
		})
	}()
	wantSetting(t, db, "k", "")
	must(t, db.SetSetting(ctx(t), "k", "later", epoch))
}

func nestedJoins(t *testing.T, db *store.DB) {
	err := db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		must(t, tx.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
			return tx.SetSetting(ctx, "inner", "v", epoch)
		}))
		v, err := tx.Setting(ctx, "inner")
		must(t, err)
		must(t, tx.SetSetting(ctx, "outer", v, epoch))
		return errTest
	})
	if !errors.Is(err, errTest) {
		t.Fatal(err)
	}
	wantSetting(t, db, "inner", "")
	wantSetting(t, db, "outer", "")
}

func contextDecides(t *testing.T, db *store.DB) {
	var outer kgl.Store = db
	_ = db.InTx(ctx(t), func(ctx context.Context, _ kgl.Store) error {
		must(t, outer.SetSetting(ctx, "k", "v", epoch))
		if v, err := outer.Setting(ctx, "k"); err != nil || v != "v" {
			t.Fatalf("a read in the transaction gave %q, %v", v, err)
		}
		return errTest
	})
	wantSetting(t, db, "k", "")
}

func isolated(t *testing.T, db *store.DB) {
	outside := ctx(t)
	must(t, db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		must(t, tx.SetSetting(ctx, "k", "v", epoch))
		_, err := db.Setting(outside, "k")
		wantCode(t, err, kgl.CodeNotFound)
		return nil
	}))
	wantSetting(t, db, "k", "v")
}

func useAfterEnd(t *testing.T, db *store.DB) {
	var leaked context.Context
	must(t, db.InTx(ctx(t), func(ctx context.Context, _ kgl.Store) error {
		leaked = ctx
		return nil
	}))
	_, err := db.Setting(leaked, "k")
	wantCode(t, err, kgl.CodeInternal)
	wantCode(t, db.SetSetting(leaked, "k", "v", epoch), kgl.CodeInternal)
}

func cancelled(t *testing.T, db *store.DB) {
	c, cancel := context.WithCancel(ctx(t))
	err := db.InTx(c, func(ctx context.Context, tx kgl.Store) error {
		must(t, tx.SetSetting(ctx, "k", "v", epoch))
		cancel()
		return nil
	})
	wantCode(t, err, kgl.CodeTimeout)
	wantSetting(t, db, "k", "")
	_, err = db.Setting(c, "k")
	wantCode(t, err, kgl.CodeTimeout)
	must(t, db.SetSetting(ctx(t), "k", "v", epoch))
}

// waitingWriter holds a row (on SQLite the writer) while another call wants it.
func waitingWriter(t *testing.T, db *store.DB) {
	outside := ctx(t)
	must(t, db.SetSetting(outside, "k", "v", epoch))
	must(t, db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		must(t, tx.SetSetting(ctx, "k", "mine", epoch))
		short, cancel := context.WithTimeout(outside, 50*time.Millisecond)
		defer cancel()
		wantCode(t, db.SetSetting(short, "k", "theirs", epoch), kgl.CodeTimeout)
		return nil
	}))
	wantSetting(t, db, "k", "mine")
}

func ping(t *testing.T, db *store.DB) {
	must(t, db.Ping(ctx(t)))
	wantSetting(t, db, "ping", "")
}

func pingClosed(t *testing.T, db *store.DB) {
	must(t, db.Close())
	wantCode(t, db.Ping(ctx(t)), kgl.CodeUnavailable)
}

// readersDoNotWait calls everything that only reads while a transaction holds
// what it has written (on SQLite: the one connection that writes).
func readersDoNotWait(t *testing.T, db *store.DB) {
	outside := ctx(t)
	p := kgl.Page{Limit: 5}
	reads := map[string]func() error{
		"Setting":             func() error { _, err := db.Setting(outside, "k"); return err },
		"Source":              func() error { _, err := db.Source(outside, id(1)); return err },
		"SourceByURLKey":      func() error { _, err := db.SourceByURLKey(outside, "k"); return err },
		"Sources":             func() error { _, err := db.Sources(outside, kgl.SourceFilter{}, kgl.SourceByTitle, p); return err },
		"SourceContentCounts": func() error { _, err := db.SourceContentCounts(outside, []string{id(1)}); return err },
		"Fetches":             func() error { _, err := db.Fetches(outside, id(1), p); return err },
		"DueSources":          func() error { _, err := db.DueSources(outside, "h", epoch, 5); return err },
		"NextDueAt":           func() error { _, err := db.NextDueAt(outside); return err },
		"ContentStates": func() error {
			_, err := db.ContentStates(outside, id(1), []kgl.ContentIdentity{{Kind: kgl.IdentityGUID, Key: "k"}})
			return err
		},
		"Content": func() error { _, err := db.Content(outside, id(1)); return err },
		"Contents": func() error {
			_, err := db.Contents(outside, kgl.ContentFilter{}, kgl.ContentNewestFirst, true, p)
			return err
		},
		"ContentRevisions": func() error { _, err := db.ContentRevisions(outside, id(1), p); return err },
		"FindDuplicates": func() error {
			_, err := db.FindDuplicates(outside, []kgl.DuplicateCandidate{{CanonicalURL: "u"}})
			return err
		},
		"Duplicates":      func() error { _, err := db.Duplicates(outside, id(1), p); return err },
		"NextTaskAt":      func() error { _, err := db.NextTaskAt(outside, kgl.ExtractorMock); return err },
		"Entity":          func() error { _, err := db.Entity(outside, id(1)); return err },
		"Entities":        func() error { _, err := db.Entities(outside, kgl.EntityFilter{}, kgl.EntityByName, p); return err },
		"ContentEntities": func() error { _, err := db.ContentEntities(outside, id(1), p); return err },
		"Relationship":    func() error { _, err := db.Relationship(outside, id(1)); return err },
		"Relationships": func() error {
			_, err := db.Relationships(outside, kgl.RelationshipFilter{}, kgl.RelationshipNewestFirst, p)
			return err
		},
		"EntityRelationships": func() error {
			_, err := db.EntityRelationships(outside, id(1), kgl.EntityRelationshipFilter{}, kgl.RelationshipNewestFirst, p)
			return err
		},
		"EventsAfter":    func() error { _, err := db.EventsAfter(outside, kgl.EventPosition{}, 5); return err },
		"User":           func() error { _, err := db.User(outside, id(1)); return err },
		"Users":          func() error { _, err := db.Users(outside, kgl.UserFilter{}, p); return err },
		"SessionState":   func() error { _, err := db.SessionState(outside, id(1)); return err },
		"LoginThrottles": func() error { _, err := db.LoginThrottles(outside, []string{"k"}); return err },
		"SigningKeys":    func() error { _, err := db.SigningKeys(outside); return err },
		"AuditEvents":    func() error { _, err := db.AuditEvents(outside, kgl.AuditFilter{}, p); return err },
		"AuditHead":      func() error { _, _, err := db.AuditHead(outside); return err },
		"Dashboard":      func() error { _, err := db.Dashboard(outside, epoch); return err },
	}
	must(t, db.InTx(ctx(t), func(c context.Context, tx kgl.Store) error {
		must(t, tx.SetSetting(c, "k", "v", epoch))
		must(t, tx.CreateSource(c, newSource(1, "h", nil)))
		for name, read := range reads {
			if err := read(); err != nil && !kgl.Is(err, kgl.CodeNotFound) {
				t.Errorf("%s while another transaction writes: %v", name, err)
			}
		}
		return nil
	}))
}
