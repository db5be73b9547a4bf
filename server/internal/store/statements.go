package store

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds the prepared statements that are kept: far more than
// there are queries and combinations of filters in use.
const maxStatements = 1000

// preparer is a *sql.DB or a *sql.Conn.
type preparer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// statements implements sqlitedb.DBTX and prepares each query once, because
// SQLite spends more on compiling a point read than on running it.
type statements struct {
	db preparer

	mu     sync.RWMutex
	byText map[string]*sql.Stmt
}

func newStatements(db preparer) *statements {
	return &statements{db: db, byText: map[string]*sql.Stmt{}}
}

// prepared returns the statement of a query; nil when it is to be run
// unprepared, which then also reports what is wrong with it.
func (s *statements) prepared(ctx context.Context, query string) *sql.Stmt {
	s.mu.RLock()
	st, full := s.byText[query], len(s.byText) >= maxStatements
	s.mu.RUnlock()
	if st != nil || full {
		return st
	}
	st, err := s.db.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.byText[query]; first != nil {
		_ = st.Close()
		return first
	}
	s.byText[query] = st
	return st
}

// ExecContext implements sqlitedb.DBTX.
func (s *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if st := s.prepared(ctx, query); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return s.db.ExecContext(ctx, query, args...)
}

// PrepareContext implements sqlitedb.DBTX.
func (s *statements) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return s.db.PrepareContext(ctx, query)
}

// QueryContext implements sqlitedb.DBTX.
func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if st := s.prepared(ctx, query); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return s.db.QueryContext(ctx, query, args...)
}

// QueryRowContext implements sqlitedb.DBTX.
func (s *statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if st := s.prepared(ctx, query); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return s.db.QueryRowContext(ctx, query, args...)
}

func (s *statements) closeStatements() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.byText {
		_ = st.Close()
	}
	clear(s.byText)
}

// sqliteConn is the one connection that writes, with its statements.
type sqliteConn struct {
	*statements
	c *sql.Conn
}

func newSQLiteConn(c *sql.Conn) *sqliteConn {
	return &sqliteConn{statements: newStatements(c), c: c}
}
