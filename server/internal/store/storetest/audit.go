package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// newAudit returns the n-th row of the tests' audit log.
func newAudit(n int) kgl.AuditEvent {
	return kgl.AuditEvent{
		ID: id(n), At: after(time.Duration(n) * time.Minute), ActorType: kgl.PrincipalUser, ActorID: id(1),
		Action: "source.create", SubjectType: "source", SubjectID: id(2), Outcome: kgl.AuditSuccess,
		RequestID: fmt.Sprintf("request-%d", n), Address: "192.0.2.1", Details: json.RawMessage(`{"url": "https://example.org/?a=1&b=<2>"}`),
	}
}

// addAudit appends the rows with numbers from 0.
func addAudit(t *testing.T, db *store.DB, n int, change func(n int, e *kgl.AuditEvent)) {
	t.Helper()
	for i := range n {
		e := newAudit(i)
		if change != nil {
			change(i, &e)
		}
		got(db.AppendAudit(ctx(t), e))(t)
	}
}

// VerifyAudit checks the whole log in portions, and its end, as the verifier
// of the service does.
func VerifyAudit(ctx context.Context, db kgl.Store, portion int) error {
	var v kgl.AuditVerifier
	for {
		seq, _ := v.Head()
		rows, err := db.AuditEventsFrom(ctx, seq+1, portion)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := v.Check(row); err != nil {
				return err
			}
		}
		if len(rows) < portion {
			break
		}
	}
	seq, hash := v.Head()
	headSeq, headHash, err := db.AuditHead(ctx)
	if err != nil {
		return err
	}
	if seq != headSeq || hash != headHash {
		return kgl.Errorf(kgl.CodeConflict, "the log ends at row %d, and row %d was written", seq, headSeq)
	}
	return nil
}

func runAudit(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"an empty log has no head", func(t *testing.T, db *store.DB) {
			seq, hash, err := db.AuditHead(ctx(t))
			must(t, err)
			if seq != 0 || hash != "" {
				t.Fatalf("head %d %q", seq, hash)
			}
			must(t, VerifyAudit(ctx(t), db, 10))
		}},
		{"rows are chained and stored as they were hashed", auditChain},
		{"what no database keeps is not hashed", auditNormalised},
		{"a row that is rolled back leaves no gap", auditRollback},
		{"fifty writers leave no gap", auditRace},
		{"a reader goes on from a row", auditFrom},
		{"lists cover every row once, newest first", auditList},
		{"lists filter", auditFilter},
	})
}

func auditChain(t *testing.T, db *store.DB) {
	prev := ""
	for n := range 3 {
		e := newAudit(n)
		stored := got(db.AppendAudit(ctx(t), e))(t)
		e.Seq, e.PrevHash, e.Hash = int64(n+1), prev, stored.Hash
		same(t, stored, e)
		if e.Hash != e.ChainHash() {
			t.Fatal("the hash is not that of the row")
		}
		prev = e.Hash
		rows := got(db.AuditEventsFrom(ctx(t), e.Seq, 1))(t)
		same(t, rows, []kgl.AuditEvent{e})
	}
	seq, hash, err := db.AuditHead(ctx(t))
	must(t, err)
	if seq != 3 || hash != prev {
		t.Fatalf("head %d %s", seq, hash)
	}
	must(t, VerifyAudit(ctx(t), db, 2))
}

func auditNormalised(t *testing.T, db *store.DB) {
	e := newAudit(0)
	e.At = epoch.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600))
	e.Details = nil
	stored := got(db.AppendAudit(ctx(t), e))(t)
	if !stored.At.Equal(epoch) || string(stored.Details) != "{}" {
		t.Fatalf("returned as %+v", stored)
	}
	same(t, got(db.AuditEventsFrom(ctx(t), 1, 1))(t), []kgl.AuditEvent{stored})
	must(t, VerifyAudit(ctx(t), db, 10))
}

