package feed

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// isBlock reports whether an element starts and ends on a line of its own.
func isBlock(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Aside, atom.Header, atom.Footer, atom.Main, atom.Nav,
		atom.Blockquote, atom.Pre, atom.Ul, atom.Ol, atom.Li, atom.Dl, atom.Dt, atom.Dd, atom.Table, atom.Tr,
		atom.Caption, atom.Thead, atom.Tbody, atom.Tfoot, atom.Figure, atom.Figcaption, atom.Hr, atom.Details,
		atom.Summary, atom.Center, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hgroup, atom.Form:
		return true
	}
	return false
}

// isParagraph reports whether a block is set off by an empty line.
func isParagraph(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Blockquote, atom.Pre, atom.Ul, atom.Ol, atom.Dl, atom.Table, atom.Figure, atom.Hr,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return true
	}
	return false
}

// textBuilder collects plain text from HTML: white space collapses, blocks
// stand on their own lines, paragraphs are set off by one empty line,
// preformatted text keeps its white space.
type textBuilder struct {
	b       []byte
	max     int // bytes
	breaks  int // newlines that are due before the next text
	space   bool
	pre     int
	started bool
}

func (t *textBuilder) String() string { return string(bytes.TrimSpace(t.b)) }

func (t *textBuilder) open(a atom.Atom) {
	switch {
	case a == atom.Pre:
		t.pre++
		t.breaks = max(t.breaks, 2)
	case a == atom.Br:
		t.breaks = min(t.breaks+1, 2)
	case a == atom.Td || a == atom.Th:
		t.space = true
	default:
		t.edge(a)
	}
}

func (t *textBuilder) close(a atom.Atom) {
	if a == atom.Pre {
		t.pre--
	}
	if a == atom.Td || a == atom.Th {
		t.space = true
	}
	t.edge(a)
}

func (t *textBuilder) edge(a atom.Atom) {
	switch {
	case isParagraph(a):
		t.breaks = max(t.breaks, 2)
	case isBlock(a):
		t.breaks = max(t.breaks, 1)
	}
}

func (t *textBuilder) write(s string) { writeText(t, s) }

func (t *textBuilder) writeBytes(s []byte) { writeText(t, s) }

func writeText[T string | []byte](t *textBuilder, s T) {
	for len(s) > 0 && len(t.b) < t.max {
		// Most of a text is visible ASCII, which goes over as a whole.
		if run := visibleRun(s); run > 0 {
			t.glue()
			if room := max(1, t.max-len(t.b)); run > room {
				if run = room; s[run-1] == ' ' {
					run++ // a space stands before something only
				}
			}
			t.b = append(t.b, s[:run]...)
			s = s[run:]
			continue
		}
		r, size := decodeRune(s)
		s = s[size:]
		switch {
		case r == '\u00AD' || r == '\u200B' || r == '\uFEFF': // soft hyphen, zero-width space
		case t.pre > 0 && r == '\n':
			t.breaks++
		case unicode.IsSpace(r):
			t.space = true
		case !unicode.IsControl(r):
			t.glue()
			t.b = utf8.AppendRune(t.b, r)
		}
	}
}

func decodeRune[T string | []byte](s T) (rune, int) {
	if s[0] < utf8.RuneSelf {
		return rune(s[0]), 1
	}
	return utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
}

// visibleRun returns the length of the words of visible ASCII, with one space
// between two of them, that a text begins with.
func visibleRun[T string | []byte](s T) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c > ' ' && c < 0x7f {
			continue
		}
		if c != ' ' || i == 0 {
			return i
		}
		if i+1 == len(s) || s[i+1] <= ' ' || s[i+1] >= 0x7f {
			return i
		}
	}
	return len(s)
}

// glue writes the white space that is due before a character.
func (t *textBuilder) glue() {
	switch {
	case !t.started:
		t.started = true
	case t.breaks > 0:
		t.b = append(t.b, "\n\n"[:min(t.breaks, 2)]...)
	case t.space:
		t.b = append(t.b, ' ')
	}
	t.breaks, t.space = 0, false
}

// plainLine returns the text of a title or a name as one line of at most limit
// runes: tags are removed, references decoded, white space collapses. What
// only looks like a tag ("a < b", "List<String>") stays.
func plainLine(s string, limit int) string {
	if len(s) > 16*limit+4096 {
		s = strings.ToValidUTF8(s[:16*limit+4096], "")
	}
	switch {
	case strings.IndexByte(s, '<') >= 0:
		s = stripTags(dropSections(s))
	case strings.IndexByte(s, '&') >= 0:
		s = html.UnescapeString(s)
	}
	return clip(collapse(s), limit)
}

