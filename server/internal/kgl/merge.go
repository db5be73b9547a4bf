package kgl

import "time"

// EntityMerge is a merge of entities, with the number of rows that it moved. It
// is kept for good: an old id always resolves, and a merge can be undone.
type EntityMerge struct {
	ID            string
	Winner        EntityRef
	Losers        []EntityRef
	Reason        string
	Actor         string
	Mentions      int64
	Relationships int64
	Evidence      int64
	Aliases       int64
	CreatedAt     time.Time
	UndoneAt      *time.Time
	UndoneBy      string
}
