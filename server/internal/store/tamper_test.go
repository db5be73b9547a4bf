package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
	"github.com/peermesh/kgl-backend/server/internal/store/storetest"
)

// openAudited returns a database whose audit log has five rows.
func openAudited(t *testing.T, openDB storetest.Open) *store.DB {
	t.Helper()
	db := openDB(t)
	for n := range 5 {
		_, err := db.AppendAudit(t.Context(), kgl.AuditEvent{
			ID: fmt.Sprint("row-", n), At: time.Unix(int64(n), 0), ActorType: kgl.PrincipalUser, ActorID: "someone",
			Action: "auth.login", Outcome: kgl.AuditSuccess,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// TestAuditIsAppendOnly tries to change the log behind the store's back.
func TestAuditIsAppendOnly(t *testing.T) {
	for name, openDB := range engines {
		t.Run(name, func(t *testing.T) {
			db := openAudited(t, openDB)
			statements := []string{
				"UPDATE audit_events SET actor_id = 'other' WHERE seq = 3",
				"UPDATE audit_events SET hash = hash",
				"DELETE FROM audit_events WHERE seq = 5",
				"DELETE FROM audit_events",
				"INSERT INTO audit_events SELECT * FROM audit_events WHERE seq = 1",
			}
			if db.Engine() == store.Postgres {
				statements = append(statements, "TRUNCATE audit_events")
			} else {
				statements = append(statements, "REPLACE INTO audit_events SELECT 3, 'new', at, actor_type, actor_id, action, subject_type, "+
					"subject_id, outcome, request_id, address, details, prev_hash, hash FROM audit_events WHERE seq = 3")
			}
			for _, s := range statements {
				if err := db.ExecRaw(t.Context(), s); err == nil {
					t.Errorf("accepted: %s", s)
				}
			}
			if err := storetest.VerifyAudit(t.Context(), db, 2); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAuditVerifierNamesTheRow changes the log with the triggers gone, as
// somebody with the rights of the owner could.
func TestAuditVerifierNamesTheRow(t *testing.T) {
	for _, tc := range []struct{ name, tamper, finding string }{
		{"an edit", "UPDATE audit_events SET actor_id = 'other' WHERE seq = 3", "audit row 3 was changed"},
		{"an edit that keeps the length", "UPDATE audit_events SET action = 'auth.logim' WHERE seq = 2", "audit row 2 was changed"},
		{"a new hash", "UPDATE audit_events SET hash = 'x' WHERE seq = 4", "audit row 4 was changed"},
		{"a new chain", "UPDATE audit_events SET prev_hash = 'x' WHERE seq = 4", "audit row 4 does not follow"},
		{"a row gone", "DELETE FROM audit_events WHERE seq = 2", "audit row 2 is missing"},
		{"the first row gone", "DELETE FROM audit_events WHERE seq = 1", "audit row 1 is missing"},
		{"the last row gone", "DELETE FROM audit_events WHERE seq = 5", "row 5 was written"},
		{"all rows gone", "DELETE FROM audit_events", "row 5 was written"},
	} {
		for name, openDB := range engines {
			t.Run(tc.name+" "+name, func(t *testing.T) {
				db := openAudited(t, openDB)
				dropAuditTriggers(t, db)
				if err := db.ExecRaw(t.Context(), tc.tamper); err != nil {
					t.Fatal(err)
				}
				err := storetest.VerifyAudit(t.Context(), db, 2)
				if !kgl.Is(err, kgl.CodeConflict) || !strings.Contains(err.Error(), tc.finding) {
					t.Fatalf("found %v, want %q", err, tc.finding)
				}
			})
		}
	}
}

func dropAuditTriggers(t *testing.T, db *store.DB) {
	t.Helper()
	drops := []string{"DROP TRIGGER audit_events_no_update", "DROP TRIGGER audit_events_no_delete", "DROP TRIGGER audit_events_no_replace"}
	if db.Engine() == store.Postgres {
		drops = []string{"DROP TRIGGER audit_events_no_change ON audit_events"}
	}
	for _, s := range drops {
		if err := db.ExecRaw(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}
