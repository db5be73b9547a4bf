package cli

import (
	"encoding/json"
	"regexp"
	"testing"
)

// oddFeed has one thing wrong in each item, and none in the first.
const oddFeed = `<?xml version="1.0"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Odd & even</title><link>https://odd.example.org/</link><language>en</language><ttl>90</ttl>
<itunes:new-feed-url>https://new.example.org/feed</itunes:new-feed-url>
<item><guid>1</guid><title>Sound</title><link>/1</link><pubDate>Sun, 01 Mar 2026 10:00:00 GMT</pubDate><description>x</description><itunes:duration>62:03</itunes:duration></item>
<item><guid>2</guid><title>No date</title><link>/2</link><description>x</description></item>
<item><guid>3</guid><title>Soon</title><link>/2026/02/28/soon</link><pubDate>soon</pubDate><description>x</description></item>
<item><title>No id</title><link>/4</link><pubDate>2026-03-01</pubDate><description>x</description></item>
<item><title>Nothing of its own</title><pubDate>2026-03-01</pubDate><description>x</description></item>
<item><guid>6</guid><title>Far</title><link>/6</link><pubDate>Mon, 01 Mar 2286 10:00:00 GMT</pubDate></item>
</channel></rss>`

func TestFeedInspectText(t *testing.T) {
	s := newShell(t, "")
	s.environ = append(s.environ, "KGL_DATABASE_URL=nonsense://")
	s.stdin = oddFeed
	printed := s.want(0, line("feed inspect -")).stdout
	golden(t, "", regexp.MustCompile(` +\n`).ReplaceAllString(printed, "\n"), `title  Odd & even
format  rss 2.0
site  https://odd.example.org/
language  en
repaired  true
items  6 (0 skipped)
asks for  1h30mTIME between two reads
moved to  https://new.example.org/feed

STAGE  RESULT  WHAT
decode  as it is
scan  mended  reference: a reference to a character that does not exist, or an '&' that starts no reference, was mended (once in line 2)
parse  as it is
normalise  as it is

FOR THE PUBLISHER
1 of 6 items: no content
1 of 6 items: no date of publication
1 of 6 items: no id and no link of its own; an edit makes another item
1 of 6 items: no id; the link stands for it, and a changed link makes another item
1 of 6 items: no usable link was published
1 of 6 items: the date of publication cannot be read
1 of 6 items: the date of publication lies in the future

PUBLISHED  DATE FROM  IDENTITY  TITLE  URL  NOTES
2026-03-01 10:00  published  guid  Sound  https://odd.example.org/1
no date  fetched  guid  No date  https://odd.example.org/2  date_missing
2026-02-28 00:00  url  guid  Soon  https://odd.example.org/2026/02/28/soon  date_invalid
2026-03-01 00:00  published  url  No id  https://odd.example.org/4
2026-03-01 00:00  published  hash  Nothing of its own  -  link_missing
no date  fetched  guid  Far  https://odd.example.org/6  date_future
`)
	s.stdin = oddFeed
	hashed := s.want(0, line("feed inspect - --raw-hash")).stdout
	if n := len(regexp.MustCompile(`raw [0-9a-f]{32}`).FindAllString(hashed, -1)); n != 6 {
		t.Errorf("%d hashes of 6 items:\n%s", n, hashed)
	}
}

func TestFeedInspectJSON(t *testing.T) {
	s := newShell(t, "")
	s.stdin = oddFeed
	var have struct {
		Feed   map[string]any
		Items  []map[string]any
		Stages []map[string]any
		Advice []string
	}
	if err := json.Unmarshal([]byte(s.want(0, line("feed inspect - --json")).stdout), &have); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ source, kind string }{
		{"published", "guid"}, {"fetched", "guid"}, {"url", "guid"}, {"published", "url"}, {"published", "hash"}, {"fetched", "guid"},
	} {
		if it := have.Items[i]; it["published_at_source"] != want.source || it["identity_kind"] != want.kind || (it["published_at"] == nil) != (want.source == "fetched") {
			t.Errorf("item %d is %v", i, it)
		}
	}
	if m, ok := have.Items[0]["media"].(map[string]any); !ok || m["duration"] != 3723.0 || have.Items[1]["media"] != nil {
		t.Errorf("media is %v", have.Items[0]["media"])
	}
	if len(have.Stages) < 3 || len(have.Advice) < 5 || have.Feed["moved_to"] != "https://new.example.org/feed" || have.Feed["ttl_seconds"] != 5400.0 {
		t.Errorf("feed %v, stages %v, advice %q", have.Feed, have.Stages, have.Advice)
	}
}
