package main

import (
	"slices"
	"strings"
	"testing"
)

func TestDifferencesTellsLostRepeatedAndUnknownItems(t *testing.T) {
	want := []published{{1, "a", "u1"}, {1, "b", "u2"}, {2, "a", "u3"}}
	if err := differences(want, slices.Clone(want)); err != nil {
		t.Errorf("equal lists differ: %v", err)
	}
	for name, got := range map[string][]published{
		"1 are missing":               want[1:],
		"1 are stored more than once": append(slices.Clone(want), want[2]),
		"1 were never published":      append(slices.Clone(want), published{2, "b", "u3"}),
	} {
		if err := differences(want, got); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("differences says %v, want %q", err, name)
		}
	}
}
