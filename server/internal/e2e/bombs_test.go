package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// bomb is a document that is built, or happens, to be dear to read.
type bomb struct {
	name     string
	body     []byte
	encoding string // Content-Encoding
}

// bombs returns documents of a size in bytes, which is that of the wire or of
// what they unpack to. %d stands for a number that makes each answer another one.
func bombs(size int) []bomb {
	const head = `<?xml version="1.0"?><!-- %020d --><rss version="2.0"><channel><title>Large</title>`
	const tail = `</channel></rss>`
	item := func(head, unit, tail string) string { return head + strings.Repeat(unit, size/len(unit)) + tail }
	rss := func(open, unit, end string) []byte { return []byte(item(head+open, unit, end+tail)[:]) }
	var usual strings.Builder
	for n := 0; usual.Len() < size; n++ {
		fmt.Fprintf(&usual, `<item><guid>%d</guid><title>Item %d</title><description>&lt;p&gt;Words of item %d and &lt;b&gt;more of them&lt;/b&gt;&lt;/p&gt;</description></item>`, n, n, n)
	}
	json := `{"version":"https://jsonfeed.org/version/1.1","title":"%020d",`
	wide := []byte{0xff, 0xfe}
	for _, c := range []byte(head + usual.String()[:size/2] + tail) {
		wide = append(wide, c, 0)
	}
	list := []bomb{
		{name: "many items", body: []byte(head + usual.String() + tail)},
		{name: "one text", body: rss("<item><title>t</title><description>", "word and word ", "</description></item>")},
		{name: "one page", body: rss("<item><title>t</title><description><![CDATA[", `<p><b>w</b><i x="1">`, "]]></description></item>")},
		{name: "escaped page", body: rss("<item><title>t</title><description>", "&lt;p&gt;&lt;b&gt;w&lt;/b&gt;", "</description></item>")},
		{name: "damage", body: rss("", "<item><title>a & b<p>x<br></title>", "")},
		{name: "depth", body: rss("<item>", "<a>", "")},
		{name: "attributes", body: rss("<item", ` a="b"`, "/>")},
		{name: "categories", body: rss("<item>", "<category>c</category>", "</item>")},
		{name: "enclosures", body: rss("<item>", `<enclosure url="http://a/b" type="a/b" length="1"/>`, "</item>")},
		{name: "entities", body: rss("<item><description>", "&nbsp;&auml;&odd;", "</description></item>")},
		{name: "JSON items", body: []byte(item(json+`"items":[`, `{"id":"1","content_text":"a"},`, `{"id":"z"}]}`))},
		{name: "JSON depth", body: []byte(item(json+`"x":`, "[", ""))},
		{name: "JSON arrays", body: []byte(item(json+`"x":[`, "[],", `1],"items":[]}`))},
		{name: "UTF-16", body: wide},
		{name: "windows-1252", body: []byte(strings.Replace(item(head+"<item><description>", "gr\xe4\xdf ", "</description></item>"+tail), `"1.0"`, `"1.0" encoding="windows-1252"`, 1))},
	}
	zeros := []byte(item(head+"<item><description>", strings.Repeat(" ", 1<<10), "</description></item>"+tail))
	return append(list,
		bomb{name: "packed", body: packed(zeros), encoding: "gzip"},
		bomb{name: "packed far over the limit", body: packed(bytes.Repeat(zeros, 20)), encoding: "gzip"},
		bomb{name: "gzip file", body: packed(zeros)},
		bomb{name: "gzip file far over the limit", body: packed(bytes.Repeat(zeros, 20))},
	)
}

func packed(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

// serve answers with the bomb, another one each time where it is not packed.
func (b bomb) serve(count *atomic.Int64) http.HandlerFunc {
	at := bytes.Index(b.body, []byte("%020d"))
	return func(w http.ResponseWriter, _ *http.Request) {
		n := count.Add(1)
		w.Header().Set("Content-Type", "application/xml")
		if b.encoding != "" {
			w.Header().Set("Content-Encoding", b.encoding)
		}
		if at < 0 {
			_, _ = w.Write(b.body)
			return
		}
		_, _ = w.Write(b.body[:at])
		_, _ = fmt.Fprintf(w, "%020d", n)
		_, _ = w.Write(b.body[at+5:])
	}
}
