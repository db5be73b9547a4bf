package store

import "context"

// duplicatesLock is the number of the advisory lock under which transactions
// look for duplicates: the bytes of "kgl-dupl".
const duplicatesLock int64 = 0x6b676c2d6475706c

// lockDuplicates lets one transaction at a time look for duplicates, until it
// ends. A transaction of Postgres does not see what another one has not
// committed yet, so two that store the same story at once would both find
// nothing. SQLite has one writer and needs no lock.
func lockDuplicates(ctx context.Context, t *openTx) error {
	c, err := t.use()
	if err != nil || c.engine != Postgres {
		return err
	}
	_, err = c.exec(ctx, "SELECT pg_advisory_xact_lock($1)", []any{duplicatesLock})
	return err
}
