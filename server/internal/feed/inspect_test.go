package feed

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestInspectGolden holds the whole JSON of `kgl feed inspect --json` for a
// podcast and a damaged feed: go test -run InspectGolden -update writes it anew.
func TestInspectGolden(t *testing.T) {
	opts := testOptions()
	opts.Limits.MaxItems = 2
	damaged := `<rss version="2.0"><channel><title>Odd & even</title><link>https://s.example.org/</link><skipHours><hour>2</hour></skipHours><skipDays><day>Sunday</day></skipDays>
<item><guid>1</guid><title>One < two</title><pubDate>soon</pubDate><description>a<br>b</description><comments>/1#c</comments></item><item><title>Two`
	var have []Inspection
	for _, body := range [][]byte{fixture(t, "podcast.xml"), []byte(damaged)} {
		doc, err := Parse(context.Background(), body, opts)
		if err != nil {
			t.Fatal(err)
		}
		one := Inspect(doc)
		for i := range one.Items {
			if len(one.Items[i].RawHash) != 32 {
				t.Errorf("raw hash %q", one.Items[i].RawHash)
			}
			one.Items[i].RawHash = "changes with the rules"
		}
		have = append(have, one)
	}
	printed, err := json.MarshalIndent(have, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	printed = append(printed, '\n')
	const golden = "testdata/inspect/golden.json"
	if *update {
		if err := os.WriteFile(golden, printed, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := fixture(t, "inspect/golden.json"); string(want) != string(printed) {
		a, b := firstDifference(string(printed), string(want))
		t.Errorf("printed\n%s\nwant\n%s", a, b)
	}
}

func TestAdvice(t *testing.T) {
	doc := mustParse(t, rssDoc(`<item><guid>1</guid><title>t</title><link>/1</link><pubDate>28 Oct 2026</pubDate><description>x</description></item>`), testOptions())
	if have := Advice(doc); len(have) != 0 {
		t.Errorf("advice for a sound feed: %q", have)
	}
	doc = mustParse(t, rssDoc(`<item><title>a</title><link>/1</link><pubDate>soon</pubDate></item><item><title>b</title><link>/2</link><pubDate>later</pubDate><description>x</description></item>
		<item><guid>g</guid><title>c</title></item><item><guid>g</guid><title>d</title></item>`), testOptions())
	want := []string{
		"3 of 4 items: no content", "2 of 4 items: no date of publication", "2 of 4 items: no id and no link of its own; an edit makes another item",
		"2 of 4 items: no id; the link stands for it, and a changed link makes another item", "2 of 4 items: no usable link was published",
		"2 of 4 items: the date of publication cannot be read", "2 of 4 items: the id is that of several items of the document",
	}
	if have := Advice(doc); !slices.Equal(have, want) {
		t.Errorf("advice %q\nwant %q", have, want)
	}
}
