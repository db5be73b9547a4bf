package ingest

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of what people may write about a source.
const (
	maxTitleRunes = 300
	maxTags       = 20
	maxTagRunes   = 40
	maxKeptItems  = 1_000_000
	maxKeptDays   = 36_500
)

func (s *Sources) setURL(src *kgl.Source, raw string) error {
	u, err := s.urls.CheckURL(strings.TrimSpace(raw))
	if err != nil {
		return err
	}
	if len(u.String()) > maxURLBytes {
		return kgl.Invalid("url", "is longer than %d bytes", maxURLBytes)
	}
	u.Fragment, u.RawFragment = "", ""
	u.Host = hostKey(u)
	key, err := feed.CanonicalURL(u.String())
	if err != nil {
		return kgl.Invalid("url", "is not a URL that can be fetched")
	}
	src.URL, src.URLKey, src.Host = u.String(), key, u.Host
	return nil
}

// hostKey returns the host of a URL as politeness counts hosts: one machine is
// not two because a URL spells the default port out.
func hostKey(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

func (s *Sources) setTags(src *kgl.Source, tags []string) error {
	if len(tags) > maxTags {
		return kgl.Invalid("tags", "at most %d tags", maxTags)
	}
	src.Tags = make([]string, 0, len(tags))
	seen := map[string]bool{}
	for _, t := range tags {
		t = normalTag(t)
		if t == "" || utf8.RuneCountInString(t) > maxTagRunes || !isText(t) {
			return kgl.Invalid("tags", "a tag has 1 to %d characters, none of them a control character", maxTagRunes)
		}
		if !seen[t] {
			seen[t] = true
			src.Tags = append(src.Tags, t)
		}
	}
	return nil
}

// isText reports whether s is UTF-8 without control characters.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

func normalTag(t string) string { return strings.ToLower(strings.TrimSpace(t)) }

func validSource(src kgl.Source) error {
	if utf8.RuneCountInString(src.Title) > maxTitleRunes || !isText(src.Title) {
		return kgl.Invalid("title", "at most %d characters, none of them a control character", maxTitleRunes)
	}
	if src.Settings.MaxItems < 0 || src.Settings.MaxItems > maxKeptItems {
		return kgl.Invalid("retention.max_items", "is 1 to %d, or null for the default", maxKeptItems)
	}
	if src.Settings.MaxAgeDays < 0 || src.Settings.MaxAgeDays > maxKeptDays {
		return kgl.Invalid("retention.max_age_days", "is 1 to %d, or null for the default", maxKeptDays)
	}
	if src.FetchInterval != 0 && (src.FetchInterval < kgl.MinFetchInterval || src.FetchInterval > kgl.MaxFetchInterval) {
		return kgl.Invalid("fetch_interval_seconds", "is %d to %d, or null for the default",
			int(kgl.MinFetchInterval.Seconds()), int(kgl.MaxFetchInterval.Seconds()))
	}
	return nil
}

// settable refuses the states that only fetching leads to.
func settable(status kgl.SourceStatus) error {
	if status != kgl.SourceActive && status != kgl.SourcePaused {
		return kgl.Invalid("status", "can be set to active or paused only")
	}
	return nil
}
