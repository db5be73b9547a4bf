package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// hosts.due_at is when the first source of the host is due, but not before the
// time until which the host is left alone; NULL when no source is scheduled.
// Every write of a source ends with refreshHosts, which keeps it so, but for
// the end of a fetch: while a host is leased, due_at may be earlier than it is
// due, until its release computes it. When the lease runs out instead, whoever
// claims the host finds that out.

// ClaimHosts implements kgl.HostStore.
func (db *DB) ClaimHosts(ctx context.Context, owner string, now, until time.Time, limit int) ([]kgl.HostLease, error) {
	var claimed []sqlitedb.ClaimHostsRow
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		claimed, err = c.ClaimHosts(ctx, sqlitedb.ClaimHostsParams{
			LeaseOwner: owner, LeaseUntil: micros(until), Now: micros(now), RowLimit: int64(max(limit, 0)),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	// The order of returned rows is not defined.
	slices.SortFunc(claimed, func(a, b sqlitedb.ClaimHostsRow) int {
		return cmp.Or(cmp.Compare(*a.DueAt, *b.DueAt), cmp.Compare(a.Host, b.Host))
	})
	leases := make([]kgl.HostLease, len(claimed))
	for i, r := range claimed {
		leases[i] = kgl.HostLease{Host: r.Host, Owner: r.LeaseOwner, Token: r.LeaseToken, Until: timeOf(r.LeaseUntil)}
	}
	return leases, nil
}

// ExtendHost implements kgl.HostStore.
func (db *DB) ExtendHost(ctx context.Context, l kgl.HostLease, until time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.ExtendHost(ctx, sqlitedb.ExtendHostParams{
			LeaseUntil: micros(until), Host: l.Host, LeaseToken: l.Token, LeaseOwner: l.Owner,
		})
		if err == nil && n == 0 {
			return leaseLost("host")
		}
		return err
	})
}

func leaseLost(kind string) error {
	return kgl.Errorf(kgl.CodeLeaseLost, "the %s was claimed by another worker meanwhile", kind)
}

// ReleaseHost implements kgl.HostStore.
func (db *DB) ReleaseHost(ctx context.Context, l kgl.HostLease, notBefore time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error { return releaseHost(ctx, c, l, notBefore) })
}

// releaseHost gives a lease back and computes when the host is due. The host is
// locked by a statement of its own before: see refreshHosts.
func releaseHost(ctx context.Context, c *conn, l kgl.HostLease, notBefore time.Time) error {
	if c.engine == Postgres {
		if _, err := c.LockHost(ctx, l.Host); err != nil {
			if isNoRows(err) {
				return nil
			}
			return err
		}
	}
	_, err := c.ReleaseHost(ctx, sqlitedb.ReleaseHostParams{
		NotBefore: micros(notBefore), Host: l.Host, LeaseToken: l.Token, LeaseOwner: l.Owner,
	})
	return err
}

// DueSources implements kgl.HostStore.
func (db *DB) DueSources(ctx context.Context, host string, now time.Time, limit int) ([]kgl.Source, error) {
	var due []kgl.Source
	err := db.read(ctx, func(c *conn) error {
		at := micros(now)
		rows, err := c.DueSources(ctx, sqlitedb.DueSourcesParams{Host: host, Now: &at, RowLimit: int64(max(limit, 0))})
		if err != nil {
			return err
		}
		due, err = convert(rows, sourceOf)
		return err
	})
	return due, err
}

// Host implements kgl.HostStore.
func (db *DB) Host(ctx context.Context, host string) (kgl.Host, error) {
	row, err := one(ctx, db, "host", func(c *conn) (sqlitedb.Host, error) { return c.HostState(ctx, host) })
	if err != nil {
		return kgl.Host{}, err
	}
	set := func(us int64) *time.Time {
		if us == 0 {
			return nil
		}
		return timePtr(&us)
	}
	return kgl.Host{Host: row.Host, DueAt: timePtr(row.DueAt), NotBefore: set(row.NotBefore), LeasedUntil: set(row.LeaseUntil)}, nil
}

// HostFetches implements kgl.HostStore.
func (db *DB) HostFetches(ctx context.Context, host string, since time.Time, limit int) ([]kgl.HostFetch, error) {
	var list []kgl.HostFetch
	err := db.read(ctx, func(c *conn) error {
		at := micros(since)
		rows, err := c.HostFetches(ctx, sqlitedb.HostFetchesParams{Host: host, Since: &at, RowLimit: int64(max(limit, 0))})
		list = make([]kgl.HostFetch, len(rows))
		for i, r := range rows {
			list[i] = kgl.HostFetch{SourceID: r.ID, Health: kgl.SourceHealth(r.Health), FetchedAt: timeOf(*r.LastFetchedAt)}
		}
		return err
	})
	return list, err
}

// NextDueAt implements kgl.HostStore. A leased host is due when its lease has
// ended.
func (db *DB) NextDueAt(ctx context.Context) (*time.Time, error) {
	var next *int64
	err := db.snapshot(ctx, func(ctx context.Context, c *conn) error {
		free, err := c.NextFreeHost(ctx)
		if err != nil {
			return err
		}
		if len(free) > 0 {
			next = free[0]
		}
		leased, err := c.LeasedHosts(ctx)
		for _, h := range leased {
			at := max(*h.DueAt, h.LeaseUntil)
			if next == nil || at < *next {
				next = &at
			}
		}
		return err
	})
	return timePtr(next), err
}
