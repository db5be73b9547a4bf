package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// idempotencyTTL is how long an answer is replayed.
const idempotencyTTL = 24 * time.Hour

// Transactor runs work in one transaction of the store.
type Transactor interface {
	InTx(ctx context.Context, fn func(ctx context.Context, tx kgl.Store) error) error
}

// recordedHeaders are the headers of an answer that a replay repeats.
func recordedHeaders() []string { return []string{"Content-Type", "Location", "ETag"} }

// idempotent makes a request with an Idempotency-Key happen once. The handler
// runs inside the transaction that keeps the answer, so that the effect and the
// record are stored together or not at all. Only successful answers are kept: a
// request that was refused can be sent again with the same key.
func (s *server) idempotent(c echo.Context, op *operation, next echo.HandlerFunc) error {
	req := c.Request()
	key := req.Header.Get(headerIdempotencyKey)
	if !op.idempotent || key == "" {
		return next(c)
	}
	want, err := s.idempotencyRecord(req, op, key)
	if err != nil {
		return err
	}
	prepared, err := s.beforeTransaction(req, op)
	if err != nil {
		return err
	}
	var answer *recorder
	err = s.tx.InTx(prepared, func(ctx context.Context, tx kgl.Store) error {
		stored, reserved, err := tx.ReserveIdempotencyKey(ctx, want, want.CreatedAt)
		if err != nil {
			return err
		}
		if !reserved {
			answer, err = replay(stored, want)
			return err
		}
		// A fresh body and a fresh recorder each time: the store may run this
		// function again after a serialization failure.
		attempt := req.WithContext(ctx)
		if body, ok := req.Body.(*validatedBody); ok {
			attempt.Body = body.again()
		}
		c.SetRequest(attempt)
		defer c.SetRequest(req)
		if answer, err = record(c, next); err != nil {
			return err
		}
		if answer.status >= http.StatusBadRequest {
			return kgl.Errorf(kgl.CodeInternal, "a handler answered %d without an error", answer.status)
		}
		return tx.CompleteIdempotencyKey(ctx, completed(want, answer))
	})
	if err != nil {
		return err
	}
	return answer.send(c)
}

// beforeTransaction does the part of an operation that takes long and writes
// nothing. It returns the context for the rest.
func (s *server) beforeTransaction(req *http.Request, op *operation) (context.Context, error) {
	if body, ok := req.Body.(*validatedBody); ok && op.id == "createUser" {
		return s.prepareUser(req.Context(), body.value)
	}
	return req.Context(), nil
}

// idempotencyRecord describes the request: who, with which key, what.
func (s *server) idempotencyRecord(req *http.Request, op *operation, key string) (kgl.IdempotencyRecord, error) {
	principal := kgl.PrincipalFrom(req.Context())
	var value any
	if body, ok := req.Body.(*validatedBody); ok {
		value = withoutSecrets(body.value)
	}
	// Members are sorted by name, so that the same meaning has the same hash.
	canonical, err := json.Marshal(value)
	if err != nil {
		return kgl.IdempotencyRecord{}, kgl.Wrap(err, kgl.CodeInternal, "encode the body")
	}
	about := op.id + "\n" + req.URL.Path + "\n"
	if req.URL.RawQuery != "" {
		about += queryHash(req.Context()) + "\n"
	}
	sum := sha256.Sum256(append([]byte(about), canonical...))
	now := s.clock.Now()
	return kgl.IdempotencyRecord{
		Principal: string(principal.Type) + ":" + principal.ID, Key: key, Operation: op.id,
		RequestHash: hex.EncodeToString(sum[:]), CreatedAt: now, ExpiresAt: now.Add(idempotencyTTL),
	}, nil
}

// withoutSecrets returns the body without its passwords and secret headers:
// what is stored is a fast hash, from which a password could be guessed much
// quicker than from the slow one of the account.
func withoutSecrets(body any) any {
	object, ok := body.(map[string]any)
	if !ok {
		return body
	}
	kept := maps.Clone(object)
	for _, name := range []string{"password", "authentication", "request_headers"} {
		delete(kept, name)
	}
	return kept
}

// completed returns the record with the answer.
func completed(r kgl.IdempotencyRecord, answer *recorder) kgl.IdempotencyRecord {
	r.Completed = true
	r.Status = int64(answer.status)
	r.Header = map[string]string{}
	for _, name := range recordedHeaders() {
		if value := answer.header.Get(name); value != "" {
			r.Header[name] = value
		}
	}
	r.Body = answer.body.Bytes()
	return r
}

// replay returns the stored answer to the same request.
func replay(stored, want kgl.IdempotencyRecord) (*recorder, error) {
	if stored.Operation != want.Operation || stored.RequestHash != want.RequestHash {
		return nil, kgl.Errorf(kgl.CodeIdempotencyMismatch, "This Idempotency-Key was used with another request.")
	}
	if !stored.Completed {
		return nil, kgl.Errorf(kgl.CodeIdempotencyInFlight, "The first request with this Idempotency-Key is still running.")
	}
	answer := &recorder{header: http.Header{}, status: int(stored.Status)}
	for name, value := range stored.Header {
		answer.header.Set(name, value)
	}
	answer.header.Set("Idempotency-Replayed", "true")
	answer.body.Write(stored.Body)
	return answer, nil
}
