package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// CreateExtractionRequest implements kgl.ExtractionRequestStore.
func (db *DB) CreateExtractionRequest(ctx context.Context, r kgl.ExtractionRequest) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		return c.CreateExtractionRequest(ctx, sqlitedb.CreateExtractionRequestParams{
			ID: r.ID, Owner: r.Owner, ContentID: r.ContentID, Text: r.Text, Language: r.Language, Status: string(r.Status), Attempts: r.Attempts,
			LeaseUntil: microsPtr(r.LeaseUntil), Result: string(r.Result), RunID: r.RunID, Failure: r.Failure,
			CreatedAt: micros(r.CreatedAt), FinishedAt: microsPtr(r.FinishedAt), ExpiresAt: micros(r.ExpiresAt),
		})
	})
}

func requestOf(r sqlitedb.ExtractionRequest) (kgl.ExtractionRequest, error) {
	q := kgl.ExtractionRequest{
		ID: r.ID, Owner: r.Owner, ContentID: r.ContentID, Text: r.Text, Language: r.Language, Status: kgl.RequestStatus(r.Status),
		Attempts: r.Attempts, LeaseUntil: timePtr(r.LeaseUntil), RunID: r.RunID, Failure: r.Failure,
		CreatedAt: timeOf(r.CreatedAt), FinishedAt: timePtr(r.FinishedAt), ExpiresAt: timeOf(r.ExpiresAt),
	}
	if r.Result != "" {
		q.Result = json.RawMessage(r.Result)
	}
	return q, nil
}

// ExtractionRequest implements kgl.ExtractionRequestStore.
func (db *DB) ExtractionRequest(ctx context.Context, id string) (kgl.ExtractionRequest, error) {
	row, err := one(ctx, db, "extraction", func(c *conn) (sqlitedb.ExtractionRequest, error) { return c.ExtractionRequest(ctx, id) })
	if err != nil {
		return kgl.ExtractionRequest{}, err
	}
	return requestOf(row)
}

// ClaimExtractionRequests implements kgl.ExtractionRequestStore.
func (db *DB) ClaimExtractionRequests(ctx context.Context, now, until time.Time, limit int) ([]kgl.ExtractionRequest, error) {
	var claimed []kgl.ExtractionRequest
	lease, at := micros(until), micros(now)
	err := db.write(ctx, func(ctx context.Context, c *conn) error {
		rows, err := c.ClaimExtractionRequests(ctx, sqlitedb.ClaimExtractionRequestsParams{
			LeaseUntil: &lease, Now: &at, RowLimit: int64(max(limit, 0)),
		})
		if err != nil {
			return err
		}
		claimed, err = convert(rows, requestOf)
		return err
	})
	return claimed, err
}

// FinishExtractionRequest implements kgl.ExtractionRequestStore.
func (db *DB) FinishExtractionRequest(ctx context.Context, r kgl.ExtractionRequest) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.FinishExtractionRequest(ctx, sqlitedb.FinishExtractionRequestParams{
			ID: r.ID, Attempts: r.Attempts, Status: string(r.Status), LeaseUntil: microsPtr(r.LeaseUntil), Text: r.Text, Result: string(r.Result),
			RunID: r.RunID, Failure: r.Failure, FinishedAt: microsPtr(r.FinishedAt), ExpiresAt: micros(r.ExpiresAt),
		})
		if err == nil && n == 0 {
			return leaseLost("extraction")
		}
		return err
	})
}

// FinishContentRequests implements kgl.ExtractionRequestStore.
func (db *DB) FinishContentRequests(ctx context.Context, contentID, runID string, result json.RawMessage, now, expires time.Time) (int64, error) {
	var n int64
	at := micros(now)
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.FinishContentRequests(ctx, sqlitedb.FinishContentRequestsParams{
			ContentID: &contentID, RunID: &runID, Result: string(result), FinishedAt: &at, ExpiresAt: micros(expires),
		})
		return err
	})
	return n, err
}

// DemandTask implements kgl.ExtractionRequestStore.
func (db *DB) DemandTask(ctx context.Context, t kgl.EnrichmentTask, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, c *conn) error {
		n, err := c.DemandTask(ctx, sqlitedb.DemandTaskParams{
			Priority: t.Priority, Now: micros(now), ContentID: t.ContentID, Revision: t.Revision, Lane: t.Extractor,
		})
		if err != nil || n > 0 {
			return err
		}
		return db.CreateTasks(ctx, []kgl.EnrichmentTask{t})
	})
}

// FailStrandedRequests implements kgl.ExtractionRequestStore.
func (db *DB) FailStrandedRequests(ctx context.Context, lane, failure string, now time.Time) (int64, error) {
	var n int64
	at := micros(now)
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.FailStrandedRequests(ctx, sqlitedb.FailStrandedRequestsParams{Lane: lane, Failure: failure, FinishedAt: &at})
		return err
	})
	return n, err
}

// DeleteExpiredExtractionRequests implements kgl.ExtractionRequestStore.
func (db *DB) DeleteExpiredExtractionRequests(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, c *conn) (err error) {
		n, err = c.DeleteExpiredExtractionRequests(ctx, sqlitedb.DeleteExpiredExtractionRequestsParams{
			Before: micros(before), RowLimit: int64(max(limit, 0)),
		})
		return err
	})
	return n, err
}
