package feed

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mmcdole/gofeed"
)

// dateForms returns the dates of testdata/dates.txt with what is meant; a zero
// time for what is no date.
func dateForms(t testing.TB) map[string]time.Time {
	forms := map[string]time.Time{}
	for line := range strings.Lines(string(fixture(t, "dates.txt"))) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		form, want, found := strings.Cut(line, " => ")
		var at time.Time
		if want != "none" {
			var err error
			if at, err = time.Parse(time.RFC3339Nano, want); err != nil {
				t.Fatal(err)
			}
		}
		if _, twice := forms[form]; twice || !found {
			t.Fatalf("%q stands twice, or alone", form)
		}
		forms[form] = at
	}
	return forms
}

func TestDateForms(t *testing.T) {
	forms := dateForms(t)
	theirs, dates := 0, 0
	for form, want := range forms {
		got, ok := parseDate(form)
		if ok == want.IsZero() || !got.Equal(want) {
			t.Errorf("parseDate(%q) = %v, %v; want %v", form, got, ok, want)
		}
		if want.IsZero() {
			continue
		}
		dates++
		f, err := gofeed.NewParser().Parse(bytes.NewReader([]byte(rssDoc("<item><title>t</title><pubDate>" + form + "</pubDate></item>"))))
		if err == nil && f.Items[0].PublishedParsed != nil && f.Items[0].PublishedParsed.Truncate(time.Microsecond).Equal(want) {
			theirs++
		}
	}
	t.Logf("%d forms of dates, and %d that are none; gofeed alone reads %d of the dates as meant", dates, len(forms)-dates, theirs)
	if dates < 150 || theirs == 0 {
		t.Errorf("only %d forms", dates)
	}
}

// FuzzDate checks that any text is a date in UTC or none.
func FuzzDate(f *testing.F) {
	for form := range dateForms(f) {
		f.Add(form)
	}
	f.Add("0 \xe5-2")
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := parseDate(text)
		if ok != !at.IsZero() && at.Year() != 1 || ok && (at.Year() < 0 || at.Year() > 10000 || at.Location() != time.UTC) {
			t.Fatalf("%q is %v, %v", text, at, ok)
		}
		// What is written in the usual form is read as it was.
		if ok && at.Year() >= 1970 && at.Year() < 9999 {
			if again, ok := parseDate(at.Format(time.RFC3339Nano)); !ok || !again.Equal(at) {
				t.Fatalf("%q is %v, then %v", text, at, again)
			}
		}
		if months := monthByName(text); months < 0 || months > 12 || !utf8.ValidString(text) && months != 0 {
			t.Fatalf("%q is month %d", text, months)
		}
	})
}

