package feed

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestOPML(t *testing.T) {
	list, err := ParseOPML(context.Background(), []byte(`<?xml version="1.0"?>
<!DOCTYPE opml [<!ENTITY e "expanded">]>
<opml version="1.1"><head><title>x</title></head><body>
  <outline text="Video"><outline text="Platforms">
    <outline text="Lumen &amp; Co &e;" type="rss" xmlUrl="https://lumen.example.org/feed?a=1&b=2" htmlUrl="https://lumen.example.org/"/>
  </outline></outline>
  <outline title="Quill" text="q" type="rss" xmlurl=' http://quill.example.org/rss ' category="/writing,money"></outline>
  <outline text="again" xmlUrl="http://quill.example.org/rss" category="tips">
  <outline text="a link" type="link" url="https://x.example.org/"/>
  <outline text="bad" xmlUrl="javascript:alert(1)"/>
</body></opml>`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Subscription{
		{"Lumen & Co &e;", "https://lumen.example.org/feed?a=1&b=2", "https://lumen.example.org/", []string{"Video/Platforms"}},
		{"Quill", "http://quill.example.org/rss", "", []string{"writing", "money", "tips"}},
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("list is\n%+v, want\n%+v", list, want)
	}
}

func TestOPMLLines(t *testing.T) {
	list, err := ReadOPML(context.Background(), []byte("<?xml version=\"1.0\"?>\r\n<opml><body>\r<outline text='folder'>\n\n"+
		"<outline text='a' xmlUrl='https://a.example.org/f'/><outline\n text='b' xmlUrl='feed://b.example.org/f'/>\n"+
		"<outline text='a again' xmlUrl='https://a.example.org/f' category='x'/>\n"+
		"<outline text='none' type='rss'/>\n<outline text='empty' xmlUrl=''/>\n<outline text='bad' xmlUrl='javascript:alert(1)'/>\n"+
		"<outline text='secret' xmlUrl='ftp://me:word@c.example.org/f'/>\n<outline text='bare' xmlUrl='d.example.org:8080/f'/></outline>\n</body></opml>"))
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		line, repeats       int
		url, written, fault string
	}
	got := make([]line, len(list))
	for i, o := range list {
		got[i] = line{o.Line, o.Repeats, o.FeedURL, o.Written, o.Fault}
	}
	const none, bad = "the outline names no URL of a feed", "the outline has no URL of http or https"
	want := []line{
		{5, 0, "https://a.example.org/f", "https://a.example.org/f", ""},
		{5, 0, "http://b.example.org/f", "feed://b.example.org/f", ""},
		{7, 5, "https://a.example.org/f", "https://a.example.org/f", ""},
		{8, 0, "", "", none},
		{9, 0, "", "", none},
		{10, 0, "", "javascript:alert(1)", bad},
		{11, 0, "", "ftp://c.example.org/f", bad},
		{12, 0, "http://d.example.org:8080/f", "d.example.org:8080/f", ""},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("outlines are\n%+v, want\n%+v", got, want)
	}
	if c := list[0].Categories; !reflect.DeepEqual(c, []string{"folder", "x"}) {
		t.Errorf("the first place has the categories %q, want those of all places", c)
	}
}

func TestOPMLSchemes(t *testing.T) {
	for written, want := range map[string]string{
		"feed:https://x.example/f": "https://x.example/f", "FEED://x.example/f": "http://x.example/f", "itpc://x.example/f": "http://x.example/f",
		"pcast:https://x.example/f": "https://x.example/f", "x.example/f": "http://x.example/f", "https://x.example/f": "https://x.example/f",
		"mailto:a@x.example": "mailto:a@x.example", "/feed.xml": "/feed.xml", "": "", "a b.c/": "a b.c/", "javascript:x.y": "javascript:x.y",
	} {
		if got := webScheme(written); got != want {
			t.Errorf("webScheme(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestOPMLRoundTrip(t *testing.T) {
	list := []Subscription{
		{"A & \"B\"", "https://a.example.org/?x=1&y=2", "https://a.example.org/", []string{"Folder", "tag"}},
		{"C", "https://c.example.org/f", "", nil},
		{"D", "https://d.example.org/f", "", []string{"Folder"}},
	}
	var out bytes.Buffer
	if err := WriteOPML(&out, "My <feeds>", time.Unix(0, 0), list); err != nil {
		t.Fatal(err)
	}
	got, err := ParseOPML(context.Background(), out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := []Subscription{list[0], list[2], list[1]}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back\n%+v, want\n%+v\n%s", got, want, out.String())
	}
}

func TestOPMLRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "a feed": rssDoc(""), "text": "hello",
		"deep": "<opml>" + strings.Repeat("<outline text='x'>", 100),
		"long": "<opml>" + strings.Repeat("<outline text='x'/>", 30_000),
	} {
		if list, err := ParseOPML(context.Background(), []byte(body)); !kgl.Is(err, kgl.CodeFeedInvalid) {
			t.Errorf("%s: %d, %v", name, len(list), err)
		}
	}
}

func TestSharedOPML(t *testing.T) {
	for _, sub := range []string{"feeds/opml-cases", "feeds/opml-lists"} {
		files, feeds := 0, 0
		walkFiles(t, sharedDir(t, sub), func(path string, body []byte) {
			if !bytes.Contains(body, []byte("<opml")) {
				return
			}
			list, err := ParseOPML(context.Background(), body)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if n := bytes.Count(body, []byte(`xmlUrl="http`)); n > 0 && len(list) == 0 {
				t.Errorf("%s: no feed of %d was read", path, n)
			}
			files++
			feeds += len(list)
		})
		t.Logf("%s: %d files, %d feeds", sub, files, feeds)
	}
}
