package kgl

import "time"

// TypeCount is how many rows have a type.
type TypeCount struct {
	Type  string
	Count int64
}

// Dashboard is the state of the installation in numbers.
type Dashboard struct {
	GeneratedAt   time.Time
	Sources       DashboardSources
	Content       DashboardContent
	Entities      DashboardTypes
	Relationships DashboardTypes
}

// DashboardSources counts sources by status.
type DashboardSources struct {
	Total, Active, Paused, Failing, Gone int64
	ByHealth                             map[SourceHealth]int64 // those that are not 0
	LastSuccessAt                        *time.Time             // the newest success of any source
}

// DashboardContent counts content by status. Duplicates counts the items that
// are folded into another one.
type DashboardContent struct {
	Total, New, Processing, Processed, Failed, Skipped int64
	Duplicates                                         int64
	Last24Hours                                        int64 // fetched in the last 24 hours
	LatestPublishedAt                                  *time.Time
}

// DashboardTypes counts rows in total and for the most frequent types.
type DashboardTypes struct {
	Total  int64
	ByType []TypeCount // most frequent first, at most 20
}
