package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// newRecord returns a reservation of a key that lasts a day.
func newRecord(key string) kgl.IdempotencyRecord {
	return kgl.IdempotencyRecord{
		Principal: "user:" + id(1), Key: key, Operation: "createSource", RequestHash: "hash",
		CreatedAt: epoch, ExpiresAt: after(24 * time.Hour),
	}
}

// answered returns a record with its answer.
func answered(r kgl.IdempotencyRecord) kgl.IdempotencyRecord {
	r.Completed, r.Status, r.Body = true, 201, []byte{0, 0xff, '{', '}'}
	r.Header = map[string]string{"Location": "/api/v1/sources/1", "ETag": `"1"`}
	return r
}

func runIdempotency(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a key is reserved once, and keeps its answer", idempotencyRoundTrip},
		{"a key belongs to its principal", idempotencyPrincipal},
		{"an expired record is replaced", idempotencyExpired},
		{"a reservation goes with its transaction", idempotencyRollback},
		{"an unknown key cannot be completed", idempotencyNotFound},
		{"of many reservations one is told true", idempotencyRace},
		{"a key that another transaction holds is in flight", idempotencyInFlight},
		{"expired records are removed in portions", idempotencyCleanup},
	})
}

func reserve(ctx context.Context, t *testing.T, db kgl.Store, r kgl.IdempotencyRecord, now time.Time) (kgl.IdempotencyRecord, bool) {
	t.Helper()
	stored, reserved, err := db.ReserveIdempotencyKey(ctx, r, now)
	must(t, err)
	return stored, reserved
}

func idempotencyRoundTrip(t *testing.T, db *store.DB) {
	r := newRecord("k")
	if _, reserved := reserve(ctx(t), t, db, r, epoch); !reserved {
		t.Fatal("a new key was not reserved")
	}
	other := newRecord("k")
	other.Operation, other.RequestHash = "createEntity", "other"
	stored, reserved := reserve(ctx(t), t, db, other, after(time.Minute))
	r.Header, r.Body = map[string]string{}, []byte{}
	if reserved {
		t.Fatal("a key was reserved twice")
	}
	same(t, stored, r)
	r = answered(r)
	must(t, db.CompleteIdempotencyKey(ctx(t), r))
	stored, reserved = reserve(ctx(t), t, db, other, after(time.Minute))
	if reserved {
		t.Fatal("a completed key was reserved")
	}
	same(t, stored, r)
}

func idempotencyPrincipal(t *testing.T, db *store.DB) {
	mine, theirs := newRecord("k"), newRecord("k")
	theirs.Principal = "user:" + id(2)
	for _, r := range []kgl.IdempotencyRecord{mine, theirs, newRecord("other")} {
		if _, reserved := reserve(ctx(t), t, db, r, epoch); !reserved {
			t.Fatalf("%s %s was not reserved", r.Principal, r.Key)
		}
	}
}

func idempotencyExpired(t *testing.T, db *store.DB) {
	old := newRecord("k")
	reserve(ctx(t), t, db, old, epoch)
	must(t, db.CompleteIdempotencyKey(ctx(t), answered(old)))
	young := newRecord("k")
	young.RequestHash, young.CreatedAt, young.ExpiresAt = "other", old.ExpiresAt, after(48*time.Hour)
	if _, reserved := reserve(ctx(t), t, db, young, old.ExpiresAt.Add(-time.Microsecond)); reserved {
		t.Fatal("a record was replaced while it lived")
	}
	if _, reserved := reserve(ctx(t), t, db, young, old.ExpiresAt); !reserved {
		t.Fatal("an expired record was not replaced")
	}
	stored, _ := reserve(ctx(t), t, db, young, old.ExpiresAt)
	young.Header, young.Body = map[string]string{}, []byte{}
	same(t, stored, young)
}

func idempotencyRollback(t *testing.T, db *store.DB) {
	_ = db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		if _, reserved := reserve(ctx, t, tx, newRecord("k"), epoch); !reserved {
			t.Error("a new key was not reserved")
		}
		return errTest
	})
	if _, reserved := reserve(ctx(t), t, db, newRecord("k"), epoch); !reserved {
		t.Fatal("a rolled back reservation stayed")
	}
}

func idempotencyNotFound(t *testing.T, db *store.DB) {
	wantCode(t, db.CompleteIdempotencyKey(ctx(t), newRecord("k")), kgl.CodeNotFound)
}

// idempotencyRace runs one request many times at once, as a handler does: the
// work is done once, and every other caller gets its answer or is told to wait.
func idempotencyRace(t *testing.T, db *store.DB) {
	const n = 20
	done := make([]bool, n)
	for i, err := range parallel(n, func(i int) error {
		return db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
			done[i] = false
			stored, reserved, err := tx.ReserveIdempotencyKey(ctx, newRecord("k"), epoch)
			if err != nil {
				return err
			}
			if !reserved {
				if !stored.Completed {
					t.Errorf("caller %d saw a record without its answer", i)
				}
				return nil
			}
			done[i] = true
			if err := tx.SetSetting(ctx, "work", fmt.Sprint(i), epoch); err != nil {
				return err
			}
			return tx.CompleteIdempotencyKey(ctx, answered(newRecord("k")))
		})
	}) {
		if err != nil {
			done[i] = false
			wantCode(t, err, kgl.CodeIdempotencyInFlight)
		}
	}
	count := 0
	for _, d := range done {
		if d {
			count++
		}
	}
	if count != 1 {
		t.Fatalf("the work was done %d times", count)
	}
}

// idempotencyInFlight asks for a key while another transaction holds it.
// Postgres answers at once; SQLite, where the writer is taken as a whole, lets
// the second caller wait.
func idempotencyInFlight(t *testing.T, db *store.DB) {
	outside := ctx(t)
	held := newRecord("k")
	must(t, db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		if _, reserved := reserve(ctx, t, tx, held, epoch); !reserved {
			t.Error("a new key was not reserved")
		}
		if _, reserved := reserve(ctx, t, tx, held, epoch); reserved {
			t.Error("a transaction reserved its own key twice")
		}
		if db.Engine() == store.SQLite {
			short, cancel := context.WithTimeout(outside, 50*time.Millisecond)
			defer cancel()
			_, _, err := db.ReserveIdempotencyKey(short, held, epoch)
			wantCode(t, err, kgl.CodeTimeout)
			return nil
		}
		_, _, err := db.ReserveIdempotencyKey(outside, held, epoch)
		wantCode(t, err, kgl.CodeIdempotencyInFlight)
		if _, reserved := reserve(outside, t, db, newRecord("another"), epoch); !reserved {
			t.Error("another key was held, too")
		}
		return nil
	}))
	if _, reserved := reserve(ctx(t), t, db, held, epoch); reserved {
		t.Fatal("a stored key was reserved")
	}
}

func idempotencyCleanup(t *testing.T, db *store.DB) {
	for i, key := range []string{"a", "b", "c", "d"} {
		r := newRecord(key)
		r.ExpiresAt = after(time.Duration(i) * time.Minute)
		reserve(ctx(t), t, db, r, epoch.Add(-time.Hour))
	}
	for _, want := range []int64{2, 1, 0} {
		if n := got(db.DeleteExpiredIdempotencyKeys(ctx(t), after(3*time.Minute), 2))(t); n != want {
			t.Fatalf("%d records were removed, want %d", n, want)
		}
	}
	wantCode(t, db.CompleteIdempotencyKey(ctx(t), newRecord("a")), kgl.CodeNotFound)
	must(t, db.CompleteIdempotencyKey(ctx(t), newRecord("d")))
}
