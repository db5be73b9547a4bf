package kgl

import "time"

// The bounds of a page of a list.
const (
	DefaultPageLimit = 20
	MaxPageLimit     = 100
)

// Page asks for a part of a list. After is the position of the last row that
// the caller has; nil asks for the beginning.
type Page struct {
	Limit int
	After *Position
}

// Position is where a row stands in an ordered list: the value of the sort
// key, in the field that fits its type, and the id that breaks ties.
type Position struct {
	Text   string  // for lists ordered by text
	Number float64 // for lists ordered by a fraction, such as confidence
	Int    int64   // for lists ordered by time (Unix microseconds) or a sequence
	ID     string
}

// List is one page of rows in order. Next is the position from which the list
// goes on; nil when it ended.
type List[T any] struct {
	Rows []T
	Next *Position
}

// TimeRange bounds a time: Since inclusive, Until exclusive. A zero time does
// not bound.
type TimeRange struct {
	Since time.Time
	Until time.Time
}
