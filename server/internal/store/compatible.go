package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Newer reports whether a newer binary has migrated the database in a way that
// lets this one work on: see docs/decisions/0011-schema-compatibility.md.
func (s MigrationStatus) Newer() bool {
	return !s.Dirty && s.Version > s.Latest && s.Oldest > 0 && s.Oldest <= s.Latest
}

// compatibleFrom is the setting that tells which binaries can work with the
// schema. Every migration but the first writes it.
const compatibleFrom = "schema_compatible_from"

func (s *MigrationStatus) readOldest(ctx context.Context, db *sql.DB) error {
	err := db.QueryRowContext(ctx, "SELECT CAST(value AS BIGINT) FROM settings WHERE key = '"+compatibleFrom+"'").Scan(&s.Oldest)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read which binaries fit the schema: %w", err)
	}
	return nil
}

// CheckExact is Check for what handles whole tables: the database must not have
// a newer schema.
func (m *Migrator) CheckExact(ctx context.Context) error {
	s, err := m.Status(ctx)
	if err == nil {
		err = s.inexact()
	}
	if err != nil {
		return err
	}
	return m.Check(ctx)
}
