package feed

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// sanitiseAt sanitises with a base URL, and one bound for HTML and text.
func sanitiseAt(src, base string, maxBytes int) (safe, text string) {
	s := sanitise(src, newResolver(base), maxBytes, maxBytes)
	return s.html, s.text
}

func TestSanitise(t *testing.T) {
	for src, want := range map[string]string{
		`<p onclick="x()">a</p>`:                                      `<p>a</p>`,
		`<p>a<p>b`:                                                    `<p>a</p><p>b</p>`,
		`<ul><li>a<li>b</ul>c`:                                        `<ul><li>a</li><li>b</li></ul>c`,
		`<b>a</i></b></div>`:                                          `<b>a</b>`,
		`<script>x()</script><style>p{}</style>a`:                     `a`,
		`<a href="javascript:x()">a</a>`:                              `a`,
		`<a href="/x?a=1&b=2">a</a>`:                                  `<a href="https://e.example.org/x?a=1&amp;b=2" rel="nofollow noreferrer">a</a>`,
		`<a href="mailto:a@example.org">a</a>`:                        `<a href="mailto:a@example.org" rel="nofollow noreferrer">a</a>`,
		`<a href="ftp://example.org/">a</a>`:                          `a`,
		`<img src="x.png" onerror=x() width=1 height=1>`:              ``,
		`<img title="t" src="x.png" alt="a">`:                         `<img alt="a" src="https://e.example.org/d/x.png" title="t">`,
		`<img src="data:image/png;base64,AAAA">`:                      ``,
		`<p id="x" name="y" class="z" style="color:red" lang="en">a`:  `<p lang="en">a</p>`,
		`<iframe src="https://e.example.org/"></iframe><form><input>`: ``,
		`<svg><script>x()</script></svg><math><mi>`:                   ``,
		`a &lt; b &amp; "c" 'd' &#60;script&#62;`:                     `a &lt; b &amp; "c" 'd' &lt;script&gt;`,
		`<table><tr><td>a<td>b</table>`:                               `<table><tr><td>a</td><td>b</td></tr></table>`,
	} {
		got, _ := sanitiseAt(src, "https://e.example.org/d/", 1<<20)
		if got != want {
			t.Errorf("sanitiseAt(%q)\n is   %q\n want %q", src, got, want)
		}
		if again, _ := sanitiseAt(got, "https://e.example.org/d/", 1<<20); again != got {
			t.Errorf("sanitiseAt(%q) again is %q", got, again)
		}
	}
}

func TestSanitiseBounds(t *testing.T) {
	for _, src := range []string{strings.Repeat("&lt;&amp;", 10_000), strings.Repeat("<b>x", 10_000), strings.Repeat("<p>grüße</p>", 5_000), strings.Repeat(`"<a href='/x'>`, 5_000), strings.Repeat("<", 30_000)} {
		for _, limit := range []int{100, 1000, 20_000} {
			got, text := sanitiseAt(src, "https://e.example.org/", limit)
			if len(got) > limit || len(text) > limit+8 || !utf8.ValidString(got) {
				t.Errorf("%.20q with limit %d: %d bytes of HTML, %d of text", src, limit, len(got), len(text))
			}
			if again, _ := sanitiseAt(got, "https://e.example.org/", limit); again != got {
				a, b := firstDifference(got, again)
				t.Errorf("%.20q with limit %d: again\n%q\n%q", src, limit, a, b)
			}
		}
	}
}

func TestPlainText(t *testing.T) {
	for src, want := range map[string]string{
		"<p>One  two\n three</p><p>four<br>five</p>":     "One two three\n\nfour\nfive",
		"<ul><li>a</li><li>b</li></ul>c":                 "a\nb\n\nc",
		"<td>a</td><td>b</td>":                           "a b",
		"in<b>si</b>de <i>and</i> out":                   "inside and out",
		"<pre>a\n  b</pre>":                              "a\nb",
		"&eacute;&nbsp;&#8217;x&#8217;":                  "é ’x’",
		"a<script>hidden</script><style>hidden</style>b": "ab",
		"<h1>Title</h1>text":                             "Title\n\ntext",
		"<div><div><div>x</div></div></div><div>y</div>": "x\ny",
		"<p></p><p> </p><p>a</p><p></p><p>b</p>":         "a\n\nb",
	} {
		if _, got := sanitiseAt(src, "", 1<<20); got != want {
			t.Errorf("the text of %q is %q, want %q", src, got, want)
		}
	}
}

// active matches what would run or load in a page.
var active = regexp.MustCompile(`(?i)<\s*/?\s*(script|style|iframe|object|embed|form|input|svg|math|link|meta|base|frame|applet|video|audio|template|noscript|textarea|title|xml|plaintext|xmp|button|select)\b`)

func checkSafe(t *testing.T, src, out string) {
	t.Helper()
	if active.MatchString(out) {
		t.Errorf("%.200q keeps an active element: %.200q", src, out)
	}
	z := html.NewTokenizer(strings.NewReader(out))
	for z.Next() != html.ErrorToken {
		for _, a := range z.Token().Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "id", a.Key == "srcset", a.Key == "formaction":
				t.Errorf("%.200q keeps the attribute %s: %.200q", src, a.Key, out)
			case a.Key == "href" || a.Key == "src" || a.Key == "cite":
				if !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "mailto:") {
					t.Errorf("%.200q keeps the link %q", src, a.Val)
				}
			}
		}
	}
}

func TestSharedXSS(t *testing.T) {
	dir := sharedDir(t, "vectors")
	var payloads []string
	var blue []struct{ In string }
	for _, name := range []string{"bluemonday/sanitize_test.json", "miniflux-sanitizer/sanitizer.json"} {
		blue = nil
		readJSON(t, filepath.Join(dir, name), &blue)
		for _, c := range blue {
			payloads = append(payloads, c.In)
		}
	}
	var dom []struct{ Payload string }
	readJSON(t, filepath.Join(dir, "dompurify/expect.json"), &dom)
	for _, c := range dom {
		payloads = append(payloads, c.Payload)
	}
	var owasp []any
	readJSON(t, filepath.Join(dir, "owasp-xss-evasion/payloads.json"), &owasp)
	for _, c := range owasp {
		switch c := c.(type) {
		case string:
			payloads = append(payloads, c)
		case map[string]any:
			for _, v := range c {
				if s, ok := v.(string); ok {
					payloads = append(payloads, s)
				}
			}
		}
	}
	if len(payloads) < 900 {
		t.Fatalf("only %d payloads", len(payloads))
	}
	for _, p := range payloads {
		out, _ := sanitiseAt(p, "https://e.example.org/", 1<<20)
		checkSafe(t, p, out)
		if again, _ := sanitiseAt(out, "https://e.example.org/", 1<<20); again != out {
			a, b := firstDifference(out, again)
			t.Errorf("%.200q: again\n%q\n%q", p, a, b)
		}
	}
	t.Logf("%d payloads", len(payloads))
}
