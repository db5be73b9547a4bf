package feed

import (
	"strconv"
	"strings"
	"time"
)

// ttl is what a feed says about how often it wants to be read.
type ttl struct {
	minutes             string   // RSS ttl
	period, frequency   string   // syndication module
	skipHours, skipDays []string // RSS
}

// interval returns the time between two reads, at most 30 days; 0 when the feed
// says nothing. ttl counts before the syndication module, whose updates per
// period are read as one read per update.
func (t ttl) interval() time.Duration {
	const longest = 30 * 24 * time.Hour
	if n, err := strconv.ParseFloat(strings.TrimSpace(t.minutes), 64); err == nil && n > 0 {
		return time.Duration(min(n, longest.Minutes()) * float64(time.Minute)).Truncate(time.Second)
	}
	period := map[string]time.Duration{
		"hourly": time.Hour, "daily": 24 * time.Hour, "weekly": 7 * 24 * time.Hour, "monthly": longest, "yearly": longest,
	}[strings.ToLower(t.period)]
	if n, err := strconv.ParseFloat(t.frequency, 64); err == nil && n > 1 {
		period = time.Duration(float64(period) / n)
	}
	return period.Truncate(time.Second)
}

// hours returns the hours of skipHours, 0 to 23; 24 is 0, as in RSS 0.91.
func (t ttl) hours() []int {
	var out []int
	for _, s := range t.skipHours {
		if h, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && h >= 0 && h <= 24 && len(out) < 24 {
			out = append(out, h%24)
		}
	}
	return out
}

// days returns the days of skipDays.
func (t ttl) days() []time.Weekday {
	var out []time.Weekday
	for _, s := range t.skipDays {
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.EqualFold(strings.TrimSpace(s), d.String()) && len(out) < 7 {
				out = append(out, d)
			}
		}
	}
	return out
}
