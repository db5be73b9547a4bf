package kgl

import "time"

// TaskState is the state of an enrichment task.
type TaskState string

// The states of an enrichment task.
const (
	TaskPending  TaskState = "pending"  // can be claimed
	TaskWaiting  TaskState = "waiting"  // for AvailableAt
	TaskLeased   TaskState = "leased"   // claimed until LeaseUntil
	TaskWithheld TaskState = "withheld" // its source does not allow it
	TaskDone     TaskState = "done"
	TaskDead     TaskState = "dead" // gave up after the last attempt
)

// TaskStates returns all states of a task.
func TaskStates() []TaskState {
	return []TaskState{TaskPending, TaskWaiting, TaskLeased, TaskWithheld, TaskDone, TaskDead}
}

// TaskKindExtract asks for entities and relationships.
const TaskKindExtract = "extract"

// The lanes of tasks: whose work they are.
const (
	LaneBuiltin = "builtin"
	LaneMock    = ExtractorMock
	LaneAI      = "ai" // the AI module, which is called or comes for them
)

// EnrichmentTask asks an extractor to enrich one revision of a content item.
// LeaseToken fences the lease: it grows with every claim.
type EnrichmentTask struct {
	ID          string
	Kind        string // TaskKindExtract
	ContentID   string
	SourceID    string
	Revision    int64
	Extractor   string // the lane
	Priority    int64  // greater ones are claimed first
	State       TaskState
	Attempts    int64
	AvailableAt time.Time // not claimed before
	LeaseOwner  string
	LeaseToken  int64
	LeaseUntil  *time.Time
	LastError   string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// NewEnrichmentTask returns the task that asks an extractor to enrich a revision
// of a content item, to be claimed from now on. It is stored in the transaction
// that stores the revision.
func NewEnrichmentTask(ids IDSource, now time.Time, contentID, sourceID string, revision int64, extractor string) EnrichmentTask {
	return EnrichmentTask{
		ID:          ids.NewID(),
		Kind:        TaskKindExtract,
		ContentID:   contentID,
		SourceID:    sourceID,
		Revision:    revision,
		Extractor:   extractor,
		State:       TaskPending,
		AvailableAt: now,
		CreatedAt:   now,
		UpdatedAt:   now,
	}
}

// TaskFilter selects tasks; a zero field does not filter.
type TaskFilter struct {
	State    TaskState
	SourceID string
	Lane     string
}

// DeadTaskFilter selects tasks that were given up; a zero field does not filter.
type DeadTaskFilter struct {
	IDs      []string
	SourceID string
	Lane     string
}

// TaskCounts are the numbers of the tasks of a lane by their states.
type TaskCounts struct {
	Lane            string
	Pending         int64
	Waiting         int64
	Leased          int64
	Withheld        int64
	Done            int64
	Dead            int64
	OldestPendingAt *time.Time // when the oldest pending task was made; nil: there is none
}

// ExtractedEntity is an entity that an extractor found, with its places.
type ExtractedEntity struct {
	Name        string
	Type        string
	Confidence  float64
	Salience    float64 // as in Mention
	Aliases     []string
	ExternalIDs []ExternalID
	Spans       []Span
}

// Span is a place in a text: Start and End count Unicode code points, End is
// exclusive, Quote is the text between them.
type Span struct {
	Start int64
	End   int64
	Quote string
}

// ExtractedRelationship is an edge that an extractor found. From and To index
// the entities of the same Extraction.
type ExtractedRelationship struct {
	From       int
	To         int
	Type       string
	Fact       string
	Confidence float64
	ValidFrom  string // as in Relationship
	ValidTo    string
	Evidence   Span
}

// Extraction is the whole result of one extractor on one revision of an item.
type Extraction struct {
	Extractor     string // name@version
	Model         string
	ConfigHash    string // of the prompt or the configuration
	Entities      []ExtractedEntity
	Relationships []ExtractedRelationship
}
