package neardup

import (
	"strings"
	"testing"
)

const story = `The council of Fenton voted on Tuesday to keep the old library open for another five years. Members said that the house, which was built in 1921,
needs a new roof, and that the town will pay 40,000 for it. "We could not let it go", said Mara Holm, who leads the council. Readers had collected signatures for months.
The vote was close. Those against it asked for a new house near the station, with room for a cinema and a cafe. A decision on that is expected in spring.`

// same compares two articles with a title each.
func same(t *testing.T, aTitle, a, bTitle, b string) Verdict {
	t.Helper()
	v, w := Compare(Read(aTitle, a), Read(bTitle, b)), Compare(Read(bTitle, b), Read(aTitle, a))
	if v.Same != w.Same {
		t.Errorf("one way %+v, the other way %+v", v, w)
	}
	return v
}

func TestSameArticle(t *testing.T) {
	words := strings.Fields(story)
	for name, copied := range map[string]string{
		"itself":        story,
		"other case":    strings.ToUpper(story),
		"agency's line": "FENTON (Agency) - " + story,
		"footer":        story + "\n\nThe post Library stays open appeared first on Fenton Daily.",
		"teaser":        strings.Join(words[:45], " ") + " […]",
		"one sentence":  strings.Replace(story, "The vote was close. ", "", 1),
		"edited word":   strings.Replace(story, "collected", "gathered", 1),
		"number form":   strings.Replace(story, "40,000", "40000", 1),
		"apostrophe":    strings.Replace(story, "could not", "couldn’t", 1),
	} {
		if v := same(t, "Library stays open", story, "Library stays open", copied); !v.Same || v.Score < minScore || v.Score > 1 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := same(t, "Library stays open", story, "Five more years for the readers of Fenton", story); !v.Same || v.Score != 1 {
		t.Errorf("another headline: %+v", v)
	}
}

func TestAnotherArticle(t *testing.T) {
	for name, other := range map[string]string{
		"another number":     strings.Replace(story, "40,000", "60,000", 1),
		"another name":       strings.Replace(story, "Mara Holm", "Ida Berg", 1),
		"part of a name":     strings.Replace(story, "Mara Holm", "Mara Berg", 1),
		"another text":       strings.Repeat("Rain is expected in the north, wind in the south, and some sun in the west. ", 8),
		"too short":          "The council of Fenton voted on Tuesday to keep the old library open.",
		"nothing":            "",
		"only its beginning": "The council of Fenton voted on Tuesday to keep the old library open for another five years. " + strings.Repeat("But that is not what this is about at all, which is the weather. ", 9),
	} {
		if v := same(t, "Library stays open", story, "Library stays open", other); v.Same {
			t.Errorf("%s: %+v", name, v)
		}
	}
	// One word differs in the text, and the same one in the titles.
	if v := same(t, "A grant for writers", story, "A grant for painters", strings.Replace(story, "Readers", "Painters", 1)); !v.Same {
		t.Errorf("the word of the title is no word of the text: %+v", v)
	}
	if v := same(t, "A vote of readers", story, "A vote of painters", strings.Replace(story, "Readers", "Painters", 1)); v.Same {
		t.Errorf("another thing by its title: %+v", v)
	}
}

// Scripts without spaces are compared by character.
func TestScriptsWithoutSpaces(t *testing.T) {
	const chinese = `市议会周二投票决定让老图书馆再开放五年。议员们表示，这座建于1921年的建筑需要新的屋顶，该市将为此支付四万元。读者们数月来一直在收集签名。投票结果非常接近。反对者要求在车站附近建一座新房子，里面有电影院和咖啡馆。预计春季将作出决定。`
	if n := Read("", chinese).Words(); n < 45 || n > 75 {
		t.Errorf("%d words", n)
	}
	if v := same(t, "图书馆继续开放", chinese, "图书馆继续开放", "【本报讯】"+chinese+"阅读全文"); !v.Same {
		t.Errorf("with a frame: %+v", v)
	}
	if v := same(t, "图书馆继续开放", chinese, "图书馆继续开放", strings.Replace(chinese, "1921", "1931", 1)); v.Same {
		t.Errorf("another year: %+v", v)
	}
}

func TestKeys(t *testing.T) {
	a, ok := Read("", story).Keys()
	if !ok {
		t.Fatal("no keys")
	}
	if b, _ := Read("Another title", "  "+strings.ToUpper(story)).Keys(); a != b {
		t.Errorf("%v and %v", a, b)
	}
	if _, ok := Read("", strings.Repeat("word ", MinWords-1)).Keys(); ok {
		t.Error("keys of a text that is too short")
	}
	if _, ok := Read("", strings.Repeat("word ", MinWords)).Keys(); !ok {
		t.Error("no keys of a text that is long enough")
	}
	// The keys are stored: whoever changes them must make those in databases anew
	// (see KeysVersion).
	if KeysVersion != 1 || a[0] != -1794120811211297990 {
		t.Errorf("the keys are %d, with version %d", a, KeysVersion)
	}
}

func TestTokens(t *testing.T) {
	kinds := func(text string) (list []string) {
		for _, tok := range tokenise(text, 1000) {
			s := "word"
			switch {
			case tok.is(number):
				s = "number"
			case tok.is(name):
				s = "name"
			case tok.is(ideogram):
				s = "ideogram"
			case tok.is(letter):
				s = "letter"
			}
			list = append(list, s)
		}
		return list
	}
	for text, want := range map[string]string{
		"A man met Ann.":               "word word word name",
		"He left. Ann stayed, Bo too.": "word word word word name word",
		"v1.2.3 costs 5,000.50":        "number word number",
		"at 12:30, on 5 May":           "word number word number name",
		"don’t, don't":                 "word word",
		"図書館 ไทย":                      "ideogram ideogram ideogram letter letter letter",
		"Привет, Анна":                 "word name",
		"a\xff\xfeb \x00":              "word word",
		"":                             "",
	} {
		if have := strings.Join(kinds(text), " "); have != want {
			t.Errorf("%q: %s, want %s", text, have, want)
		}
	}
	if len(tokenise(strings.Repeat("x ", 5000), 100)) != 100/unitsPerWord {
		t.Error("the text is read beyond its bound")
	}
}

// FuzzCompare reads and compares any texts: no panic, scores in their bounds,
// the same verdict both ways round for a text and itself.
func FuzzCompare(f *testing.F) {
	f.Add("title", story, "other", strings.ToUpper(story))
	f.Add("", "图书馆\xff1.2.3", "\u200b", "ไทย Ä’ 1,2,3")
	f.Add("a", strings.Repeat("a b c ", 50), "b", strings.Repeat("a b d ", 50))
	f.Fuzz(func(t *testing.T, aTitle, a, bTitle, b string) {
		x, y := Read(aTitle, a), Read(bTitle, b)
		if v := Compare(x, y); v.Score < 0 || v.Score > 1 {
			t.Fatalf("score %v", v.Score)
		}
		if x.Words() > MaxWords+1 {
			t.Fatalf("%d words were read", x.Words())
		}
		keys, ok := x.Keys()
		if again, _ := Read(bTitle, a).Keys(); keys != again {
			t.Fatal("the keys of a text depend on its title")
		}
		if v := Compare(x, x); v.Same != ok || ok && v.Score != 1 {
			t.Fatalf("a text of %d words and itself: %+v", x.Words(), v)
		}
	})
}

func BenchmarkKeys(b *testing.B) {
	text := newCorpus(1, 1).newArticle("en", 300).text()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Read("A title of some words", text).Keys()
	}
}

func BenchmarkCompare(b *testing.B) {
	c := newCorpus(1, 1)
	w := newWriter(c, "en")
	a := c.newArticle("en", 300)
	title, text := copyEdited(c, w, a)
	x, y := Read(a.title, a.text()), Read(title, text)
	b.ReportAllocs()
	for b.Loop() {
		Compare(x, y)
	}
}
