package outbound

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func testNow() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// Case 21: what a server asks for is clamped, and nonsense is no answer.
func TestCase21RetryAfter(t *testing.T) {
	now := testNow()
	const ceiling = 24 * time.Hour
	for value, want := range map[string]time.Duration{
		"120":                            2 * time.Minute,
		" 120 ":                          2 * time.Minute,
		"0":                              0,
		"999999999":                      ceiling,
		"9223372036854775807":            ceiling,
		"99999999999999999999999":        ceiling,
		"Sun, 22 Nov 2026 12:01:00 GMT":  time.Minute,
		"Sunday, 22-Nov-26 12:01:00 GMT": time.Minute,
		"Sun, 22 Nov 2026 11:00:00 GMT":  0,
		"Fri, 31 Dec 9999 23:59:59 GMT":  ceiling,
		"Sat, 01 Jan 0001 00:00:00 GMT":  0,
		"":                               -1, // -1: not understood
		"soon":                           -1,
		"-5":                             -1,
		"1.5":                            -1,
		"1e9":                            -1,
		"+5":                             -1,
		"١٢":                             -1,
	} {
		got, ok := RetryAfter(http.Header{"Retry-After": {value}}, now, ceiling)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v, %t, want %v", value, got, ok, want)
		}
	}
}

func TestCase21Freshness(t *testing.T) {
	now := testNow()
	const ceiling = 24 * time.Hour
	tests := []struct {
		header http.Header
		want   time.Duration // -1: nothing is said
	}{
		{http.Header{}, -1},
		{http.Header{"Cache-Control": {"public"}}, -1},
		{http.Header{"Cache-Control": {"max-age=600"}}, 10 * time.Minute},
		{http.Header{"Cache-Control": {"public", "Max-Age=\"600\""}}, 10 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=600, max-age=1"}}, 10 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=600, no-cache"}}, 0},
		{http.Header{"Cache-Control": {"no-store"}}, 0},
		{http.Header{"Cache-Control": {"max-age=0"}}, 0},
		{http.Header{"Cache-Control": {"max-age=9000000000000000000"}}, ceiling},
		{http.Header{"Cache-Control": {"max-age=99999999999999999999999999"}}, ceiling},
		{http.Header{"Cache-Control": {"max-age=9e18"}}, -1},
		{http.Header{"Cache-Control": {"max-age=-1"}}, -1},
		{http.Header{"Cache-Control": {"max-age=600"}, "Age": {"540"}}, time.Minute},
		{http.Header{"Cache-Control": {"max-age=600"}, "Age": {"99999999999999999999"}}, 0},
		{http.Header{"Cache-Control": {"max-age=99999999999999999999"}, "Age": {"99999999999999999999"}}, 0},
		{http.Header{"Cache-Control": {"max-age=600"}, "Expires": {"Sun, 22 Nov 2026 13:00:00 GMT"}}, 10 * time.Minute},
		{http.Header{"Expires": {"Sun, 22 Nov 2026 13:00:00 GMT"}}, time.Hour},
		{http.Header{"Expires": {"Sun, 22 Nov 2026 13:00:00 GMT"}, "Date": {"Sun, 22 Nov 2026 12:30:00 GMT"}}, 30 * time.Minute},
		{http.Header{"Expires": {"Fri, 31 Dec 9999 23:59:59 GMT"}}, ceiling},
		{http.Header{"Expires": {"Fri, 31 Dec 9999 23:59:59 GMT"}, "Age": {"1"}}, ceiling},
		{http.Header{"Expires": {"Sat, 01 Jan 0001 00:00:00 GMT"}}, 0},
		{http.Header{"Expires": {"0"}}, 0},
		{http.Header{"Expires": {"-1"}}, 0},
	}
	for _, tt := range tests {
		got, ok := Freshness(tt.header, now, ceiling)
		if ok != (tt.want >= 0) || ok && got != tt.want {
			t.Errorf("%v: %v, %t, want %v", tt.header, got, ok, tt.want)
		}
	}
}

func TestValidators(t *testing.T) {
	for value, keep := range map[string]bool{
		`"v1"`:   true,
		`W/"v1"`: true,
		"v1":     true, // not valid, but servers that send it compare it
		"\"ü\"":  true,
		`"` + strings.Repeat("x", maxValidatorBytes-2) + `"`: true,
		`"` + strings.Repeat("x", maxValidatorBytes-1) + `"`: false,
		"\"a\r\nX-Evil: b\"": false,
		"\"a\x00\"":          false,
		"":                   false,
	} {
		etag, modified := Validators(http.Header{"Etag": {value}, "Last-Modified": {value}})
		if (etag == value && value != "") != keep || etag != modified {
			t.Errorf("%.20q: kept %.20q and %.20q", value, etag, modified)
		}
		sent := Conditional(value, value)
		if _, ok := sent["If-None-Match"]; ok != keep {
			t.Errorf("%.20q: sent %v", value, sent)
		}
	}
}