func auditRollback(t *testing.T, db *store.DB) {
	addAudit(t, db, 1, nil)
	err := db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		if e := got(tx.AppendAudit(ctx, newAudit(1)))(t); e.Seq != 2 {
			t.Errorf("seq %d", e.Seq)
		}
		return errTest
	})
	if err == nil {
		t.Fatal("no error")
	}
	if e := got(db.AppendAudit(ctx(t), newAudit(2)))(t); e.Seq != 2 {
		t.Fatalf("the row after a rolled back one has seq %d", e.Seq)
	}
	must(t, VerifyAudit(ctx(t), db, 10))
}

func auditRace(t *testing.T, db *store.DB) {
	const n = 50
	for _, err := range parallel(n, func(i int) error {
		return db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
			if err := tx.SetSetting(ctx, fmt.Sprint("key", i), "v", epoch); err != nil {
				return err
			}
			_, err := tx.AppendAudit(ctx, newAudit(i))
			return err
		})
	}) {
		must(t, err)
	}
	must(t, VerifyAudit(ctx(t), db, 7))
	if seq, _, err := db.AuditHead(ctx(t)); err != nil || seq != n {
		t.Fatalf("the head is at %d: %v", seq, err)
	}
}

func auditFrom(t *testing.T, db *store.DB) {
	addAudit(t, db, 5, nil)
	rows := got(db.AuditEventsFrom(ctx(t), 2, 3))(t)
	same(t, idsOf(rows, auditID), numbered([]int{1, 2, 3}))
	if n := len(got(db.AuditEventsFrom(ctx(t), 6, 3))(t)); n != 0 {
		t.Fatalf("%d rows behind the end", n)
	}
}

func auditID(e kgl.AuditEvent) string { return e.ID }

func auditList(t *testing.T, db *store.DB) {
	const n = 13
	// Rows of one moment, and one whose clock was behind: the order is that of Seq.
	addAudit(t, db, n, func(_ int, e *kgl.AuditEvent) { e.At = epoch })
	var want []int
	for i := n - 1; i >= 0; i-- {
		want = append(want, i)
	}
	for _, limit := range []int{1, 4, 13, 100} {
		all := pages(t, limit, func(p kgl.Page) (kgl.List[kgl.AuditEvent], error) {
			return db.AuditEvents(ctx(t), kgl.AuditFilter{}, p)
		})
		same(t, idsOf(all, auditID), numbered(want))
	}
}

func auditFilter(t *testing.T, db *store.DB) {
	addAudit(t, db, 12, func(n int, e *kgl.AuditEvent) {
		if n%2 == 0 {
			e.ActorID, e.Outcome = id(7), kgl.AuditRefused
		}
		if n%3 == 0 {
			e.Action = "auth.login"
		}
		if n%4 == 0 {
			e.SubjectType, e.SubjectID = "user", id(n)
		}
	})
	for _, tc := range []struct {
		name   string
		filter kgl.AuditFilter
		want   []int
	}{
		{"actor", kgl.AuditFilter{ActorID: id(7)}, []int{10, 8, 6, 4, 2, 0}},
		{"action", kgl.AuditFilter{Action: "auth.login"}, []int{9, 6, 3, 0}},
		{"type of subject", kgl.AuditFilter{SubjectType: "user"}, []int{8, 4, 0}},
		{"subject", kgl.AuditFilter{SubjectType: "user", SubjectID: id(4)}, []int{4}},
		{"outcome", kgl.AuditFilter{Outcome: kgl.AuditSuccess}, []int{11, 9, 7, 5, 3, 1}},
		{"since, inclusive", kgl.AuditFilter{At: kgl.TimeRange{Since: after(10 * time.Minute)}}, []int{11, 10}},
		{"until, exclusive", kgl.AuditFilter{At: kgl.TimeRange{Until: after(2 * time.Minute)}}, []int{1, 0}},
		{"all of them", kgl.AuditFilter{
			ActorID: id(7), Action: "auth.login", SubjectType: "source", Outcome: kgl.AuditRefused,
			At: kgl.TimeRange{Since: after(time.Minute), Until: after(11 * time.Minute)},
		}, []int{6}},
		{"nothing", kgl.AuditFilter{ActorID: "nobody"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := pages(t, 2, func(p kgl.Page) (kgl.List[kgl.AuditEvent], error) {
				return db.AuditEvents(ctx(t), tc.filter, p)
			})
			same(t, idsOf(all, auditID), numbered(tc.want))
		})
	}
}