// sections removes what is left of CDATA sections that were escaped.
var sections = strings.NewReplacer("<![CDATA[", "", "]]>", "")

func dropSections(s string) string {
	if strings.Contains(s, "<![CDATA[") {
		return sections.Replace(s)
	}
	return s
}

func stripTags(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	hidden := 0 // inside of an element whose text is not for readers
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if hidden == 0 {
				b.WriteString(html.UnescapeString(string(z.Raw())))
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			raw := string(z.Raw())
			t := z.Token()
			if !isTag(t) {
				b.WriteString(raw)
				continue
			}
			switch t.DataAtom {
			case atom.Script, atom.Style:
				if t.Type == html.StartTagToken {
					hidden++
				} else if t.Type == html.EndTagToken && hidden > 0 {
					hidden--
				}
			case atom.Br:
				b.WriteByte(' ')
			default:
				if isBlock(t.DataAtom) {
					b.WriteByte(' ')
				}
			}
		}
	}
}

// isTag reports whether something in angle brackets is meant as markup: a name
// that HTML knows, or attributes.
func isTag(t html.Token) bool {
	if len(t.Attr) > 0 || strings.ContainsAny(t.Data, ":-") {
		return true
	}
	if t.DataAtom != 0 {
		return true
	}
	switch t.Data {
	case "svg", "math", "circle", "path", "g":
		return true
	}
	return false
}

// dropControls removes control characters other than tabs and line breaks.
func dropControls(s string) string {
	if !mayHoldControls(s) && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return -1
		}
		return r
	}, s)
}

// mayHoldControls reports whether a text has a byte that dropControls removes, or
// the one that those of more than one byte begin with.
func mayHoldControls[T string | []byte](s T) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f || c == 0xc2 {
			return true
		}
	}
	return false
}

// clean returns plain text: control characters removed, white space in lines
// collapsed, at most one empty line in a row, at most limit bytes.
func clean(s string, limit int) string {
	t := textBuilder{max: limit}
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			t.breaks++
		}
		t.write(line)
	}
	return t.String()
}

// collapse makes one line of a text.
func collapse(s string) string {
	t := textBuilder{max: len(s) + 1}
	t.write(s)
	return t.String()
}

// clip cuts a text to at most limit runes, at the end of a word where one is
// near, and marks the cut with an ellipsis.
func clip(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	end := 0
	for range limit - 1 {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	s = s[:end]
	if i := strings.LastIndexFunc(s, unicode.IsSpace); i > len(s)*4/5 {
		s = s[:i]
	}
	return strings.TrimRightFunc(s, unicode.IsSpace) + "…"
}

// wordCount counts words: runs of letters and digits, and each character of the
// scripts that write without spaces.
func wordCount(s string) int {
	n, in := 0, false
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			i++
			word := asciiFold[c] > ' ' || in && c == '\''
			if word && !in {
				n++
			}
			in = word
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
			n++
			in = false
		case unicode.IsLetter(r) || unicode.IsDigit(r) || in && (r == '’' || unicode.IsMark(r)):
			if !in {
				n++
			}
			in = true
		default:
			in = false
		}
	}
	return n
}

// isASCIIWord reports whether a character of ASCII is a letter or a digit.
func isASCIIWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// htmlText returns the text of HTML that has not been sanitised, at most limit
// bytes.
func htmlText(s string, limit int) string {
	t := textBuilder{max: limit}
	z := html.NewTokenizer(strings.NewReader(s))
	hidden := 0
	for len(t.b) < limit {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			return t.String()
		case html.TextToken:
			if hidden == 0 {
				t.writeBytes(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			switch {
			case isHiddenHTML(a):
				if kind == html.StartTagToken {
					hidden++
				} else if kind == html.EndTagToken && hidden > 0 {
					hidden--
				}
			case kind == html.EndTagToken:
				t.close(a)
			default:
				t.open(a)
			}
		}
	}
	return t.String()
}

// isHiddenHTML reports whether the text of an element is not for readers.
func isHiddenHTML(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Template, atom.Iframe, atom.Noscript, atom.Object, atom.Textarea, atom.Title, atom.Head:
		return true
	}
	return false
}
