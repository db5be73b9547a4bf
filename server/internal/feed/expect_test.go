package feed

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
)

// expectation is a small document, and what its first item is.
type expectation struct {
	name, document string
	want           map[string]string // field to value
}

// expectations reads a file of testdata/expect:
//
//	wrap: the document, with {item} and {feed} for what a case puts there
//	# name of a case
//	what the item holds, over any number of lines
//	feed: what the feed holds
//	> field: value, nothing when the item must not have one
func expectations(t *testing.T, path string) []expectation {
	t.Helper()
	var list []expectation
	var wrap, item, inFeed string
	var one *expectation
	end := func() {
		if one != nil {
			one.document = strings.NewReplacer("{item}", strings.TrimSuffix(item, "\n"), "{feed}", inFeed).Replace(wrap)
			list = append(list, *one)
		}
		one, item, inFeed = nil, "", ""
	}
	name, err := filepath.Rel("testdata", path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(fixture(t, name))) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "wrap: "):
			wrap = text[len("wrap: "):]
		case strings.HasPrefix(text, "# "):
			end()
			one = &expectation{name: text[2:], want: map[string]string{}}
		case strings.HasPrefix(text, "feed: "):
			inFeed = text[len("feed: "):]
		case strings.HasPrefix(text, "> "):
			field, value, _ := strings.Cut(text[2:], ":")
			one.want[field] = strings.ReplaceAll(strings.TrimSpace(value), `\n`, "\n")
		case one != nil && len(one.want) == 0:
			item += line
		}
	}
	end()
	return list
}

// fieldsOf returns the fields of an item as expectations name them.
func fieldsOf(it Item) map[string]string {
	f := map[string]string{
		"title": it.Title, "link": it.URL, "id": it.GUID, "content": it.ContentText, "html": it.ContentHTML, "summary": it.Summary,
		"categories": strings.Join(it.Categories, "; "), "language": it.Language,
	}
	if !it.PublishedInferred {
		f["date"] = it.PublishedAt.Format(time.RFC3339Nano)
	}
	if !it.ModifiedAt.IsZero() {
		f["modified"] = it.ModifiedAt.Format(time.RFC3339Nano)
	}
	var authors, files []string
	for _, a := range it.Authors {
		authors = append(authors, personText(a.Name, a.Email))
	}
	for _, e := range it.Enclosures {
		files = append(files, fmt.Sprint(e.URL, " ", e.Type, " ", e.Length))
	}
	f["author"], f["enclosure"] = strings.Join(authors, "; "), strings.Join(files, "; ")
	return f
}

func personText(name, email string) string {
	if email != "" {
		name += " <" + email + ">"
	}
	return name
}

// gofeedFields returns the same fields of an item as gofeed alone reads it. Its
// content is made text as ours is, and is not asked to be safe; of the link only
// the page is asked, of the date the moment.
func gofeedFields(f *gofeed.Feed, it *gofeed.Item) map[string]string {
	content := it.Content
	if content == "" {
		content = it.Description
	}
	text := htmlText(content, 1<<20)
	m := map[string]string{
		"title": collapse(it.Title), "link": it.Link, "id": it.GUID, "content": text, "html": content,
		"categories": strings.Join(it.Categories, "; "), "language": f.Language, "summary": it.Description,
	}
	switch {
	case it.PublishedParsed != nil:
		m["date"] = it.PublishedParsed.UTC().Format(time.RFC3339Nano)
	case it.UpdatedParsed != nil:
		m["date"] = it.UpdatedParsed.UTC().Format(time.RFC3339Nano)
	}
	if it.UpdatedParsed != nil {
		m["modified"] = it.UpdatedParsed.UTC().Format(time.RFC3339Nano)
	}
	persons := it.Authors
	if len(persons) == 0 {
		persons = f.Authors
	}
	var authors, files []string
	for _, a := range persons {
		authors = append(authors, personText(a.Name, a.Email))
	}
	for _, e := range it.Enclosures {
		files = append(files, fmt.Sprint(e.URL, " ", e.Type, " ", parseLength(e.Length)))
	}
	m["author"], m["enclosure"] = strings.Join(authors, "; "), strings.Join(files, "; ")
	return m
}

// score counts the cases and the fields that are as expected.
type score struct{ cases, casesMet, fields, fieldsMet int }

func (s *score) add(want, have map[string]string) (missed []string) {
	for field, value := range want {
		s.fields++
		if have[field] == value {
			s.fieldsMet++
		} else {
			missed = append(missed, fmt.Sprintf("%s is %q, want %q", field, have[field], value))
		}
	}
	s.cases++
	if len(missed) == 0 {
		s.casesMet++
	}
	return missed
}

func (s score) String() string {
	return fmt.Sprintf("%d of %d cases (%.1f %%), %d of %d fields (%.1f %%)", s.casesMet, s.cases, 100*float64(s.casesMet)/float64(s.cases),
		s.fieldsMet, s.fields, 100*float64(s.fieldsMet)/float64(s.fields))
}

// TestExpectations reads what each format offers, and tells how gofeed alone
// does on the same documents:
//
//	go test -run Expectations -v ./server/internal/feed
func TestExpectations(t *testing.T) {
	names, err := filepath.Glob("testdata/expect/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no expectations: %v", err)
	}
	opts := testOptions()
	opts.Now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var here, there score
	for _, name := range names {
		for _, c := range expectations(t, name) {
			where := strings.TrimSuffix(filepath.Base(name), ".txt") + ", " + c.name
			doc, err := Parse(context.Background(), []byte(c.document), opts)
			if err != nil || len(doc.Items) == 0 {
				t.Errorf("%s: nothing is read: %v", where, err)
				doc = &Document{Items: []Item{{}}}
			}
			for _, miss := range here.add(c.want, fieldsOf(doc.Items[0])) {
				t.Errorf("%s: %s", where, miss)
			}
			theirs := map[string]string{"?": "nothing is read"}
			if f, err := gofeed.NewParser().Parse(bytes.NewReader([]byte(c.document))); err == nil && len(f.Items) > 0 {
				theirs = gofeedFields(f, f.Items[0])
			}
			if theirs["?"] != "" {
				for field := range c.want {
					theirs[field] = theirs["?"]
				}
			}
			for _, miss := range there.add(c.want, theirs) {
				t.Logf("gofeed alone: %s: %s", where, miss)
			}
		}
	}
	t.Logf("here %v; gofeed alone %v", here, there)
	if here.cases < 200 {
		t.Errorf("only %d cases", here.cases)
	}
}
