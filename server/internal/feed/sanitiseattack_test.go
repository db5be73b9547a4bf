package feed

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// attackParts are what mutations of markup are made of: elements whose content
// is read in another way, that are moved or closed by others, and what an
// attacker would hide in them. A byte of a fuzzer's input is one of them.
var attackParts = []string{
	"<script>x()</script>", "<img src=x onerror=x()>", "<svg>", "</svg>", "<math>", "</math>", "<mtext>", "<mglyph>", "<malignmark>", "<style>", "</style>",
	"<title>", "</title>", "<textarea>", "</textarea>", "<noscript>", "</noscript>", "<xmp>", "</xmp>", "<iframe>", "</iframe>", "<noembed>", "</noembed>",
	"<template>", "</template>", "<plaintext>", "<table>", "</table>", "<caption>", "<tr>", "<td>", "</td>", "<select>", "</select>", "<option>", "<form>", "</form>",
	"<p title='", "<p title=\"", "<p title=`", "'>", "\">", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "<?", "?>", "<a href='javascript:x()'>", "<a href=https://e.example.org/ onclick=x()>",
	"</a>", "<b", "/", "<", ">", "\"", "'", "=", " ", "\n", "\x00", "&lt;", "&gt;", "&quot;", "&#39;", "&amp;", "&#0;", "&#x3c;", "&lt", "on", "x()", "<foreignObject>", "<annotation-xml encoding=text/html>",
	"<p>", "</p>", "<br>", "<li>", "<ul>", "<details open>", "<ruby><rt>", "<desc>", "<object>", "<embed src=x>", "<base href=//e>", "<meta http-equiv=refresh content=0>", "<link rel=stylesheet href=x>",
	"<img width=1px height=1px src=/p>", "<IMG SRC=/P>", "é", "\xff", "<div id=x name=y style='background:url(x)'>", "</div>", "text",
}

// checkTree checks what a browser would build of HTML, in the way of a browser.
func checkTree(t *testing.T, src, out string) {
	t.Helper()
	for _, context := range []*html.Node{
		{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}, {Type: html.ElementNode, Data: "div", DataAtom: atom.Div},
		{Type: html.ElementNode, Data: "td", DataAtom: atom.Td}, {Type: html.ElementNode, Data: "template", DataAtom: atom.Template},
	} {
		nodes, err := html.ParseFragment(strings.NewReader(out), context)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", src, out, err)
		}
		for _, root := range nodes {
			for n := range root.Descendants() {
				checkNode(t, src, out, n)
			}
			checkNode(t, src, out, root)
		}
	}
}

func checkNode(t *testing.T, src, out string, n *html.Node) {
	t.Helper()
	if n.Type == html.TextNode {
		return
	}
	if n.Type != html.ElementNode || n.Namespace != "" || active.MatchString("<"+n.Data+" ") || n.DataAtom == 0 {
		t.Fatalf("%q becomes %q with %s", src, out, n.Data)
	}
	for _, a := range n.Attr {
		switch a.Key {
		case "href", "src", "cite":
			if !strings.HasPrefix(a.Val, "http://") && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "mailto:") {
				t.Fatalf("%q becomes %q with %s=%q", src, out, a.Key, a.Val)
			}
		case "style", "id", "name", "class", "srcset", "target", "ping", "background", "action", "formaction", "usemap", "poster", "data":
			t.Fatalf("%q becomes %q with %s", src, out, a.Key)
		}
		if strings.HasPrefix(a.Key, "on") || a.Namespace != "" || strings.ContainsAny(a.Key, ":<>\"'") {
			t.Fatalf("%q becomes %q with %s", src, out, a.Key)
		}
	}
}

// FuzzSanitiseAttack puts parts of attacks together (case 30), and holds the
// result to what a browser's parser makes of it, to being stable (case 31) and
// to what may stay.
func FuzzSanitiseAttack(f *testing.F) {
	for i := range attackParts {
		f.Add([]byte{byte(i), byte(i + 1), byte(i + 2), 1, byte(i), 0})
	}
	f.Fuzz(func(t *testing.T, picks []byte) {
		var b strings.Builder
		for _, p := range picks[:min(len(picks), 40)] {
			b.WriteString(attackParts[int(p)%len(attackParts)])
		}
		src := b.String()
		out, _ := sanitiseAt(src, "https://e.example.org/", 1<<16)
		checkSafe(t, src, out)
		checkTree(t, src, out)
		if again, _ := sanitiseAt(out, "https://e.example.org/", 1<<16); again != out {
			t.Fatalf("%q\nbecomes %q\nthen %q", src, out, again)
		}
	})
}

// Pictures of one pixel count readers; they are dropped in every way of saying
// that they are small, and others keep their size.
func TestTrackingPixels(t *testing.T) {
	for src, want := range map[string]string{
		`<img src="/p" width="1" height="1">`:       ``,
		`<img src="/p" width="1px" height="1px">`:   ``,
		`<img src="/p" width=" 1 PX ">`:             ``,
		`<img src="/p" height="0">`:                 ``,
		`<img src="/p" width="0px">`:                ``,
		`<img src="/p" width="2px" height="30PX">`:  `<img height="30" src="https://e.example.org/p" width="2">`,
		`<img src="/p" width="100%" height="auto">`: `<img src="https://e.example.org/p" width="100%">`,
		`<img src="/p" width="1.5em">`:              `<img src="https://e.example.org/p">`,
		`<img src="/p" width="1px;x:y">`:            `<img src="https://e.example.org/p">`,

		`<img src="/p" style="width:1px;height:1px">`:                     ``,
		`<IMG SRC="/p" STYLE=" border: 0; MAX-HEIGHT : 1PX !important ">`: ``,
		`<img src="/p" style="height:0">`:                                 ``,
		`<img src="/p" style="width:.5px;">`:                              ``,
		`<img src="/p" style="color:red;display:none">`:                   ``,
		`<img src="/p" style="width:1&#112;x">`:                           ``,
		`<img src="/p" style="width:10px;height:1em;border-width:1px">`:   `<img src="https://e.example.org/p">`,
		`<img src="/p" style="width:100%;max-width:1.5px">`:               `<img src="https://e.example.org/p">`,
		`<img src="/p" style="width:1%">`:                                 `<img src="https://e.example.org/p">`,
		`<img src="/p" style="line-height:1;min-height:0">`:               `<img src="https://e.example.org/p">`,
		`<p style="display:none">text</p>`:                                `<p>text</p>`,
	} {
		if got, _ := sanitiseAt(src, "https://e.example.org/", 1<<16); got != want {
			t.Errorf("%s becomes %s, want %s", src, got, want)
		}
	}
}
