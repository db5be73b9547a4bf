package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// retryAfter is what callers are told when the database is busy or away.
const retryAfter = time.Second

// Messages for users; the cause goes to the log only.
const (
	internalMessage = "the database could not do this"
	timeoutMessage  = "the database did not answer in time"
	fullMessage     = "the disk of the database is full"
	conflictMessage = "this exists already"
	missingMessage  = "this refers to something that does not exist"
	textMessage     = "the text holds a character that cannot be stored"
	awayMessage     = "the database is not available at the moment"
	unknownMessage  = "the database failed while it stored this, and whether it did is not known: look, or send it again with the same Idempotency-Key"
)

// failure turns any error into a domain error, once: it is the only place that
// knows the errors of the drivers.
func failure(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*kgl.Error](err); ok {
		return err
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresFailure(err, pe.Code)
	}
	if se, ok := errors.AsType[sqlite3.Error](err); ok {
		return sqliteFailure(err, se)
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return kgl.Wrap(err, kgl.CodeTimeout, timeoutMessage)
	case isNoRows(err):
		return kgl.Wrap(err, kgl.CodeNotFound, "no such row")
	case isConnectionError(err):
		return unavailable(err)
	}
	return kgl.Wrap(err, kgl.CodeInternal, internalMessage)
}

// commitFailure marks the failure of a commit of which nobody knows whether the
// writes are stored: the disk did not take them for sure, or the answer of the
// server was lost. Any other failure means that they are not.
func commitFailure(err error) error {
	if err == nil {
		return nil
	}
	se, onSQLite := errors.AsType[sqlite3.Error](err)
	_, answered := errors.AsType[*pgconn.PgError](err)
	if onSQLite && se.Code != sqlite3.ErrIoErr || answered || !onSQLite && !isConnectionError(err) {
		return err
	}
	e := unavailable(err)
	e.Message = unknownMessage
	return e
}

func unavailable(err error) *kgl.Error {
	e := kgl.Wrap(err, kgl.CodeUnavailable, awayMessage)
	e.RetryAfter = retryAfter
	return e
}

func isNoRows(err error) bool {
	return errors.Is(err, sql.ErrNoRows) || errors.Is(err, pgx.ErrNoRows)
}

// isConnectionError reports whether the connection, and not the statement, is
// at fault. Some errors of the drivers have no type: those are known by text.
func isConnectionError(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, known := range []error{driver.ErrBadConn, sql.ErrConnDone, net.ErrClosed, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return true
		}
	}
	for _, text := range []string{"closed pool", "conn closed", "database is closed"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}

// SQLSTATE codes, from appendix A of Postgres's manual.
func postgresFailure(err error, state string) error {
	switch state {
	case "23505": // unique_violation
		return kgl.Wrap(err, kgl.CodeConflict, conflictMessage)
	case "23503": // foreign_key_violation
		return kgl.Wrap(err, kgl.CodeConflict, missingMessage)
	case "53100": // disk_full
		return kgl.Wrap(err, kgl.CodeStorageFull, fullMessage)
	case "57014": // query_canceled: by us or by statement_timeout
		return kgl.Wrap(err, kgl.CodeTimeout, timeoutMessage)
	case "22021", "22P05": // a zero character, in text or inside JSON
		return kgl.Wrap(err, kgl.CodeInvalid, textMessage)
	case "40001", "40P01", // serialization_failure, deadlock_detected
		"55P03", // lock_not_available
		"25006", // read_only_sql_transaction: a standby
		"25P03": // idle_in_transaction_session_timeout
		return unavailable(err)
	}
	switch state[:min(2, len(state))] {
	case "08", "28", "53", "57", "58": // connection, authorisation, resources, operator, system
		return unavailable(err)
	}
	return kgl.Wrap(err, kgl.CodeInternal, internalMessage)
}

func sqliteFailure(err error, se sqlite3.Error) error {
	switch se.Code {
	case sqlite3.ErrConstraint:
		switch se.ExtendedCode {
		case sqlite3.ErrConstraintUnique, sqlite3.ErrConstraintPrimaryKey, sqlite3.ErrConstraintRowID:
			return kgl.Wrap(err, kgl.CodeConflict, conflictMessage)
		case sqlite3.ErrConstraintForeignKey:
			return kgl.Wrap(err, kgl.CodeConflict, missingMessage)
		}
	case sqlite3.ErrFull:
		return kgl.Wrap(err, kgl.CodeStorageFull, fullMessage)
	case sqlite3.ErrInterrupt:
		return kgl.Wrap(err, kgl.CodeTimeout, timeoutMessage)
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrReadonly, sqlite3.ErrIoErr, sqlite3.ErrCantOpen,
		sqlite3.ErrNomem, sqlite3.ErrProtocol:
		return unavailable(err)
	}
	return kgl.Wrap(err, kgl.CodeInternal, internalMessage)
}

// isRetryable reports whether a transaction may be run again as it is: it lost
// against another one, and nothing of it was stored.
func isRetryable(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == "40001" || pe.Code == "40P01")
}
