package kgl

import "testing"

func TestPartialDates(t *testing.T) {
	for text, want := range map[string]bool{
		"2026": true, "2026-11": true, "2026-02-28": true, "2024-02-29": true, "0001": true,
		"": false, "26": false, "2026-13": false, "2026-1": false, "2026-02-29": false, "2026-11-05T00:00:00Z": false, "2026-": false, "\x00": false,
	} {
		if have := ValidPartialDate(text); have != want {
			t.Errorf("%q: valid is %v", text, have)
		}
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"2025", "2026", true}, {"2026", "2025", false}, {"2026", "2026-11", false}, {"2026-11", "2026", false},
		{"2026-10-31", "2026-11", true}, {"2026-11", "2026-10-31", false}, {"2026-11-05", "2026-11-05", false}, {"2026-11-04", "2026-11-05", true},
	} {
		if have := PartialDateBefore(tc.a, tc.b); have != tc.want {
			t.Errorf("%s before %s: %v", tc.a, tc.b, have)
		}
	}
}
