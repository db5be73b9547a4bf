package kgl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// AuditOutcome says how an audited action ended.
type AuditOutcome string

// The outcomes of audited actions.
const (
	AuditSuccess AuditOutcome = "success"
	AuditFailure AuditOutcome = "failure" // tried and failed, such as a wrong password
	AuditRefused AuditOutcome = "refused" // not allowed
)

// AuditEvent is one row of the append-only, hash-chained audit log. Seq counts
// from 1 without gaps; Hash covers the row and the hash of the row before it.
type AuditEvent struct {
	Seq         int64
	ID          string
	At          time.Time
	ActorType   PrincipalType
	ActorID     string
	Action      string // such as "source.create", "auth.login"
	SubjectType string
	SubjectID   string
	Outcome     AuditOutcome
	RequestID   string
	Address     string
	Details     json.RawMessage // a JSON object; never a secret
	PrevHash    string
	Hash        string
}

// NewAuditEvent returns an audit row about what the principal of ctx did, in
// the request of ctx, now. Details are small facts such as the names of changed
// fields, never a secret; nil for none. The row is not chained yet: AppendAudit
// does that, last in the transaction of the change.
func NewAuditEvent(ctx context.Context, ids IDSource, clock Clock, action, subjectType, subjectID string, outcome AuditOutcome, details map[string]any) AuditEvent {
	actor, request := PrincipalFrom(ctx), RequestFrom(ctx)
	return AuditEvent{
		ID:          ids.NewID(),
		At:          clock.Now(),
		ActorType:   actor.Type,
		ActorID:     actor.ID,
		Action:      action,
		SubjectType: subjectType,
		SubjectID:   subjectID,
		Outcome:     outcome,
		RequestID:   request.ID,
		Address:     request.Address,
		Details:     jsonObject(details),
	}
}

// AuditFilter selects audit rows; a zero field does not filter.
type AuditFilter struct {
	ActorID     string
	Action      string
	SubjectType string
	SubjectID   string
	Outcome     AuditOutcome
	At          TimeRange
}

// ChainHash returns the SHA-256 (hex) that chains the row to PrevHash. Every
// field is written with its length before it, so that no two rows have the
// same encoding.
func (e AuditEvent) ChainHash() string {
	h := sha256.New()
	for _, field := range []string{
		"kgl-audit-1", e.PrevHash, strconv.FormatInt(e.Seq, 10), e.ID,
		strconv.FormatInt(e.At.UnixMicro(), 10), string(e.ActorType), e.ActorID, e.Action,
		e.SubjectType, e.SubjectID, string(e.Outcome), e.RequestID, e.Address, string(e.Details),
	} {
		fmt.Fprintf(h, "%d:%s,", len(field), field)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// AuditVerifier checks the rows of the audit log in the order of Seq.
type AuditVerifier struct {
	seq  int64
	hash string
}

// Check takes the next row. It returns a CodeConflict error that names the
// first row which was edited, deleted, inserted or reordered.
func (v *AuditVerifier) Check(e AuditEvent) error {
	if e.Seq != v.seq+1 {
		return Errorf(CodeConflict, "audit row %d is missing or out of order: row %d follows row %d", v.seq+1, e.Seq, v.seq)
	}
	if e.PrevHash != v.hash {
		return Errorf(CodeConflict, "audit row %d does not follow from the row before it", e.Seq)
	}
	if e.ChainHash() != e.Hash {
		return Errorf(CodeConflict, "audit row %d was changed after it was written", e.Seq)
	}
	v.seq, v.hash = e.Seq, e.Hash
	return nil
}

// Head returns the number and the hash of the last row that was checked.
func (v *AuditVerifier) Head() (seq int64, hash string) { return v.seq, v.hash }
