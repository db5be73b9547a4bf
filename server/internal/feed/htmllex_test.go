package feed

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// tokensOf lists what a standard tokenizer finds in HTML.
func tokensOf(src string) (list []string) {
	z := html.NewTokenizer(strings.NewReader(src))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return list
		case html.TextToken:
			list = append(list, fmt.Sprintf("text %q", html.UnescapeString(string(z.Raw()))))
		case html.EndTagToken:
			list = append(list, "end "+z.Token().Data)
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			one := "start " + t.Data
			for _, a := range t.Attr {
				one += fmt.Sprintf(" %s=%q", a.Key, a.Val)
			}
			list = append(list, one)
		default:
			list = append(list, "other "+z.Token().String())
		}
	}
}

// lexed lists what htmlLexer finds.
func lexed(src string) (list []string) {
	lx := htmlLexer{src: []byte(src)}
	for lx.next() {
		switch {
		case lx.name == nil:
			list = append(list, fmt.Sprintf("text %q", html.UnescapeString(string(lx.text))))
		case lx.end:
			list = append(list, "end "+string(lx.name))
		default:
			one := "start " + string(lx.name)
			for _, a := range lx.attrs {
				one += fmt.Sprintf(" %s=%q", a.key, a.value)
			}
			list = append(list, one)
		}
	}
	return list
}

// TestHTMLLexer checks what is not of the policy's form: it is text.
func TestHTMLLexer(t *testing.T) {
	for _, src := range []string{
		"<", "<>", "</>", "< p>", "<p", "<p title", "<p title=x>", `<p title="x`, `<p title="x"`, `<p title='x'>`, "<!-- x -->", "<?x?>", "<P>", `<p  a="b">`, `</p a="b">`, `<p a"b="c">`, `<p ="c">`,
	} {
		if have := lexed(src); len(have) != 1 || have[0] != fmt.Sprintf("text %q", src) {
			t.Errorf("%s is read as %q", src, have)
		}
	}
	if have, want := strings.Join(lexed(`a<b lang="de" data-x="1&amp;2">c</b><br/>&lt;`), "|"), `text "a"|start b lang="de" data-x="1&2"|text "c"|end b|start br|text "<"`; have != want {
		t.Errorf("read as %s, want %s", have, want)
	}
}

// FuzzPolicyForm checks that the policy writes the one form that htmlLexer
// reads: a standard tokenizer finds the same.
func FuzzPolicyForm(f *testing.F) {
	for _, s := range []string{
		`<p title="a&quot;>b" onclick=x>c &lt; d<br><a href="/x?a=1&b=2">e</a>`, `<svg><style><img src=x onerror=x()>`, `<textarea><b></textarea><title><i></title><xmp><p></xmp>`,
		`<plaintext><p>`, `<a title='x"y' href='z'>`, "<p\x00 a\x00=b>", `<img src=x alt="<b>">`, `<math><mi//xlink:href="data:x">`, `<noscript><p title="</noscript><img src=x>">`, "&#13;&#10;&amp;amp;\r\n",
		`<table><caption><details open><summary><time datetime="2026-01-01"><q cite="http://e.example.org/"><ol start=3 type=a><li value=4>`, `<iframe><b></iframe><noembed><i></noembed><script><u></script>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		out := policy.Sanitize(src)
		have, want := strings.Join(lexed(out), "\n"), strings.Join(tokensOf(out), "\n")
		if have != want {
			t.Fatalf("%q becomes %q, read as\n%s\nwant\n%s", src, out, have, want)
		}
	})
}
