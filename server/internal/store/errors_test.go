package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func TestFailureCodes(t *testing.T) {
	pg := func(code string) error {
		return fmt.Errorf("query: %w", &pgconn.PgError{Code: code, Message: "SELECT secret"})
	}
	lite := func(code sqlite3.ErrNo, extended sqlite3.ErrNoExtended) error {
		return fmt.Errorf("query: %w", sqlite3.Error{Code: code, ExtendedCode: extended})
	}
	for _, tc := range []struct {
		name string
		err  error
		want kgl.Code
	}{
		{"unique, Postgres", pg("23505"), kgl.CodeConflict},
		{"unique, SQLite", lite(sqlite3.ErrConstraint, sqlite3.ErrConstraintUnique), kgl.CodeConflict},
		{"primary key, SQLite", lite(sqlite3.ErrConstraint, sqlite3.ErrConstraintPrimaryKey), kgl.CodeConflict},
		{"foreign key, Postgres", pg("23503"), kgl.CodeConflict},
		{"foreign key, SQLite", lite(sqlite3.ErrConstraint, sqlite3.ErrConstraintForeignKey), kgl.CodeConflict},
		{"check, Postgres", pg("23514"), kgl.CodeInternal},
		{"check, SQLite", lite(sqlite3.ErrConstraint, sqlite3.ErrConstraintCheck), kgl.CodeInternal},
		{"disk full, Postgres", pg("53100"), kgl.CodeStorageFull},
		{"disk full, SQLite", lite(sqlite3.ErrFull, 0), kgl.CodeStorageFull},
		{"busy, SQLite", lite(sqlite3.ErrBusy, 0), kgl.CodeUnavailable},
		{"locked, SQLite", lite(sqlite3.ErrLocked, 0), kgl.CodeUnavailable},
		{"read-only, SQLite", lite(sqlite3.ErrReadonly, 0), kgl.CodeUnavailable},
		{"input and output, SQLite", lite(sqlite3.ErrIoErr, 0), kgl.CodeUnavailable},
		{"interrupted, SQLite", lite(sqlite3.ErrInterrupt, 0), kgl.CodeTimeout},
		{"damaged, SQLite", lite(sqlite3.ErrCorrupt, 0), kgl.CodeInternal},
		{"deadlock, Postgres", pg("40P01"), kgl.CodeUnavailable},
		{"read-only, Postgres", pg("25006"), kgl.CodeUnavailable},
		{"shutdown, Postgres", pg("57P01"), kgl.CodeUnavailable},
		{"starting, Postgres", pg("57P03"), kgl.CodeUnavailable},
		{"too many connections, Postgres", pg("53300"), kgl.CodeUnavailable},
		{"statement timeout, Postgres", pg("57014"), kgl.CodeTimeout},
		{"zero character, Postgres", pg("22P05"), kgl.CodeInvalid},
		{"syntax, Postgres", pg("42601"), kgl.CodeInternal},
		{"no state, Postgres", pg(""), kgl.CodeInternal},
		{"cancelled", context.Canceled, kgl.CodeTimeout},
		{"deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), kgl.CodeTimeout},
		{"refused", fmt.Errorf("x: %w", syscall.ECONNREFUSED), kgl.CodeUnavailable},
		{"reset", fmt.Errorf("x: %w", syscall.ECONNRESET), kgl.CodeUnavailable},
		{"cut off", fmt.Errorf("x: %w", io.ErrUnexpectedEOF), kgl.CodeUnavailable},
		{"closed", sql.ErrConnDone, kgl.CodeUnavailable},
		{"no rows, Postgres", pgx.ErrNoRows, kgl.CodeNotFound},
		{"no rows, SQLite", sql.ErrNoRows, kgl.CodeNotFound},
		{"a domain error", fmt.Errorf("x: %w", kgl.NotFound("source")), kgl.CodeNotFound},
		{"anything else", errors.New("SELECT secret"), kgl.CodeInternal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := store.Failure(tc.err)
			if c := kgl.ErrorCode(err); c != tc.want {
				t.Fatalf("code %q, want %q", c, tc.want)
			}
			if !errors.Is(err, tc.err) {
				t.Error("the cause is lost")
			}
			var e *kgl.Error
			if errors.As(err, &e); strings.Contains(e.Message, "SELECT") {
				t.Errorf("the message shows the inside: %q", e.Message)
			}
			if (e.Code == kgl.CodeUnavailable) != (e.RetryAfter > 0) {
				t.Errorf("retry after %v", e.RetryAfter)
			}
		})
	}
	if err := store.Failure(nil); err != nil {
		t.Fatal(err)
	}
}

// TestCommitFailure tells commits of which nobody knows whether they happened
// from those that did not.
func TestCommitFailure(t *testing.T) {
	for _, tc := range []struct {
		name    string
		err     error
		unknown bool
	}{
		{"fsync, SQLite", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync}, true},
		{"disk full, SQLite", sqlite3.Error{Code: sqlite3.ErrFull}, false},
		{"busy, SQLite", sqlite3.Error{Code: sqlite3.ErrBusy}, false},
		{"connection lost, Postgres", fmt.Errorf("commit: %w", io.ErrUnexpectedEOF), true},
		{"refused by the server, Postgres", &pgconn.PgError{Code: "40001"}, false},
		{"constraint at the end, Postgres", &pgconn.PgError{Code: "23503"}, false},
		{"rolled back, Postgres", pgx.ErrTxCommitRollback, false},
		{"the caller went away", context.Canceled, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := store.CommitFailure(tc.err)
			if !errors.Is(err, tc.err) {
				t.Error("the cause is lost")
			}
			e, _ := errors.AsType[*kgl.Error](err)
			if unknown := e != nil && e.Code == kgl.CodeUnavailable && strings.Contains(e.Message, "not known"); unknown != tc.unknown {
				t.Errorf("unknown outcome: %t, want %t (%v)", unknown, tc.unknown, err)
			}
		})
	}
	if err := store.CommitFailure(nil); err != nil {
		t.Error(err)
	}
}
