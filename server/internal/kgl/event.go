package kgl

import (
	"encoding/json"
	"time"
)

// EventType names what happened. The list grows; readers ignore what they do
// not know.
type EventType string

// The event types of this version.
const (
	EventSourceCreated       EventType = "source.created"
	EventSourceUpdated       EventType = "source.updated"
	EventSourceDeleted       EventType = "source.deleted" // its content went with it
	EventSourceFailing       EventType = "source.failing"
	EventSourceRecovered     EventType = "source.recovered"
	EventSourceGone          EventType = "source.gone"
	EventSourceMoved         EventType = "source.moved" // it redirected for good, and has the new URL
	EventContentCreated      EventType = "content.created"
	EventContentUpdated      EventType = "content.updated" // an edit in the source made a revision
	EventContentDeleted      EventType = "content.deleted"
	EventContentProcessed    EventType = "content.processed"
	EventContentFailed       EventType = "content.failed"
	EventExtractionRetracted EventType = "content.extraction_retracted" // what a run found in it was taken back
	EventDuplicateLinked     EventType = "content.duplicate_linked"
	EventDuplicateUnlinked   EventType = "content.duplicate_unlinked" // a person took it out of its group
	EventEntityCreated       EventType = "entity.created"
	EventEntityUpdated       EventType = "entity.updated"
	EventEntityDeleted       EventType = "entity.deleted"
	EventEntityMerged        EventType = "entity.merged" // into another one, which data names
	EventEntityUnmerged      EventType = "entity.unmerged"
	EventRelationshipCreated EventType = "relationship.created"
	EventRelationshipUpdated EventType = "relationship.updated"
	EventRelationshipDeleted EventType = "relationship.deleted"
)

// Event is one row of the outbox and change feed. It is written in the
// transaction of the change that it tells of.
type Event struct {
	ID          string
	Position    EventPosition // set by the store
	Type        EventType
	SubjectType string // source, content, entity, relationship
	SubjectID   string
	Data        json.RawMessage // a small JSON object; never a body or a secret
	OccurredAt  time.Time
}

// NewEvent returns an event about a subject that happens now, for AppendEvents
// in the transaction of the change. Data is what readers need to decide whether
// to look at the subject; nil for nothing.
func NewEvent(ids IDSource, clock Clock, typ EventType, subjectType, subjectID string, data map[string]any) Event {
	return Event{
		ID:          ids.NewID(),
		Type:        typ,
		SubjectType: subjectType,
		SubjectID:   subjectID,
		Data:        jsonObject(data),
		OccurredAt:  clock.Now(),
	}
}

// jsonObject encodes fields with sorted keys. A value that JSON cannot hold is
// a fault of the caller; the row that it belongs to is written all the same,
// because losing it would be worse.
func jsonObject(fields map[string]any) json.RawMessage {
	if len(fields) == 0 {
		return json.RawMessage(`{}`)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return json.RawMessage(`{"encoding_failed":true}`)
	}
	return b
}

// EventPosition orders events. A reader that has read up to a position misses
// nothing by going on from it: see docs/decisions on the order of events.
type EventPosition struct {
	Tx  int64 // transaction in which the event was written
	Seq int64 // order of writing
}