func TestDateRule(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const day, next = "2026-11-20T08:00:00Z", "2026-11-21T08:00:00Z"
	list := func(s ...string) []string { return s }
	for _, c := range []struct {
		name               string
		published, updated []string
		url                string
		want               time.Time
		source             PublishedSource
		modified           time.Time
		warning            WarningCode
	}{
		{"published", list(day), nil, "", at(day), PublishedPublished, time.Time{}, ""},
		{"both", list(day), list(next), "", at(day), PublishedPublished, at(next), ""},
		{"the first counts", list(day, next), nil, "", at(day), PublishedPublished, time.Time{}, ""},
		{"the first that can be read", list("soon", next), nil, "", at(next), PublishedPublished, time.Time{}, ""},
		{"updated alone", nil, list(next), "", at(next), PublishedUpdated, at(next), ""},
		{"bad and updated", list("soon"), list(next), "", at(next), PublishedUpdated, at(next), WarnDateInvalid},
		{"bad", list("soon"), nil, "", now, PublishedFetched, time.Time{}, WarnDateInvalid},
		{"nothing", nil, nil, "https://e.example.org/p/1", now, PublishedFetched, time.Time{}, WarnDateMissing},
		{"a zero", list("Thu, 01 Jan 1970 00:00:00 GMT"), nil, "", now, PublishedFetched, time.Time{}, WarnDateInvalid},
		{"year one", list("0001-01-01T00:00:00Z"), nil, "", now, PublishedFetched, time.Time{}, WarnDateInvalid},
		{"a clock that is ahead", list("2026-11-22T12:09:00Z"), nil, "", now, PublishedPublished, time.Time{}, ""},
		{"a wrong zone", list("2026-11-22T13:00:00Z"), nil, "", now, PublishedFetched, time.Time{}, WarnDateFuture},
		{"a year ahead", list("2027-11-22T13:00:00Z"), nil, "", now, PublishedFetched, time.Time{}, WarnDateFuture},
		{"a wrong zone beside a right one", list("2026-11-22T13:00:00Z", "2026-11-22T11:00:00Z"), nil, "", at("2026-11-22T11:00:00Z"), PublishedPublished, time.Time{}, WarnDateFuture},
		{"an event, updated", list("2027-11-22T13:00:00Z"), list(day), "", at(day), PublishedUpdated, at(day), WarnDateFuture},
		{"updated in the future", list(day), list("2027-11-22T13:00:00Z"), "", at(day), PublishedPublished, time.Time{}, ""},
		{"all in the future", list("2027-01-01"), list("2027-01-01"), "", now, PublishedFetched, time.Time{}, WarnDateFuture},
		{"path", nil, nil, "https://e.example.org/2026/10/28/title.html?d=2020/01/01", at("2026-10-28T00:00:00Z"), PublishedURL, time.Time{}, WarnDateMissing},
		{"path, short", nil, nil, "https://e.example.org/blog/2026/1/5/title", at("2026-01-05T00:00:00Z"), PublishedURL, time.Time{}, WarnDateMissing},
		{"name", nil, nil, "https://e.example.org/p/2026-10-28-title", at("2026-10-28T00:00:00Z"), PublishedURL, time.Time{}, WarnDateMissing},
		{"digits", nil, nil, "https://e.example.org/p/20261028", at("2026-10-28T00:00:00Z"), PublishedURL, time.Time{}, WarnDateMissing},
		{"month that is over", nil, nil, "https://e.example.org/2026/10/title", at("2026-10-01T00:00:00Z"), PublishedURL, time.Time{}, WarnDateMissing},
		{"month of now", nil, nil, "https://e.example.org/2026/11/title", now, PublishedFetched, time.Time{}, WarnDateMissing},
		{"day to come", nil, nil, "https://e.example.org/2026/11/23/title", now, PublishedFetched, time.Time{}, WarnDateMissing},
		{"no day", nil, nil, "https://e.example.org/2026/02/31/title", now, PublishedFetched, time.Time{}, WarnDateMissing},
		{"a number", nil, nil, "https://e.example.org/p/20261028471", now, PublishedFetched, time.Time{}, WarnDateMissing},
		{"a host", nil, nil, "https://2026.10.28.example.org/", now, PublishedFetched, time.Time{}, WarnDateMissing},
		{"updated before path", nil, list(day), "https://e.example.org/2026/10/28/x", at(day), PublishedUpdated, at(day), ""},
		{"bad with path", list("soon"), nil, "https://e.example.org/2026/10/28/x", at("2026-10-28T00:00:00Z"), PublishedURL, time.Time{}, WarnDateInvalid},
	} {
		d := dates(c.published, c.updated, c.url, orderOpen, now)
		warning := WarningCode("")
		if len(d.warnings) > 0 {
			warning = d.warnings[0].Code
		}
		if !d.published.Equal(c.want) || d.source != c.source || !d.modified.Equal(c.modified) || warning != c.warning || len(d.warnings) > 1 {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}

// TestDateOrder checks that the dates of a document have one order, which one of
// them may tell.
func TestDateOrder(t *testing.T) {
	for _, c := range []struct{ first, second, want string }{
		{"05/06/2026 20:05", "07/06/2026", "2026-06-05T20:05:00Z"},
		{"05/06/2026 20:05", "05/22/2026", "2026-05-06T20:05:00Z"},
		{"05/06/2026 20:05", "22/05/2026", "2026-06-05T20:05:00Z"},
		{"05/06/2026", "22/05/2026 and 05/22/2026", "2026-06-05T00:00:00Z"},
		{"05/06/2026", "2026/05/22", "2026-06-05T00:00:00Z"},
		{"Tue, 05/06/26", "Fri, 05/22/26", "2026-05-06T00:00:00Z"},
		{"05.06.2026", "05/22/2026", "2026-06-05T00:00:00Z"},
		{"05/06/2026 8:05 PM", "07/08/2026", "2026-05-06T20:05:00Z"},
		{"05/06/2026 8:05 PM", "22/05/2026", "2026-06-05T20:05:00Z"},
		{"22/05/2026", "05/22/2026", "2026-05-22T00:00:00Z"},
	} {
		doc := mustParse(t, rssDoc(`<item><guid>1</guid><pubDate>`+c.first+`</pubDate></item><item><guid>2</guid><pubDate>`+c.second+`</pubDate></item>`), testOptions())
		if have := doc.Items[0].PublishedAt.Format(time.RFC3339); have != c.want {
			t.Errorf("%s beside %s is %s, want %s", c.first, c.second, have, c.want)
		}
	}
	hash := func(date string) string {
		return mustParse(t, rssDoc(`<item><guid>1</guid><pubDate>05/06/2026</pubDate></item><item><guid>2</guid><pubDate>`+date+`</pubDate></item>`), testOptions()).Items[0].RawHash
	}
	if hash("07/06/2026") == hash("05/22/2026") {
		t.Error("the hash of an item does not tell that its date is read otherwise")
	}
}
