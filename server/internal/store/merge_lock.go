package store

import "context"

// graphLock is the number of the advisory lock that keeps changes of the whole
// graph apart from those of single rows: the bytes of "kgl-graf".
const graphLock int64 = 0x6b676c2d67726166

// shareGraph keeps merges, their ends and rejections away until the transaction
// ends. Whoever changes mentions, evidence, relationships or several entities
// calls it before the first row: a merge moves thousands of rows, and row by row
// the two would wait for each other in a circle. SQLite has one writer and needs
// no lock.
func shareGraph(ctx context.Context, c *conn) error {
	return lockGraph(ctx, c, "SELECT pg_advisory_xact_lock_shared($1)")
}

// ownGraph keeps everybody else away who changes the graph.
func ownGraph(ctx context.Context, c *conn) error {
	return lockGraph(ctx, c, "SELECT pg_advisory_xact_lock($1)")
}

// lockGraph takes the lock in one of its forms once in a transaction.
func lockGraph(ctx context.Context, c *conn, statement string) error {
	if c.engine != Postgres || c.graphLock == statement {
		return nil
	}
	if _, err := c.exec(ctx, statement, []any{graphLock}); err != nil {
		return err
	}
	c.graphLock = statement
	return nil
}
