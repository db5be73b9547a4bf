package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The functions that every character of every item goes through have shortcuts
// for ASCII. Here is what they mean, one character after the other.

func plainWrite(t *textBuilder, s string) {
	for _, r := range s {
		if len(t.b) >= t.max {
			return
		}
		switch {
		case r == '\u00AD' || r == '\u200B' || r == '\uFEFF':
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

func plainDropControls(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return -1
		}
		return r
	}, s)
}

func plainWordCount(s string) int {
	n, in := 0, false
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
			n++
			in = false
		case unicode.IsLetter(r) || unicode.IsDigit(r) || in && (r == '\'' || r == '’' || unicode.IsMark(r)):
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

func plainTextHash(text string) string {
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(unicode.ToLower(r))
		case r != '\'' && r != '’':
			space = true
		}
	}
	if utf8.RuneCountInString(b.String()) < minHashedText {
		return ""
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

func plainContentHash(it *Item) string {
	h := sha256.New()
	field := func(parts ...string) {
		for _, p := range parts {
			_, _ = io.WriteString(h, p+"\x00")
		}
		_, _ = io.WriteString(h, "\x00")
	}
	field("v1", it.Title, firstText(it.CanonicalURL, it.URL), it.Summary, strings.Join(strings.Fields(it.ContentHTML), " "))
	for _, a := range it.Authors {
		field("author", a.Name, a.Email, a.URL)
	}
	categories := slices.Clone(it.Categories)
	slices.Sort(categories)
	field(categories...)
	for _, e := range it.Enclosures {
		field("enclosure", e.URL, e.Type)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func FuzzShortcuts(f *testing.F) {
	for _, text := range []string{
		"", "One  two\n\tthree", "it's don't 'x' a’b ’c", "Grüße, 世界 and ไทย", "a\u00adb\u200bc\ufeff", "\x00a\x1fb\x7f\u0085c\u009f", "\xffa\xc2",
		"é\u0301 \u0660\u0661 A\u030a", strings.Repeat("Some WORDS of Text 42, ", 8), strings.Repeat("Ünïcode ", 20), "\u00a0\u2028\u3000x",
	} {
		f.Add(text, 5, true)
		f.Add(text, 1000, false)
	}
	f.Fuzz(func(t *testing.T, text string, limit int, pre bool) {
		fast, plain := textBuilder{max: limit}, textBuilder{max: limit}
		if pre {
			fast.pre, plain.pre = 1, 1
		}
		for _, part := range []string{text, " ", text} {
			fast.write(part)
			plainWrite(&plain, part)
		}
		if string(fast.b) != string(plain.b) || fast.breaks != plain.breaks || fast.space != plain.space {
			t.Errorf("write(%q): %q, want %q", text, string(fast.b), string(plain.b))
		}
		if got, want := dropControls(text), plainDropControls(text); got != want {
			t.Errorf("dropControls(%q): %q, want %q", text, got, want)
		}
		if got, want := wordCount(text), plainWordCount(text); got != want {
			t.Errorf("wordCount(%q): %d, want %d", text, got, want)
		}
		for _, long := range []string{text, strings.Repeat(text, 20)} {
			if got, want := textHash(long), plainTextHash(long); got != want {
				t.Errorf("textHash(%q): %s, want %s", long, got, want)
			}
		}
		it := &Item{Title: text, ContentHTML: text + " " + text, Categories: []string{text, "a"}, Authors: []Author{{Name: text}}}
		if got, want := contentHash(it), plainContentHash(it); got != want {
			t.Errorf("contentHash of %q: %s, want %s", text, got, want)
		}
	})
}
