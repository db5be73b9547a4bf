package outbound

import (
	"math"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// maxValidatorBytes bounds the validators that are worth keeping. Real ones
// are far shorter.
const maxValidatorBytes = 1024

// RetryAfter returns how long a server asks to be left alone (RFC 9110
// section 10.2.3), in seconds or as a date, clamped to ceiling. It reports
// false when the header is absent or makes no sense.
func RetryAfter(header http.Header, now time.Time, ceiling time.Duration) (time.Duration, bool) {
	value := textproto.TrimString(header.Get("Retry-After"))
	if d, ok := parseSeconds(value, ceiling); ok {
		return d, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return clamp(at.Sub(now), ceiling), true
}

// Freshness returns for how much longer an answer is fresh (RFC 9111 section
// 4.2), clamped to ceiling: max-age, else Expires, less its Age. An answer
// that forbids reuse is fresh for 0. It reports false when the server says
// nothing that can be understood.
func Freshness(header http.Header, now time.Time, ceiling time.Duration) (time.Duration, bool) {
	lifetime, ok := lifetimeOf(header, now)
	if !ok {
		return 0, false
	}
	if age, ok := parseSeconds(textproto.TrimString(header.Get("Age")), math.MaxInt64); ok {
		lifetime -= age // both are at least 0, so this cannot overflow
	}
	return clamp(lifetime, ceiling), true
}

func lifetimeOf(header http.Header, now time.Time) (time.Duration, bool) {
	var (
		maxAge time.Duration
		found  bool
	)
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(directive, "=")
		switch strings.ToLower(textproto.TrimString(name)) {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			value = strings.Trim(textproto.TrimString(value), `"`)
			if d, ok := parseSeconds(value, math.MaxInt64); ok && !found {
				maxAge, found = d, true
			}
		}
	}
	if found {
		return maxAge, true
	}
	value := textproto.TrimString(header.Get("Expires"))
	if value == "" {
		return 0, false
	}
	expires, err := http.ParseTime(value)
	if err != nil {
		return 0, true // RFC 9111 section 5.3: invalid dates, "0" above all, mean the past
	}
	from := now
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		from = date
	}
	return clamp(expires.Sub(from), math.MaxInt64), true
}

// parseSeconds reads delta-seconds (RFC 9111 section 1.2.2): digits only, any
// number of them, clamped to ceiling.
func parseSeconds(value string, ceiling time.Duration) (time.Duration, bool) {
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n > int64(math.MaxInt64/time.Second) {
		return ceiling, true
	}
	return clamp(time.Duration(n)*time.Second, ceiling), true
}

func clamp(d, ceiling time.Duration) time.Duration { return min(max(d, 0), ceiling) }

// Validators returns the ETag and Last-Modified of an answer, as they are to
// be sent back, or "" for one that is absent, longer than 1,024 bytes or not
// fit for a request header.
func Validators(header http.Header) (etag, lastModified string) {
	return usableValidator(header.Get("Etag")), usableValidator(header.Get("Last-Modified"))
}

// Conditional returns the request headers for "only if it changed", from what
// Validators gave for the last answer. Values that cannot be sent are left
// out.
func Conditional(etag, lastModified string) http.Header {
	header := make(http.Header, 2)
	if v := usableValidator(etag); v != "" {
		header.Set("If-None-Match", v)
	}
	if v := usableValidator(lastModified); v != "" {
		header.Set("If-Modified-Since", v)
	}
	return header
}

func usableValidator(value string) string {
	value = textproto.TrimString(value)
	if len(value) > maxValidatorBytes || !httpguts.ValidHeaderFieldValue(value) {
		return ""
	}
	return value
}
