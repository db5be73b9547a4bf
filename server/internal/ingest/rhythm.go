package ingest

import (
	"slices"
	"time"
)

// The bounds of what is looked at for a feed's rhythm.
const (
	rhythmEvents = 20 // the newest times of publication
	rhythmGaps   = 2  // gaps between them, without which the rhythm is not known
)

// rhythm returns the usual time between two publications of a feed, and the
// time of the newest, from the dates of its items in any order. Dates after now
// do not count.
//
// Items within the shortest interval of the first of them are one publication:
// nobody could tell them apart by asking, and feeds that publish in batches
// would seem to publish without end. The gap is the median, which the holidays
// of a feed do not move; it is 0 while there are too few. The newest is nil
// without any date.
func rhythm(dates []time.Time, now time.Time, shortest time.Duration) (gap time.Duration, newest *time.Time) {
	dates = slices.DeleteFunc(slices.Clone(dates), func(d time.Time) bool { return d.IsZero() || d.After(now) })
	if len(dates) == 0 {
		return 0, nil
	}
	slices.SortFunc(dates, func(a, b time.Time) int { return b.Compare(a) })
	newest = &dates[0]
	var gaps []time.Duration
	event := dates[0]
	for _, d := range dates[1:] {
		if event.Sub(d) < shortest {
			continue
		}
		gaps = append(gaps, event.Sub(d))
		if event = d; len(gaps) == rhythmEvents-1 {
			break
		}
	}
	if len(gaps) < rhythmGaps {
		return 0, newest
	}
	return median(gaps).Truncate(time.Second), newest
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	mid := len(list) / 2
	if len(list)%2 == 1 {
		return list[mid]
	}
	return (list[mid-1] + list[mid]) / 2
}

// observed returns the rhythm of a feed without dates after it brought something
// new, by when that was seen: the older gap counts for three quarters.
func observed(gap time.Duration, before *time.Time, now time.Time) time.Duration {
	if before == nil || !now.After(*before) {
		return gap
	}
	seen := now.Sub(*before)
	if gap <= 0 {
		return seen.Truncate(time.Second)
	}
	return ((3*gap + seen) / 4).Truncate(time.Second)
}
