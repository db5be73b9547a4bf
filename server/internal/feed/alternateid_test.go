package feed

import (
	"strings"
	"testing"
)

// Ids of one line are the same item; those of two lines are not.
var sameIDs = [][]string{
	{
		"http://example.org/a", "https://example.org/a", "HTTP://Example.ORG/a", "https://www.example.org/a", "https://example.org:443/a",
		"http://example.org:80/a", "https://example.org./a", "https://example.org/a/", "https://example.org/a#0", "https://example.org/a#1",
		"https://example.org/a#comments", "https://example.org/a?utm_source=rss", " https://example.org/a\n", "https://m.example.org/a",
		"https://example.org/a/?utm_medium=feed#x", "https://user:pw@example.org/a", "https://example.org/./a", "https://example.org/%61",
	},
	{"https://example.org/A"},
	{"https://example.org/a/b"},
	{"https://example.org/", "http://example.org", "https://www.example.org/#top"},
	{"https://example.org/?p=1", "http://www.example.org/?p=1", "https://example.org?p=1"},
	{"https://example.org/?p=2"},
	{"https://example.org:8443/a", "http://example.org:8443/a/"},
	{"https://example.net/a"},
	{"https://example.org/#!/a"},
	{"https://example.org/#!/b"},
	{"http://127.0.0.1/a", "https://127.0.0.1/a"},
	{"http://[2001:db8::1]/a", "https://[2001:DB8::1]:443/a/"},
	{"tag:example.org,2020:a", "TAG:Example.ORG,2020:a", "tag:example.org,2020:a#x", "tag:example.org,2020:a #x"},
	{"tag:example.org,2020:A"},
	{"tag:example.org,2020-01:a"},
	{"tag:a@example.org,2020:x", "tag:A@EXAMPLE.org,2020:x"},
	{"tag:blogger.com,1999:blog-1.post-2"},
	{"tag:github.com,2008:Repository/1/v1.0:x"},
	{"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "URN:UUID:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
		"{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}", " f81d4fae-7dec-11d0-a765-00a0c91e6bf6 "},
	{"urn:example:a123,z456", "URN:example:a123,z456", "urn:EXAMPLE:a123,z456", "urn:example:a123,z456?+abc", "urn:example:a123,z456?=xyz", "urn:example:a123,z456#789", "urn:example:a123,z456 #789"},
	{"urn:example:A123,z456"},
	{"urn:example:a123%2Cz456", "URN:EXAMPLE:a123%2cz456"},
	{"urn:isbn:9783161484100"},
}

func TestAlternateID(t *testing.T) {
	first := map[string]string{}
	for _, line := range sameIDs {
		want := AlternateID(line[0])
		if want == "" {
			t.Errorf("%q has no alternate form", line[0])
			continue
		}
		if other, taken := first[want]; taken {
			t.Errorf("%q and %q have one form: %q", line[0], other, want)
		}
		first[want] = line[0]
		for _, id := range line[1:] {
			if got := AlternateID(id); got != want {
				t.Errorf("%q is %q, but %q is %q", id, got, line[0], want)
			}
		}
	}
}

func TestAlternateIDOfOthers(t *testing.T) {
	for _, id := range []string{
		"", " ", "12345", "example.org/a", "//example.org/a", "/a", "a:b", "mailto:a@example.org", "http://", "https:///a", "http://a b/",
		"tag:", "tag:example.org:a", "tag:example.org,:a", "tag:,2020:a", "tag:example.org,2020", "tag:example.org,2020:", "tag:example.org,x:a",
		"urn:", "urn:x:a", "urn:example", "urn:example:", "urn:ex ample:a", "urn::a", "urn:example:?+a",
		"f81d4fae7dec11d0a76500a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bfg", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6-", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf}",
		"yt:video:abcdefghijk", "oai:arXiv.org:2101.00001v1",
	} {
		if got := AlternateID(id); got != "" {
			t.Errorf("%q has the alternate form %q", id, got)
		}
	}
}

// A key is never longer than the identity that it stands beside.
func TestAlternateIDIsBounded(t *testing.T) {
	long := strings.Repeat("a", 3000)
	for _, id := range []string{"https://example.org/" + long, "tag:example.org,2020:" + long, "urn:example:" + long} {
		got := AlternateID(id)
		if got == "" || len(got) > maxKey {
			t.Errorf("%.30q has a key of %d bytes", id, len(got))
		}
		if other := AlternateID(id + "b"); other == got {
			t.Errorf("%.30q has the key of another", id)
		}
	}
}

func FuzzAlternateID(f *testing.F) {
	for _, line := range sameIDs {
		f.Add(line[len(line)-1])
	}
	f.Fuzz(func(t *testing.T, id string) {
		alternate := AlternateID(id)
		if len(alternate) > maxKey {
			t.Fatalf("%q has a key of %d bytes", id, len(alternate))
		}
		if alternate != AlternateID(" "+id+"\n") {
			t.Fatalf("white space changes the form of %q", id)
		}
		// The form of a tag or a URN is one itself, and its own.
		if (strings.HasPrefix(alternate, "tag:") || strings.HasPrefix(alternate, "urn:")) && AlternateID(alternate) != alternate {
			t.Fatalf("%q becomes %q, then %q", id, alternate, AlternateID(alternate))
		}
	})
}
