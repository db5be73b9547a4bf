package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSpreadIsTheMedianAndTheEnds(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{9, 1, 4}, Spread{4, 1, 9}},
		{[]float64{8, 2, 4, 6}, Spread{5, 2, 8}},
	} {
		if got := spread(c.values); got != c.want {
			t.Errorf("spread(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestGrowthComparesRoundByRound(t *testing.T) {
	g := Growth{Items: []int{10_000, 30_000, 100_000}}
	// The machine was twice as slow in the second round.
	g.fill([][]float64{{90, 180}, {100, 200}, {120, 240}})
	if g.To30k == nil || *g.To30k != (Spread{1.2, 1.2, 1.2}) {
		t.Errorf("100,000 to 30,000 is %v, want 1.2", g.To30k)
	}
	small := Growth{Items: []int{1000}}
	small.fill([][]float64{{1}})
	if small.To30k != nil {
		t.Error("a ratio came out of sizes that were not measured")
	}
}

func TestOnlyTheGeneratedPartOfThePageIsWritten(t *testing.T) {
	dir := t.TempDir()
	r := Report{Commit: "abc1234", Ratios: []Ratio{{Engine: "sqlite", Items: 100_000, Kind: "get", ToReference: Spread{Median: 1.7}}}}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	report, docs := filepath.Join(dir, "report.json"), filepath.Join(dir, "page.md")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(report, string(text))
	write(docs, "before\n"+beginMark+"old tables\n"+endMark+"after\n")
	if err := rerender(report, docs); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	got := string(page)
	if !strings.HasPrefix(got, "before\n"+beginMark) || !strings.HasSuffix(got, endMark+"after\n") || strings.Contains(got, "old tables") {
		t.Errorf("the page is now\n%s", got)
	}
	if !strings.Contains(got, "abc1234") || !strings.Contains(got, "**missed**") {
		t.Errorf("the page does not tell the commit, or that 1.70 misses the aim:\n%s", got)
	}
	write(docs, "a page without marks\n")
	if rerender(report, docs) == nil {
		t.Error("a page without marks was accepted")
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 30000: "30,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}
