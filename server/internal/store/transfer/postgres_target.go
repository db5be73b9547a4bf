package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// postgresTarget implements target.
type postgresTarget struct {
	*postgres
	migrator *store.Migrator
}

func openPostgresTarget(ctx context.Context, databaseURL string, m *store.Migrator) (*postgresTarget, error) {
	p, err := openPostgres(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		// Until the end a crash of the server may take back whole batches with what
		// the marker says about them, which costs nothing.
		"SET synchronous_commit = off",
		// Bodies are compressed faster than by default, where the server can.
		"SELECT set_config(name, 'lz4', false) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)",
	} {
		if _, err := p.conn.Exec(ctx, statement); err != nil {
			p.close()
			return nil, err
		}
	}
	return &postgresTarget{postgres: p, migrator: m}, nil
}

// copyLockKey is the advisory lock of the session that fills a database.
const copyLockKey = 0x6b676c63 // "kglc"

// How long claim waits for sessions that are ending, such as those of a copy
// that was killed.
const (
	claimAttempts = 50
	claimPoll     = 100 * time.Millisecond
)

// claim implements target. Servers that come later are refused by the marker.
func (p *postgresTarget) claim(ctx context.Context) error {
	var free, used bool
	for range claimAttempts {
		// A second lock of one session counts as one.
		err := p.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1), EXISTS (SELECT 1 FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'kgl%')`, int64(copyLockKey)).Scan(&free, &used)
		if err != nil {
			return fmt.Errorf("lock the target: %w", err)
		}
		if free && !used {
			return nil
		}
		timer := time.NewTimer(claimPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	if !free {
		return errTargetCopied
	}
	return errTargetUsed
}

// filled implements target.
func (p *postgresTarget) filled(ctx context.Context) ([]string, error) {
	return filled(ctx, p, p.number)
}

// marker implements target.
func (p *postgresTarget) marker(ctx context.Context) (*state, error) {
	n, err := p.number(ctx, "SELECT count(to_regclass($1))", store.CopyMarker)
	if err != nil || n == 0 {
		return nil, err
	}
	texts, err := p.texts(ctx, readMarker)
	return stateOf(texts, err)
}

// transact runs fn in a transaction.
func (p *postgresTarget) transact(ctx context.Context, fn func(tx pgx.Tx) error) error {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// mark implements target.
func (p *postgresTarget) mark(ctx context.Context, s *state) error {
	return p.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, createMarker); err != nil {
			return err
		}
		return p.save(ctx, tx, s)
	})
}

func (p *postgresTarget) save(ctx context.Context, tx pgx.Tx, s *state) error {
	text, err := s.text()
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, saveMarker, text)
	return err
}

// recreate implements target. The migrations have connections of their own.
func (p *postgresTarget) recreate(ctx context.Context) error { return migrateAnew(ctx, p.migrator) }

// restorable are the statements that drop the foreign keys and the secondary
// indexes, each with the one that makes it again; indexes first, since they
// help to check the keys.
const restorable = `
SELECT 'DROP INDEX ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), 1 AS place, i.indexrelid AS id
	FROM pg_index i WHERE i.indrelid IN (SELECT t.oid ` + ours + `)
	AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'ALTER TABLE ' || c.conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(c.conname),
	'ALTER TABLE ' || c.conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid), 2, c.oid
	FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid IN (SELECT t.oid ` + ours + `)
ORDER BY place, id`

// strip implements target.
func (p *postgresTarget) strip(ctx context.Context, tables []table, s *state) error {
	return p.transact(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT drop_it, make_it FROM ("+restorable+") AS r (drop_it, make_it, place, id)")
		if err != nil {
			return err
		}
		var dropIt, makeIt string
		var drops []string
		if _, err := pgx.ForEachRow(rows, []any{&dropIt, &makeIt}, func() error {
			drops, s.Pending = append(drops, dropIt), append(s.Pending, makeIt)
			return nil
		}); err != nil {
			return err
		}
		exec := func(statement string) error {
			_, err := tx.Exec(ctx, statement)
			return err
		}
		for _, statement := range drops {
			if err := exec(statement); err != nil {
				return err
			}
		}
		if err := clearSeeds(ctx, p, tables, exec); err != nil {
			return err
		}
		return p.save(ctx, tx, s)
	})
}

// write implements target.
func (p *postgresTarget) write(ctx context.Context, t table, rows [][]any, s *state) error {
	for _, row := range rows {
		if err := checkTexts(t, row); err != nil {
			return err
		}
	}
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return p.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, names, pgx.CopyFromRows(rows)); err != nil {
			return fmt.Errorf("write the rows from (%s) to (%s): %w", t.locate(rows[0]), t.locate(rows[len(rows)-1]), explain(err))
		}
		return p.save(ctx, tx, s)
	})
}

// replace implements target.
func (p *postgresTarget) replace(ctx context.Context, t table, rows [][]any, s *state) error {
	if _, err := p.conn.Exec(ctx, "DELETE FROM "+quote(t.name)); err != nil {
		return err
	}
	if len(rows) == 0 {
		return nil
	}
	return p.write(ctx, t, rows, s)
}

// checkTexts finds texts that Postgres cannot hold.
func checkTexts(t table, row []any) error {
	for i, value := range row {
		text, ok := value.(string)
		if !ok {
			continue
		}
		fault := ""
		switch {
		case strings.ContainsRune(text, 0):
			fault = "a NUL character"
		case !utf8.ValidString(text):
			fault = "bytes that are not UTF-8"
		default:
			continue
		}
		return fmt.Errorf("%s: the column %s holds %s, which Postgres cannot store: correct it in the source, then run the command again",
			t.locate(row), t.columns[i].name, fault)
	}
	return nil
}

// explain adds what Postgres says about an error beside its message.
func explain(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Detail != "" {
		return fmt.Errorf("%w: %s", err, e.Detail)
	}
	return err
}

// build implements target.
func (p *postgresTarget) build(ctx context.Context, s *state) error {
	return p.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.Pending[0]); err != nil {
			return fmt.Errorf("%s: %w", firstWords(s.Pending[0]), explain(err))
		}
		left := *s
		left.Pending = s.Pending[1:]
		return p.save(ctx, tx, &left)
	})
}

// loaded implements target. The references were checked when their keys were
// added.
func (p *postgresTarget) loaded(ctx context.Context, tables []table) error {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = quote(t.name)
	}
	_, err := p.conn.Exec(ctx, "ANALYZE "+strings.Join(names, ", "))
	return err
}

// finish implements target.
func (p *postgresTarget) finish(ctx context.Context, pos position) error {
	return p.transact(ctx, func(tx pgx.Tx) error {
		for _, step := range []struct {
			statement string
			args      []any
		}{
			{"SET LOCAL synchronous_commit = on", nil},
			// The transactions to come have numbers from xmin on.
			{"UPDATE event_clock SET tx_offset = greatest(0, $1 + 1 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint)", []any{pos.tx}},
			{"SELECT setval(pg_get_serial_sequence($1, 'seq'), greatest($2, 1), $2 > 0)", []any{eventsTable, pos.seq}},
			{dropMarker, nil},
		} {
			if _, err := tx.Exec(ctx, step.statement, step.args...); err != nil {
				return fmt.Errorf("%s: %w", firstWords(step.statement), err)
			}
		}
		return nil
	})
}
